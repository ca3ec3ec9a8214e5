import type { CoordinatorContext, Effects, Sender } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { isMetBy } from "../demand.ts";
import type { CopyMessage, LeaderlessMessage, ReadReply } from "../messages.ts";
import { atEpoch } from "../place/place-messages.ts";
import type { RecordRules } from "../record-rules.ts";
import { countOf, type ReplicaAnswers, type ReplicaMask } from "../replica-answers.ts";
import { type DigestSetting, Digests } from "./digests.ts";
import { type HedgeSetting, Hedges } from "./hedges.ts";
import type { QuorumRead } from "./quorum-read.ts";

type Fx = Effects<LeaderlessMessage>;

export interface FanOutSettings {
  readonly hedge: HedgeSetting;
  readonly digestAbove: DigestSetting;
}

/** See the planted bugs of the strategies. */
export interface PlantedFanOutBugs {
  readonly digestMismatchIgnored?: boolean;
  readonly hedgeCountsTwice?: boolean;
}

/**
 * Asks replicas for their record of a key: as many as the level needs at first, and others where
 * those do not answer in their usual time (`Hedges`), or not at all; of all but one a digest does
 * (`Digests`). What the answers come to is its caller's.
 */
export class ReadFanOut<Read extends QuorumRead> {
  readonly #context: CoordinatorContext;
  readonly #digestAbove: DigestSetting;
  readonly #hedges: Hedges<Read>;
  readonly #digests: Digests;
  readonly #planted: PlantedFanOutBugs;

  constructor(
    context: CoordinatorContext,
    { hedge, digestAbove }: FanOutSettings,
    rules: RecordRules,
    planted: PlantedFanOutBugs,
  ) {
    this.#context = context;
    this.#digestAbove = digestAbove;
    this.#hedges = new Hedges(context, hedge);
    this.#digests = new Digests(rules, planted.digestMismatchIgnored);
    this.#planted = planted;
  }

  /** `able`: those whose answer could count. */
  begin(read: Read, able: ReplicaMask, effects: Fx): void {
    const asked = this.#hedges.first(read, able, read.startedAtMs);
    const own = read.answers.bitOf(this.#context.self.node) & asked;
    // The record from one, this node's own if it can be; from the others its digest, if it is long.
    const full = own !== 0 ? own : asked & -asked;
    if (this.#digestAbove === undefined || full === asked) this.ask(read, asked, effects);
    else {
      this.ask(read, full, effects);
      this.#send(read, read.answers, asked & ~full, this.#digestAbove, effects);
    }
    this.#hedges.watch(read, able, read.endAtMs, effects);
  }

  /** `among`: others than the replicas, of whose answers none counts. */
  ask(read: Read, mask: ReplicaMask, effects: Fx, among = read.answers): void {
    this.#send(read, among, mask, undefined, effects);
  }

  /** Asks all that can be reached and were not asked yet. False: there are none. */
  widen(read: Read, effects: Fx, among = read.answers): boolean {
    const more = among.reachable(this.#context.isReachable) & ~among.asked;
    if (more !== 0) this.ask(read, more, effects, among);
    return more !== 0;
  }

  /** Asks further replicas for reads whose answers do not come in their usual time. */
  hedge(nowMs: number, effects: Fx): void {
    this.#hedges.due(nowMs, (read, more) => this.ask(read, more, effects), effects);
  }

  /** The replica whose answer it is; 0 where it is not awaited, or not of a replica. */
  onReply(read: Read, from: Sender, reply: ReadReply, nowMs: number): ReplicaMask {
    const { answers } = read;
    const index = answers.placement.replicas.indexOf(from.node);
    if (this.#digests.isOver(read, index, reply)) return 0;
    const bit = answers.take(from.node, reply.serving);
    if (bit === 0) return 0;
    this.#digests.note(read, index, reply);
    this.#hedges.onReply(read, from.node, bit, reply.serving, nowMs);
    read.records[index] = reply.record;
    return bit;
  }

  /** Holds digests against the newest record that is here. Replicas whose record has to be asked for. */
  settle(read: Read, newest: Uint8Array | undefined): ReplicaMask {
    return read.digests === 0 ? 0 : this.#digests.settle(read, newest);
  }

  /** As many have answered as the level needs. */
  isMet({ demand, answers, hedged }: Read): boolean {
    if (isMetBy(demand, answers.counted)) return true;
    if (this.#planted.hedgeCountsTwice !== true) return false;
    return countOf(answers.counted) + countOf(answers.counted & hedged) >= demand.count;
  }

  /** Another copy, of which nothing is known, is where the peer's was. */
  onIdentity(peer: NodeId): void {
    this.#hedges.times.forget(peer);
  }

  describe(): Readonly<Record<string, unknown>> {
    return { hedges: this.#hedges.describe(), digests: this.#digests.describe() };
  }

  #send(
    { key, roundId, shardIndex, answers }: Read,
    among: ReplicaAnswers,
    mask: ReplicaMask,
    digestAbove: DigestSetting,
    effects: Fx,
  ): void {
    among.asked |= mask;
    const message = atEpoch<CopyMessage>(answers.placement, {
      type: "read",
      requestId: roundId,
      stampOnly: false,
      digestAbove,
      key,
    });
    for (const node of among.nodesOf(mask)) effects.send(node, "replica", shardIndex, message);
  }
}
