import type { CoordinatorContext, Effects, Sender } from "../../core/contracts/machine.ts";
import { IdTable } from "../../core/model/id-table.ts";
import { type Demands, isMetBy } from "../leaderless/demand.ts";
import type { LeaderlessMessage, WriteAck } from "../leaderless/messages.ts";
import { writeBack } from "../leaderless/reads/read-repair.ts";
import { ReplicaAnswers, type ReplicaMask } from "../leaderless/replica-answers.ts";
import type { PendingRead } from "./pending-read.ts";

type Fx = Effects<LeaderlessMessage>;

/**
 * The second round of strong reads: what a majority has shown is written back to a majority before
 * it is answered, so that every later read will see it, or something newer.
 */
export class WriteBacks {
  readonly #context: CoordinatorContext;
  readonly #demands: Demands;
  readonly #nextRoundId: () => number;
  readonly #byRound = new IdTable<PendingRead>();

  constructor(context: CoordinatorContext, demands: Demands, nextRoundId: () => number) {
    this.#context = context;
    this.#demands = demands;
    this.#nextRoundId = nextRoundId;
  }

  /** `holders`: those who hold it already, as their answers say. */
  begin(read: PendingRead, newest: Uint8Array, holders: ReplicaMask, effects: Fx): void {
    const acks = new ReplicaAnswers(read.answers.placement);
    acks.asked = acks.reachable(this.#context.isReachable) & ~holders;
    const roundId = this.#nextRoundId();
    read.writeBack = { roundId, acks, holders };
    this.#byRound.set(roundId, read);
    writeBack(read, newest, acks.asked, roundId, effects);
  }

  ofRound(roundId: number): PendingRead | undefined {
    return this.#byRound.get(roundId);
  }

  /** The replica that has newly said that it holds it, and counts; 0: none. */
  onAck({ writeBack: round }: PendingRead, from: Sender, { serving }: WriteAck): ReplicaMask {
    const bit = round?.acks.take(from.node, serving) ?? 0;
    return serving ? bit : 0;
  }

  /** These are as many as a strong write needs. */
  isWritten({ shardIndex }: PendingRead, holders: ReplicaMask): boolean {
    const demand = this.#demands.of("strong", shardIndex, "write");
    return demand !== undefined && isMetBy(demand, holders);
  }

  end({ writeBack: round }: PendingRead): void {
    if (round !== undefined) this.#byRound.delete(round.roundId);
  }
}
