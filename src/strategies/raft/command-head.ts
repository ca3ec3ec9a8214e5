import { headCommand, proposedRecord } from "./commands.ts";
import type { Moment } from "./consensus-types.ts";
import type { LogClock } from "./log-clock.ts";

/** What this replica, as the leader, puts in front of what is proposed: see `CommandHeader`. */
export class CommandHead {
  readonly #clock: LogClock;
  readonly #salt: number;
  readonly #sessionLifetimeMs: number;

  /** @param salt drawn once in the life of a replica; not 0. */
  constructor(clock: LogClock, salt: number, sessionLifetimeMs: number) {
    this.#clock = clock;
    this.#salt = salt;
    this.#sessionLifetimeMs = sessionLifetimeMs;
  }

  /** Into a record that a coordinator has made with room for it. */
  write(record: Uint8Array, at: Moment): void {
    headCommand(record, {
      clockMs: Math.floor(this.#clock.read(at)),
      salt: this.#salt,
      sessionLifetimeMs: this.#sessionLifetimeMs,
    });
  }

  /** A record of this replica's own. */
  recordOf(body: Uint8Array, at: Moment): Uint8Array {
    const record = proposedRecord(body);
    this.write(record, at);
    return record;
  }
}
