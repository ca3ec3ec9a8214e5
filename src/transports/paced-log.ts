import type { Environment } from "../core/contracts/environment.ts";
import type { LogLevel, Observer } from "../core/contracts/observer.ts";

/** A line per fault and interval: whoever knocks all day must not fill the log. */
const INTERVAL_MS = 10_000;

/** Counts every fault that a transport meets (`transport_refusals`), and says of some why. */
export class PacedLog {
  readonly #environment: Environment;
  readonly #observer: Observer;
  readonly #loggedAtMs = new Map<string, number>();

  constructor(environment: Environment, observer: Observer) {
    this.#environment = environment;
    this.#observer = observer;
  }

  count(fault: string): void {
    this.#observer.count("transport_refusals", 1, { fault });
  }

  /** Counts, and logs unless the same fault was logged lately. */
  note(
    level: LogLevel,
    fault: string,
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    this.count(fault);
    const nowMs = this.#environment.monotonicMs();
    const loggedAtMs = this.#loggedAtMs.get(fault);
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < INTERVAL_MS) return;
    this.#loggedAtMs.set(fault, nowMs);
    this.#observer.log(level, message, { fault, ...fields });
  }
}
