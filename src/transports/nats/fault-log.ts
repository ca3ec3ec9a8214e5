import type { Environment } from "../../core/contracts/environment.ts";
import type { LogLevel, Observer } from "../../core/contracts/observer.ts";
import { PacedLog } from "../paced-log.ts";

const SHOWN_CHARACTERS = 200;

export type NatsFault =
  /** Its subject names no node, or one that `setPeers` does not name. */
  | "malformed-sender"
  | "unnamed-sender"
  | "malformed-message"
  /** Two processes run under one node's id. */
  | "twin"
  | "late-message"
  /** The server does not let this node in, publish or subscribe. */
  | "refused"
  | "unreachable"
  | "connection-lost"
  | "publish-failed";

/** Counts every fault, and says of some why. */
export class FaultLog {
  readonly #log: PacedLog;

  constructor(environment: Environment, observer: Observer) {
    this.#log = new PacedLog(environment, observer);
  }

  count(fault: NatsFault): void {
    this.#log.count(fault);
  }

  /** Counts, and logs unless the same fault was logged lately. */
  note(level: LogLevel, fault: NatsFault, message: string, reason: string): void {
    this.#log.note(level, fault, message, { reason: printable(reason) });
  }
}

/** What others sent goes into the log as visible ASCII, and not without end. */
function printable(text: string): string {
  const visible = text.replace(/[^\x20-\x7e]/g, "?");
  return visible.length > SHOWN_CHARACTERS ? `${visible.slice(0, SHOWN_CHARACTERS)}...` : visible;
}
