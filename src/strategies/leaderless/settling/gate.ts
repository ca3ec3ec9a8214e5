import type { StateReader } from "../../../core/contracts/machine.ts";
import { hybridTimeOf, type Stamp } from "../../../core/model/stamp.ts";
import type { WriteMessage } from "../messages.ts";
import type { PlantedReplicaBugs } from "../planted-bugs.ts";
import { type KeyedRecord, keyRecord } from "../record.ts";
import type { RecordBound } from "../record-bound.ts";
import type { RecordRules } from "../record-rules.ts";
import type { Settling } from "./settling.ts";

const U32_MAX = 0xffff_ffff;

type Merge = (keyed: KeyedRecord, admitted: Uint8Array) => KeyedRecord;

export interface GateParts {
  readonly settling: Settling;
  readonly rules: RecordRules;
  readonly planted: PlantedReplicaBugs;
  readonly reapAfterMs: number;
  /** While a copy learns the shard, it does not know what is settled: only its sources do. */
  readonly isLearning: () => boolean;
  /** The copy is being given the shard. */
  readonly isJoining: () => boolean;
}

/** What a replica lets in, by each of the ways on which records come. */
export class Gate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** A client's write that comes too late: this replica has promised to take no such any more. */
  isFenced(record: Uint8Array): boolean {
    const { planted, settling, rules } = this.#parts;
    if (planted.fenceIgnored === true) return false;
    return settling.isFenced(rules.settling.timeOf(record));
  }

  /** The stamp that a write has met: of what is held, or of the promise that it comes too late for. */
  stampAbove(record: Uint8Array, held: Uint8Array | undefined): Stamp {
    const { settling, rules } = this.#parts;
    const time = settling.floors.fence;
    const isHeld = held !== undefined && rules.settling.timeOf(held) > time;
    if (isHeld || !this.isFenced(record)) return rules.stampOf(held ?? record);
    return { time, actorHigh: U32_MAX, actorLow: U32_MAX };
  }

  /**
   * Repair and copies. A copy that is being given the shard takes what a write-back brings, however old:
   * a read has to leave there what it has shown, and what it has just found at those who hold the shard
   * is not over. Floors do not rise meanwhile.
   */
  judge(
    { keyed: { key, record }, kind }: Pick<WriteMessage, "keyed" | "kind">,
    held: Uint8Array | undefined,
    wallMs: number,
  ): "news" | "held" | "refused" {
    const isGiven = kind === "write-back" && this.#parts.isJoining();
    if (!isGiven && this.#isTooOldToTell(record, wallMs)) return "refused";
    const { settling, rules } = this.#parts;
    const admitted = settling.admit(key, held, record);
    if (admitted === record) return "news";
    // The floor itself says of the key all that such a deletion does.
    return admitted === "settled" && rules.isTombstone(record) ? "held" : "refused";
  }

  /**
   * Answers what is held then, or what the sender should hold; `keyed` itself if that is it.
   * `onSettled` is told of a deletion that the sender still holds, and this replica need not.
   */
  reconcile(
    keyed: KeyedRecord,
    state: StateReader,
    merge: Merge,
    onSettled: (deletion: Uint8Array) => void,
  ): KeyedRecord {
    const { planted, settling, rules } = this.#parts;
    const { key, record } = keyed;
    const isIgnored = planted.floorIgnoredByAntiEntropy === true;
    const admitted = isIgnored ? record : settling.admit(key, state.get(key), record);
    if (typeof admitted !== "string") return merge(keyed, admitted);
    if (admitted !== "settled") return keyed;
    if (rules.isTombstone(record)) {
      onSettled(record);
      return keyed;
    }
    // Whoever still has it alive was not there when it was settled.
    return keyRecord(key, rules.settling.buried(record));
  }

  /**
   * Answers the places of those that `bound` does not let in. Undefined: some may come again, and are not
   * to be forgotten by whoever handed them over.
   */
  takeHandedOver(
    records: readonly KeyedRecord[],
    wallMs: number,
    state: StateReader,
    bound: Pick<RecordBound, "refused">,
    merge: Merge,
  ): readonly number[] | undefined {
    const { planted, settling } = this.#parts;
    let isAll = true;
    const refused: number[] = [];
    for (const [place, keyed] of records.entries()) {
      const before = bound.refused;
      const { key, record } = keyed;
      const isIgnored = planted.floorIgnoredByHandoff === true;
      const admitted = isIgnored ? record : settling.admit(key, state.get(key), record);
      if (admitted === "closed" || this.#isTooOldToTell(record, wallMs)) isAll = false;
      else if (admitted !== "settled") merge(keyed, admitted);
      if (bound.refused > before) refused.push(place);
    }
    return isAll ? refused : undefined;
  }

  #isTooOldToTell(record: Uint8Array, wallMs: number): boolean {
    const { isLearning, reapAfterMs, rules } = this.#parts;
    if (!isLearning()) return false;
    return rules.settling.timeOf(record) <= hybridTimeOf(wallMs - reapAfterMs / 2);
  }
}
