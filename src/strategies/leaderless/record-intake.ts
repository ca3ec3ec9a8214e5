import type { Effects, ReplicaContext, Sender } from "../../core/contracts/machine.ts";
import type { HandoffMessage } from "./handoff/handoff-messages.ts";
import type { LeaderlessMessage, WriteMessage } from "./messages.ts";
import type { PlantedReplicaBugs } from "./planted-bugs.ts";
import type { KeyedRecord } from "./record.ts";
import type { RecordBound } from "./record-bound.ts";
import type { RecordKeeper } from "./record-keeper.ts";
import type { Gate } from "./settling/gate.ts";
import type { Settling } from "./settling/settling.ts";
import type { WriteVerdicts } from "./write-verdicts.ts";

type Fx = Effects<LeaderlessMessage>;

export interface RecordIntakeParts {
  readonly context: Pick<ReplicaContext, "shardIndex">;
  readonly planted: PlantedReplicaBugs;
  readonly gate: Pick<Gate, "judge" | "reconcile" | "stampAbove" | "takeHandedOver">;
  readonly verdicts: Pick<WriteVerdicts, "of">;
  readonly keeper: Pick<RecordKeeper, "hasRoom" | "hasRoomFor" | "merge" | "store">;
  readonly bound: Pick<RecordBound, "refused">;
  readonly settling: Pick<Settling, "tellOfDeletion">;
  /** Whether what is stored now counts. */
  readonly holdsForGood: () => boolean;
}

/**
 * The ways on which records come to a copy one by one: of writes and their repair, of rounds of
 * anti-entropy, of those who kept for it what it had missed. What is let in is `Gate`'s to say, and
 * what a write is told `WriteVerdicts`'.
 */
export class RecordIntake {
  readonly #parts: RecordIntakeParts;

  constructor(parts: RecordIntakeParts) {
    this.#parts = parts;
  }

  onWrite(from: Sender, message: WriteMessage, wallMs: number, nowMs: number, effects: Fx): void {
    const { context, gate, keeper, verdicts } = this.#parts;
    const { keyed, kind } = message;
    const held = effects.get(keyed.key);
    // No answer: the coordinator counts nobody who has not said that he holds it.
    if (held === undefined && !keeper.hasRoom) return;
    const judged = kind === "first-hand" ? "news" : gate.judge(message, held, wallMs);
    if (judged === "refused") return;
    const { verdict, stored } =
      judged === "held"
        ? ({ verdict: "equal", stored: keyed } as const)
        : verdicts.of(message, held, wallMs, nowMs);
    if (verdict === "stored" && !keeper.hasRoomFor(stored.record, held)) return;
    if (verdict === "stored") keeper.store(stored, wallMs, effects);
    if (kind === "repair") return;
    effects.send(from.node, "coordinator", context.shardIndex, {
      type: "write-ack",
      requestId: message.requestId,
      verdict,
      serving: this.#parts.holdsForGood(),
      stamp: verdict === "newer" ? gate.stampAbove(keyed.record, held) : undefined,
    });
  }

  /** Of a round of anti-entropy; answers what is held then, or what the peer should hold. */
  reconcile(from: Sender, keyed: KeyedRecord, wallMs: number, effects: Fx): KeyedRecord {
    const { gate, keeper, settling } = this.#parts;
    return gate.reconcile(
      keyed,
      effects,
      (news, admitted) => keeper.merge(news, wallMs, effects, admitted),
      (deletion) => settling.tellOfDeletion(from.node, deletion, effects),
    );
  }

  /** Says of each record whether it may be forgotten, or nothing of any where some are to come again. */
  onHandoff(from: Sender, message: HandoffMessage, wallMs: number, effects: Fx): void {
    const { bound, context, gate, keeper, planted } = this.#parts;
    const { records, requestId } = message;
    const overwrites = planted.hintsOverwriteNewer === true;
    const take = (keyed: KeyedRecord, admitted: Uint8Array): KeyedRecord =>
      overwrites
        ? keeper.store(keyed, wallMs, effects)
        : keeper.merge(keyed, wallMs, effects, admitted);
    const refused = gate.takeHandedOver(records, wallMs, effects, bound, take);
    if (refused === undefined) return;
    const ack = { type: "handoff-ack", requestId, ...(refused.length > 0 && { refused }) } as const;
    effects.send(from.node, "replica", context.shardIndex, ack, "bulk");
  }
}
