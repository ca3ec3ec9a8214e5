import type { Effects, ReplicaContext } from "../../core/contracts/machine.ts";
import type { AntiEntropy } from "./anti-entropy/anti-entropy.ts";
import type { Expiries } from "./expiries.ts";
import type { Handoff } from "./handoff/handoff.ts";
import type { LeaderlessMessage } from "./messages.ts";
import type { ReplicaPlace } from "./place/replica-place.ts";
import type { PlantedReplicaBugs } from "./planted-bugs.ts";
import { type KeyedRecord, keyRecord, splitPayload } from "./record.ts";
import type { RecordBound } from "./record-bound.ts";
import { mergedOf, type RecordRules } from "./record-rules.ts";
import type { Settling } from "./settling/settling.ts";

type Fx = Effects<LeaderlessMessage>;

/** Whoever has to know what a copy comes to hold. */
export interface RecordKeeperParts {
  readonly context: Pick<ReplicaContext, "clock">;
  readonly planted: PlantedReplicaBugs;
  readonly rules: RecordRules;
  readonly place: Pick<ReplicaPlace, "isHolder" | "isMember">;
  readonly bound: Pick<RecordBound, "takes">;
  readonly expiries: Pick<Expiries, "admit" | "note">;
  readonly antiEntropy: Pick<AntiEntropy, "touch">;
  readonly handoff: Pick<Handoff, "isFull" | "noteCopy">;
  readonly settling: Pick<Settling, "noteReplayed" | "noteStored">;
}

/**
 * How records come to stand in one copy of a shard, whoever brings them: in the log and in the state,
 * and in the books of all those who count on what is there.
 *
 * Invariants:
 * - what is held of a key only grows in the order of `RecordRules.relation`;
 * - no record is put into the state that the same step does not append to the log, or that the log
 *   has brought.
 */
export class RecordKeeper {
  readonly #context: RecordKeeperParts["context"];
  readonly #planted: PlantedReplicaBugs;
  readonly #rules: RecordRules;
  readonly #place: RecordKeeperParts["place"];
  readonly #bound: RecordKeeperParts["bound"];
  readonly #expiries: RecordKeeperParts["expiries"];
  readonly #antiEntropy: RecordKeeperParts["antiEntropy"];
  readonly #handoff: RecordKeeperParts["handoff"];
  readonly #settling: RecordKeeperParts["settling"];

  constructor(parts: RecordKeeperParts) {
    this.#context = parts.context;
    this.#planted = parts.planted;
    this.#rules = parts.rules;
    this.#place = parts.place;
    this.#bound = parts.bound;
    this.#expiries = parts.expiries;
    this.#antiEntropy = parts.antiEntropy;
    this.#handoff = parts.handoff;
    this.#settling = parts.settling;
  }

  /** False on a node that stands in and keeps as many copies as it may. */
  get hasRoom(): boolean {
    return this.#place.isMember || !this.#handoff.isFull;
  }

  /** Whether a record may take the place of what is held: without room not one that is longer. */
  hasRoomFor(record: Uint8Array, held: Uint8Array | undefined): boolean {
    if (!this.#bound.takes(record)) return false;
    return (held !== undefined && record.length <= held.length) || this.hasRoom;
  }

  /**
   * Streams, hints and anti-entropy: what is held and what comes become one, whatever the clock
   * says. `admitted` is what of the record is news. Answers what is held then: `keyed` itself if
   * that is all there is, or if nothing is held, as it is too large.
   */
  merge(keyed: KeyedRecord, wallMs: number, effects: Fx, admitted = keyed.record): KeyedRecord {
    const held = effects.get(keyed.key);
    const overwrites = this.#planted.rebuildOverwritesNewer === true;
    const merged = overwrites ? admitted : mergedOf(this.#rules, held, admitted, keyed.key);
    const cause = this.#planted.repairIsNotTold === true ? "not-told" : undefined;
    let result = merged === keyed.record ? keyed : keyRecord(keyed.key, merged);
    if (merged !== held && !this.#bound.takes(result.record)) {
      return held === undefined ? keyed : keyRecord(keyed.key, held);
    }
    if (merged === keyed.record) return this.store(keyed, wallMs, effects, cause);
    if (merged !== held) result = this.store(result, wallMs, effects, cause);
    // It may have been held since this node stood in, which does not look when a copy expires.
    else if (this.#place.isMember) this.#expiries.note(keyed.key, merged, wallMs, effects);
    // Equal bytes in another buffer are what came, too.
    return Buffer.compare(result.record, keyed.record) === 0 ? keyed : result;
  }

  /**
   * Keeps a record that includes what is held of its key, and answers what is kept: of what has
   * expired by now only that it was there.
   */
  store(
    given: KeyedRecord,
    wallMs: number,
    effects: Fx,
    cause?: "expire" | "not-told",
  ): KeyedRecord {
    const { isMember } = this.#place;
    const keyed = this.#expiries.admit(given, wallMs, isMember, effects);
    const { key, payload, record } = keyed;
    // Within the guard only: a stored stamp never drags this node's clock along.
    const time = this.#rules.settling.timeOf(record);
    this.#context.clock.observeTime(time, wallMs);
    effects.append(payload);
    this.#antiEntropy.touch(key);
    if (this.#place.isHolder) this.#settling.noteStored(record, time, effects);
    if (!isMember) this.#handoff.noteCopy(key, record.length, wallMs, effects);
    if (this.#planted.tombstoneForgotten === true && this.#rules.isTombstone(record)) {
      effects.delete(key);
    } else effects.put(key, record);
    if (effects.isWatched && cause !== "not-told") this.#tell(keyed, cause, effects);
    return keyed;
  }

  /** A record of the log, to be in the state as well. */
  replay(payload: Uint8Array, wallMs: number, effects: Fx): void {
    const { key, record } = splitPayload(payload, this.#rules.check);
    const held = effects.get(key);
    const merged = mergedOf(this.#rules, held, record);
    if (merged === held) return;
    const { isMember } = this.#place;
    this.#context.clock.observeTime(this.#rules.settling.timeOf(record), wallMs);
    if (isMember) this.#expiries.note(key, merged, wallMs, effects);
    effects.put(key, merged);
    this.#settling.noteReplayed(merged, effects);
    this.#antiEntropy.touch(key);
    if (!isMember) this.#handoff.noteCopy(key, merged.length, wallMs, effects);
  }

  /** Those who watch the shard. */
  #tell({ key, record }: KeyedRecord, cause: "expire" | undefined, effects: Fx): void {
    const { changeOf } = this.#rules;
    if (changeOf === undefined) return;
    const change = changeOf(key, record);
    const isGone = cause === "expire" && change.type === "delete";
    effects.change(isGone ? { ...change, type: cause } : change);
  }
}
