import type { Effects } from "../../core/contracts/machine.ts";
import type { HybridClock } from "../../core/model/hybrid-clock.ts";
import { ExpiryClock, ExpiryRows } from "./expiry.ts";
import type { LeaderlessMessage } from "./messages.ts";
import type { PlantedReplicaBugs } from "./planted-bugs.ts";
import { type KeyedRecord, keyRecord } from "./record.ts";
import type { RecordRules } from "./record-rules.ts";

type LeaderlessEffects = Effects<LeaderlessMessage>;

/** What of a replica's records expires: found when it is due, and kept as what it has come to. */
export class Expiries {
  readonly #clock: ExpiryClock;
  readonly #rules: RecordRules;
  readonly #planted: PlantedReplicaBugs;
  readonly #store: (keyed: KeyedRecord, wallMs: number, effects: LeaderlessEffects) => void;
  readonly #rows = new ExpiryRows();

  /** @param store keeps what a record has come to in its place. */
  constructor(
    clock: Pick<HybridClock, "isBeyondGuard">,
    rules: RecordRules,
    planted: PlantedReplicaBugs,
    store: (keyed: KeyedRecord, wallMs: number, effects: LeaderlessEffects) => void,
  ) {
    this.#clock = new ExpiryClock(clock);
    this.#rules = rules;
    this.#planted = planted;
    this.#store = store;
  }

  /** Before any write of the step. */
  open(wallMs: number, effects: LeaderlessEffects): void {
    this.#rows.open(wallMs, effects);
  }

  /** False: the timer is another's. Before any write of the step. */
  onTimer(timer: string, wallMs: number, effects: LeaderlessEffects): boolean {
    const dueMs = this.#clock.at(wallMs);
    return this.#rows.onTimer(timer, wallMs, dueMs, effects, (key) => {
      const held = effects.get(key);
      if (held === undefined || this.#planted.expiredIsShown === true) return;
      const left = this.#rules.expire(held, dueMs);
      if (left === held) return;
      if (this.#planted.expiredIsForgotten === true) effects.delete(key);
      else this.#store(keyRecord(key, left), wallMs, effects);
    });
  }

  /** What is to be kept of a record now; a stand-in does not look when the rest of it expires. */
  admit(
    keyed: KeyedRecord,
    wallMs: number,
    isMember: boolean,
    effects: LeaderlessEffects,
  ): KeyedRecord {
    const { key, record } = keyed;
    if (this.#rules.expiryOf(record) === undefined) {
      this.#forgetHeld(key, undefined, effects);
      return keyed;
    }
    const isKept = this.#planted.expiredIsShown === true;
    const left = isKept ? record : this.#rules.expire(record, this.#clock.at(wallMs));
    if (isMember) this.note(key, left, wallMs, effects);
    else this.#forgetHeld(key, undefined, effects);
    return left === record ? keyed : keyRecord(key, left);
  }

  /** Before the record takes the place of what is held. */
  note(key: Uint8Array, record: Uint8Array, wallMs: number, effects: LeaderlessEffects): void {
    const expiresAtMs = this.#rules.expiryOf(record);
    this.#forgetHeld(key, expiresAtMs, effects);
    if (expiresAtMs !== undefined) this.#rows.note(key, expiresAtMs, wallMs, effects);
  }

  /** The row of what is held, unless what comes expires then, too. */
  #forgetHeld(key: Uint8Array, next: number | undefined, effects: LeaderlessEffects): void {
    if (this.#rows.isEmpty) return;
    const held = effects.get(key);
    const before = held === undefined ? undefined : this.#rules.expiryOf(held);
    if (before !== undefined && before !== next) this.#rows.forget(key, before, effects);
  }
}
