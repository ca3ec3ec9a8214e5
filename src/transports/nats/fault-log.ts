import type { Environment } from "../../core/contracts/environment.ts";
import type { LogLevel, Observer } from "../../core/contracts/observer.ts";

/** A line per fault and interval: what goes on all day must not fill the log. */
const INTERVAL_MS = 10_000;
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

/** Counts every fault (`transport_refusals`), and says of some why. */
export class FaultLog {
  readonly #environment: Environment;
  readonly #observer: Observer;
  readonly #loggedAtMs = new Map<string, number>();

  constructor(environment: Environment, observer: Observer) {
    this.#environment = environment;
    this.#observer = observer;
  }

  count(fault: NatsFault): void {
    this.#observer.count("transport_refusals", 1, { fault });
  }

  /** Counts, and logs unless the same fault was logged lately. */
  note(level: LogLevel, fault: NatsFault, message: string, reason: string): void {
    this.count(fault);
    const nowMs = this.#environment.monotonicMs();
    const loggedAtMs = this.#loggedAtMs.get(fault);
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < INTERVAL_MS) return;
    this.#loggedAtMs.set(fault, nowMs);
    this.#observer.log(level, message, { fault, reason: printable(reason) });
  }
}

/** What others sent goes into the log as visible ASCII, and not without end. */
function printable(text: string): string {
  const visible = text.replace(/[^\x20-\x7e]/g, "?");
  return visible.length > SHOWN_CHARACTERS ? `${visible.slice(0, SHOWN_CHARACTERS)}...` : visible;
}
