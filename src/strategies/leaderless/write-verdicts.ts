import type { HybridClock } from "../../core/model/hybrid-clock.ts";
import { compareStamps } from "../../core/model/stamp.ts";
import type { WriteMessage, WriteVerdict } from "./messages.ts";
import type { PlantedReplicaBugs } from "./planted-bugs.ts";
import { type KeyedRecord, keyRecord } from "./record.ts";
import type { RecordRules, Relation } from "./record-rules.ts";
import { RefusedStamps } from "./refused-stamps.ts";
import type { Gate } from "./settling/gate.ts";

interface VerdictParts {
  readonly rules: RecordRules;
  readonly planted: PlantedReplicaBugs;
  readonly clock: HybridClock;
  readonly gate: Gate;
}

/** What a replica says to a write, and what it stores of it. */
export class WriteVerdicts {
  readonly #parts: VerdictParts;
  readonly #refused = new RefusedStamps();

  constructor(parts: VerdictParts) {
    this.#parts = parts;
  }

  /** `stored` is of meaning with the verdict `stored`. */
  of(
    message: WriteMessage,
    held: Uint8Array | undefined,
    wallMs: number,
    nowMs: number,
  ): { readonly verdict: WriteVerdict; readonly stored: KeyedRecord } {
    const { rules } = this.#parts;
    const { keyed, kind } = message;
    const relation = held === undefined ? "succeeded" : rules.relation(held, keyed.record);
    const verdict = this.#verdict(message, relation, wallMs, nowMs);
    // What is held is this very write, which has expired since.
    if (verdict === "newer" && kind === "first-hand" && this.#isSameWrite(held, keyed.record)) {
      return { verdict: "equal", stored: keyed };
    }
    if (verdict !== "stored" || relation !== "apart" || this.#overwrites(kind)) {
      return { verdict, stored: keyed };
    }
    const merged = rules.merge(held as Uint8Array, keyed.record, keyed.key);
    if (merged === held) return { verdict: "newer", stored: keyed };
    return { verdict, stored: merged === keyed.record ? keyed : keyRecord(keyed.key, merged) };
  }

  #verdict(message: WriteMessage, relation: Relation, wallMs: number, nowMs: number): WriteVerdict {
    const { planted, gate } = this.#parts;
    const firstHand = message.kind === "first-hand";
    if (this.#overwrites(message.kind)) return "stored";
    if (relation === "equal") return "equal";
    if (firstHand && gate.isFenced(message.keyed.record)) return "newer";
    if (relation === "included" && planted.olderOverwritesNewer !== true) return "newer";
    if (!firstHand || relation === "included") return "stored";
    // Neither knows of the other, though both stand under the stamp of one write.
    if (relation === "apart") return "reused";
    return this.#accepts(message, wallMs, nowMs) ? "stored" : "skewed";
  }

  #isSameWrite(held: Uint8Array | undefined, record: Uint8Array): boolean {
    const { rules } = this.#parts;
    return held !== undefined && compareStamps(rules.stampOf(held), rules.stampOf(record)) === 0;
  }

  #accepts({ keyed, proof }: WriteMessage, wallMs: number, nowMs: number): boolean {
    const { rules, clock } = this.#parts;
    // Nearly every write: its time alone says it, and no stamp was ever refused.
    const time = rules.settling.timeOf(keyed.record);
    if (this.#refused.isEmpty && !clock.isTimeBeyondGuard(time, wallMs)) return true;
    const stamp = rules.stampOf(keyed.record);
    const isWithin = clock.accepts(stamp, proof, wallMs);
    if (isWithin && !this.#refused.has(stamp, nowMs)) return true;
    if (!isWithin) this.#refused.add(stamp, nowMs);
    return false;
  }

  #overwrites(kind: WriteMessage["kind"]): boolean {
    return this.#parts.planted.repairOverwritesNewer === true && kind !== "first-hand";
  }
}
