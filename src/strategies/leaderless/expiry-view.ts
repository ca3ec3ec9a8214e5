import type { Clocks } from "../../core/contracts/machine.ts";
import type { HybridClock } from "../../core/model/hybrid-clock.ts";
import { ExpiryClock } from "./expiry.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import type { RecordRules } from "./record-rules.ts";

/**
 * Records as a coordinator shows them: what has expired by its clock is deleted, whatever the
 * replicas that answered take the time for. What it has once shown as expired it never shows again,
 * since its clock does not go back, and is not behind that of a replica whose tombstone it has shown,
 * where the tombstone says when that was; and the tombstone that it makes is what reads write back and
 * repair with, so that replicas whose clocks are behind take it over.
 */
export class ExpiryView {
  /** Of the step that runs. */
  wallMs = 0;
  readonly #rules: Pick<RecordRules, "expiryOf" | "expire" | "expiredAtOf">;
  readonly #clock: ExpiryClock;
  readonly #planted: PlantedReplicaBugs;

  constructor(
    rules: Pick<RecordRules, "expiryOf" | "expire" | "expiredAtOf">,
    clock: HybridClock,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  ) {
    this.#rules = rules;
    this.#clock = new ExpiryClock(clock);
    this.#planted = planted;
  }

  at<R extends Uint8Array | undefined>(record: R): R | Uint8Array {
    return this.#shown(record, this.wallMs);
  }

  /** Outside of a step. */
  now<R extends Uint8Array | undefined>(record: R, clocks: Clocks): R | Uint8Array {
    if (record === undefined) return record;
    const isOfTime =
      this.#rules.expiryOf(record) !== undefined || this.#rules.expiredAtOf?.(record) !== undefined;
    return isOfTime ? this.#shown(record, clocks.wallMs()) : record;
  }

  #shown<R extends Uint8Array | undefined>(record: R, wallMs: number): R | Uint8Array {
    if (record === undefined || this.#planted.expiredIsShown === true) return record;
    const expiredAtMs = this.#rules.expiredAtOf?.(record);
    if (expiredAtMs !== undefined) this.#clock.observe(expiredAtMs, wallMs);
    if (this.#rules.expiryOf(record) === undefined) return record;
    return this.#rules.expire(record, this.#clock.at(wallMs));
  }
}
