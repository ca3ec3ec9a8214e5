import { type KeyValueOperation, keysOf } from "./operation.ts";
import { stampOrder, type VersionOrder } from "./version-order.ts";

/** The four of Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", 1994, §3. */
export type SessionGuarantee =
  | "read-your-writes"
  | "monotonic-reads"
  | "monotonic-writes"
  | "writes-follow-reads";

export interface SessionViolation {
  readonly guarantee: SessionGuarantee;
  readonly client: string;
  readonly key: string;
  /** What the client had read or written before. */
  readonly earlier: KeyValueOperation;
  /** What should have been at least as new (a read), or newer (a write). */
  readonly later: KeyValueOperation;
}

export interface SessionResult {
  /** `unknown`: nothing could be judged, because no operation carries a version. */
  readonly verdict: "legal" | "illegal" | "unknown";
  /** Operations that were compared with what their client had done before. */
  readonly judged: number;
  /** Operations of the kinds that matter which say no version: they neither demand nor show any. */
  readonly unjudged: number;
  /** In the order of the calls of the later operations; one for each of those. */
  readonly violations: readonly SessionViolation[];
}

export interface SessionOptions {
  /** Of the versions that the answers carry. Default: `stampOrder`. */
  readonly order?: VersionOrder;
}

/** A client's read is at least as new as each of its writes of that key before. */
export function checkReadYourWrites(
  history: readonly KeyValueOperation[],
  options: SessionOptions = {},
): SessionResult {
  return new SessionCheck("read-your-writes", options).run(history);
}

/** A client's read is at least as new as each of its reads of that key before. */
export function checkMonotonicReads(
  history: readonly KeyValueOperation[],
  options: SessionOptions = {},
): SessionResult {
  return new SessionCheck("monotonic-reads", options).run(history);
}

/** A client's write is newer than each of its writes of that key before. */
export function checkMonotonicWrites(
  history: readonly KeyValueOperation[],
  options: SessionOptions = {},
): SessionResult {
  return new SessionCheck("monotonic-writes", options).run(history);
}

/** A client's write is newer than whatever it had read of that key before. */
export function checkWritesFollowReads(
  history: readonly KeyValueOperation[],
  options: SessionOptions = {},
): SessionResult {
  return new SessionCheck("writes-follow-reads", options).run(history);
}

interface Rule {
  /** The kind of operation that demands something of what comes later. */
  readonly demands: "read" | "write";
  /** The kind that has to meet it: reads by being no older, writes by being newer. */
  readonly meets: "read" | "write";
}

const RULES: Readonly<Record<SessionGuarantee, Rule>> = Object.freeze({
  "read-your-writes": { demands: "write", meets: "read" },
  "monotonic-reads": { demands: "read", meets: "read" },
  "monotonic-writes": { demands: "write", meets: "write" },
  "writes-follow-reads": { demands: "read", meets: "write" },
});

interface Demand {
  readonly version: string;
  readonly operation: KeyValueOperation;
}

/** What is older than everything: a read that found nothing, and no deletion either. */
const NOTHING = Symbol("nothing");

class SessionCheck {
  readonly #guarantee: SessionGuarantee;
  readonly #order: VersionOrder;
  readonly #violations: SessionViolation[] = [];
  readonly #deletedSince = new Map<string, number>();
  #judged = 0;
  #unjudged = 0;

  constructor(guarantee: SessionGuarantee, { order = stampOrder }: SessionOptions) {
    this.#guarantee = guarantee;
    this.#order = order;
  }

  run(history: readonly KeyValueOperation[]): SessionResult {
    for (const operation of history) this.#noteDeletion(operation);
    for (const session of sessionsOf(history)) this.#checkSession(session);
    const violations = this.#violations.sort((a, b) => a.later.calledAt - b.later.calledAt);
    const verdict = violations.length > 0 ? "illegal" : this.#verdictWithoutViolations();
    return { verdict, judged: this.#judged, unjudged: this.#unjudged, violations };
  }

  #verdictWithoutViolations(): "legal" | "unknown" {
    return this.#judged === 0 && this.#unjudged > 0 ? "unknown" : "legal";
  }

