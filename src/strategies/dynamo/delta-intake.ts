import type { Effects, MachineEvent, ReplicaContext } from "../../core/contracts/machine.ts";
import type { CopyMessage } from "../leaderless/messages.ts";
import { atEpoch } from "../leaderless/place/place-messages.ts";
import { keyRecord } from "../leaderless/record.ts";
import type { LeaderlessReplica } from "../leaderless/replica.ts";
import { decodeRecord, nothingUpTo } from "./dotted-record.ts";
import type { DeltaMessage, DynamoMessage } from "./messages.ts";
import { GAP, type States } from "./states/states.ts";

/** What deltas ask of the copies that they are joined to. */
export type JoinedCopies = Pick<
  LeaderlessReplica,
  "epoch" | "floor" | "hasRoom" | "hasRoomFor" | "step"
>;

/**
 * Takes in what operations at other minters have added to CRDTs (Almeida, Shoker and Baquero, "Delta
 * State Replicated Data Types", 2018).
 *
 * The causal gate: a copy that lacks what the delta rests on asks for the whole record. Where it
 * does not, the record with the delta in it is taken as if it had come.
 */
export class DeltaIntake {
  readonly #shardIndex: number;
  readonly #states: States;
  readonly #copies: JoinedCopies;
  #joined = 0;
  #gaps = 0;

  constructor(context: ReplicaContext, states: States, copies: JoinedCopies) {
    this.#shardIndex = context.shardIndex;
    this.#states = states;
    this.#copies = copies;
  }

  /** `deltaGaps`: deltas that rested on something that is missing here. */
  describe(): { readonly deltasJoined: number; readonly deltaGaps: number } {
    return { deltasJoined: this.#joined, deltaGaps: this.#gaps };
  }

  /** `event` has brought the delta, which is admitted. */
  take(
    event: Extract<MachineEvent<DynamoMessage>, { readonly type: "message" }>,
    { requestId, delta }: DeltaMessage,
    effects: Effects<DynamoMessage>,
  ): void {
    const { key, dot } = delta;
    const { floor } = this.#copies;
    const bytes = effects.get(key);
    // No answer, as to a write: nobody counts who does not say that he holds it.
    if (bytes === undefined && !this.#copies.hasRoom) return;
    const record = bytes === undefined ? nothingUpTo(floor) : decodeRecord(bytes);
    // Whether what is settled was held here, only a record can say.
    const verdict = dot.time <= floor ? GAP : this.#states.join({ key, bytes, record }, delta);
    if (verdict.type === "gap") {
      this.#gaps++;
      effects.send(event.from.node, "coordinator", this.#shardIndex, { type: "gap", requestId });
      return;
    }
    const keyed =
      verdict.type === "joined" ? verdict.keyed : keyRecord(key, bytes ?? new Uint8Array(0));
    if (verdict.type === "joined" && !this.#copies.hasRoomFor(keyed.record, bytes)) return;
    const kind = "write-back" as const;
    const write = { type: "write" as const, requestId, kind, proof: undefined, keyed };
    // The delta was admitted: what has become of it is of this copy's own epoch.
    const message = atEpoch<CopyMessage>({ epoch: this.#copies.epoch }, write);
    this.#copies.step({ ...event, message }, effects);
    if (verdict.type !== "joined") return;
    this.#joined++;
    this.#states.keep(keyed, verdict.encoded);
  }
}
