import type { Environment } from "../../core/contracts/environment.ts";
import type { Observer } from "../../core/contracts/observer.ts";
import { PacedLog } from "../paced-log.ts";
import { printable } from "./preamble.ts";

/** Counts every refused connection, and says of some why. */
export class RefusalLog {
  readonly #log: PacedLog;

  constructor(environment: Environment, observer: Observer) {
    this.#log = new PacedLog(environment, observer);
  }

  /** Without a reason it is counted only. */
  note(fault: string, reason?: string, remoteAddress?: string): void {
    if (reason === undefined) {
      this.#log.count(fault);
      return;
    }
    const fields = { reason: printable(reason), remoteAddress };
    this.#log.note("warn", fault, "refused a connection on the peer port", fields);
  }
}