  /**
   * Calls and returns of one client's operations on one key, in order: what returned before an
   * operation was called binds it, and nothing else does.
   */
  #checkSession({ key, operations }: Session): void {
    const rule = RULES[this.#guarantee];
    let demands: readonly Demand[] = [];
    const atCall = new Map<KeyValueOperation, readonly Demand[]>();
    for (const { operation, isCall } of eventsOf(operations)) {
      const kind = operation.input.type === "get" ? "read" : "write";
      if (isCall && kind === rule.meets) atCall.set(operation, demands);
      if (isCall) continue;
      if (kind !== rule.meets && kind !== rule.demands) continue;
      const version = this.#versionOf(operation, key);
      if (version === undefined) this.#unjudged += 1;
      else if (kind === rule.meets) this.#judge(operation, key, version, atCall.get(operation));
      if (kind === rule.demands && typeof version === "string") {
        demands = this.#withDemand(demands, { version, operation });
      }
    }
  }

  #judge(
    later: KeyValueOperation,
    key: string,
    version: string | typeof NOTHING,
    demands: readonly Demand[] = [],
  ): void {
    this.#judged += 1;
    const unmet = demands.find((demand) => !this.#isMet(demand.version, version));
    if (unmet === undefined) return;
    const { client } = later;
    const earlier = unmet.operation;
    this.#violations.push({ guarantee: this.#guarantee, client, key, earlier, later });
  }

  #isMet(demanded: string, version: string | typeof NOTHING): boolean {
    if (version === NOTHING) return false;
    const compared = this.#order(version, demanded);
    if (compared === undefined) return false;
    return RULES[this.#guarantee].meets === "read" ? compared >= 0 : compared > 0;
  }

  /** Only the newest are kept: what meets them meets what they replaced. */
  #withDemand(demands: readonly Demand[], added: Demand): readonly Demand[] {
    const isKept = ({ version }: Demand): boolean =>
      !((this.#order(added.version, version) ?? -1) >= 0);
    const isCovered = demands.some(
      ({ version }) => (this.#order(version, added.version) ?? -1) >= 0,
    );
    return isCovered ? demands : [...demands.filter(isKept), added];
  }

  /** Undefined: it says nothing of its version. */
  #versionOf(operation: KeyValueOperation, key: string): string | typeof NOTHING | undefined {
    const { input, output, returnedAt } = operation;
    if (output?.version !== undefined) return output.version;
    const foundNothing = output?.value === undefined && output?.siblings === undefined;
    if (input.type !== "get" || output === undefined || !foundNothing) return undefined;
    // A deletion may be forgotten once every replica has it: nothing is newer then.
    const deletedAt = this.#deletedSince.get(key);
    return deletedAt === undefined || deletedAt > returnedAt ? NOTHING : undefined;
  }

  #noteDeletion({ input, outcome, calledAt }: KeyValueOperation): void {
    if (outcome === "not-applied" || input.type === "get" || input.type === "put") return;
    const deleted = input.type === "delete" ? [input] : input.writes.filter(isDeletion);
    for (const { key } of deleted) {
      const since = this.#deletedSince.get(key);
      this.#deletedSince.set(key, Math.min(since ?? calledAt, calledAt));
    }
  }
}

function isDeletion({ value }: { readonly value: unknown }): boolean {
  return value === undefined;
}

interface Session {
  readonly key: string;
  readonly operations: readonly KeyValueOperation[];
}

/** What each client did with each key, and what became of it. */
function sessionsOf(history: readonly KeyValueOperation[]): Iterable<Session> {
  const sessions = new Map<string, { key: string; operations: KeyValueOperation[] }>();
  for (const operation of history) {
    if (operation.outcome !== "applied") continue;
    for (const key of new Set(keysOf(operation.input))) {
      const name = JSON.stringify([operation.client, key]);
      const session = sessions.get(name) ?? { key, operations: [] };
      sessions.set(name, session);
      session.operations.push(operation);
    }
  }
  return sessions.values();
}

interface SessionEvent {
  readonly operation: KeyValueOperation;
  readonly isCall: boolean;
  readonly at: number;
}

function eventsOf(operations: readonly KeyValueOperation[]): readonly SessionEvent[] {
  return operations
    .flatMap((operation): SessionEvent[] => [
      { operation, isCall: true, at: operation.calledAt },
      { operation, isCall: false, at: operation.returnedAt },
    ])
    .sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall));
}
