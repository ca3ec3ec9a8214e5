import type { Environment } from "../../core/contracts/environment.ts";
import type { Observer } from "../../core/contracts/observer.ts";
import { printable } from "./preamble.ts";

/** A line per fault and interval: whoever knocks all day must not fill the log. */
const INTERVAL_MS = 10_000;

/** Counts every refused connection (`transport_refusals`), and says of some why. */
export class RefusalLog {
  readonly #environment: Environment;
  readonly #observer: Observer;
  readonly #loggedAtMs = new Map<string, number>();

  constructor(environment: Environment, observer: Observer) {
    this.#environment = environment;
    this.#observer = observer;
  }

  /** Without a reason it is counted only. */
  note(fault: string, reason?: string, remoteAddress?: string): void {
    this.#observer.count("transport_refusals", 1, { fault });
    if (reason === undefined) return;
    const nowMs = this.#environment.monotonicMs();
    const loggedAtMs = this.#loggedAtMs.get(fault);
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < INTERVAL_MS) return;
    this.#loggedAtMs.set(fault, nowMs);
    this.#observer.log("warn", "refused a connection on the peer port", {
      fault,
      reason: printable(reason),
      remoteAddress,
    });
  }
}
