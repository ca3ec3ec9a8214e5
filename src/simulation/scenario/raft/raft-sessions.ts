import { raftRevisionOf } from "../../../built-ins.ts";
import type { Draw } from "../draw.ts";
import type { Violation } from "../strategy-scenario.ts";
import { earliestExpiryMs } from "./clock-spread.ts";
import type { RaftOperation } from "./raft-model.ts";

/** Of the seeds, so many have sessions; of their clients, so many. */
const SEEDS_WITH_SESSIONS = 0.6;
const SHARE_OF_CLIENTS = 0.6;
/** And of the operations of those, this share: the others go past the session. */
const SHARE_OF_OPERATIONS = 0.85;

/** One answer that a session got, about one key. */
interface SessionEvent {
  readonly client: string;
  readonly key: string;
  readonly type: "read" | "write";
  /** Undefined: nothing was found, or what was written is a delete whose version is not known. */
  readonly version: string | undefined;
  readonly node: string;
  readonly atMs: number;
}

/** The newest of a key that a session has met. */
interface Demand {
  readonly life: number;
  readonly revision: number;
  readonly by: SessionEvent;
}

/** What takes a key away: `since` says which revisions it may do that to. */
interface Removal {
  readonly key: string;
  /** Of the log, where the key was gone, or the value was put that went later; unknown: anywhere. */
  readonly revision: number | undefined;
  readonly fromMs: number;
}

/**
 * Clients that carry a token from node to node. What a session has read or written of a key is
 * there for its later reads, or something newer, at whatever level and node.
 */
export class RaftSessions {
  readonly #draw: Draw;
  readonly #isOn: boolean;
  readonly #tokens = new Map<string, string | undefined>();
  readonly #events: SessionEvent[] = [];

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#isOn = draw.chance(SEEDS_WITH_SESSIONS);
  }

  /** Answers that were given within some session. */
  get events(): number {
    return this.#events.length;
  }

  /** With which token the client's next operation goes; undefined if without. */
  tokenFor(client: string): string | undefined {
    if (!this.#isOn) return undefined;
    if (!this.#tokens.has(client)) {
      this.#tokens.set(client, this.#draw.chance(SHARE_OF_CLIENTS) ? "begin" : undefined);
    }
    const token = this.#tokens.get(client);
    return token !== undefined && this.#draw.chance(SHARE_OF_OPERATIONS) ? token : undefined;
  }

  /** An answer of the session, and the token that came with it. */
  note(token: string | undefined, event: SessionEvent): void {
    if (token !== undefined) this.#tokens.set(event.client, token);
    this.#events.push(event);
  }

  /** @param clockSpreadMs so much earlier than asked a value may expire. */
  judge(history: readonly RaftOperation[], clockSpreadMs: number): readonly Violation[] {
    const removals = history.flatMap((operation) => removalsBy(operation, clockSpreadMs));
    const demands = new Map<string, Demand>();
    return this.#events.flatMap((event): readonly Violation[] => {
      const { client, key, version } = event;
      const place = `${client} ${key}`;
      const demand = demands.get(place);
      const found = version === undefined ? undefined : raftRevisionOf(version);
      const isMet = demand === undefined || meets(event, found, demand, removals);
      if (found !== undefined && (demand === undefined || found.revision > demand.revision)) {
        demands.set(place, { life: found.lifeMark, revision: found.revision, by: event });
      }
      if (isMet) return [];
      const guarantee = demand.by.type === "write" ? "read-your-writes" : "monotonic-reads";
      const message = `${client} ${key}: ${say(event)} after ${say(demand.by)}`;
      return [{ check: guarantee, message }];
    });
  }
}

function meets(
  { type, key, atMs }: SessionEvent,
  found: { readonly lifeMark: number; readonly revision: number } | undefined,
  { life, revision }: Demand,
  removals: readonly Removal[],
): boolean {
  if (type === "write") return true;
  if (found !== undefined) return found.lifeMark === life && found.revision >= revision;
  return removals.some(
    (removal) =>
      removal.key === key && removal.fromMs <= atMs && (removal.revision ?? revision) >= revision,
  );
}

/** When the operation may have taken which keys away, or have put what went later by itself. */
function removalsBy(operation: RaftOperation, clockSpreadMs: number): readonly Removal[] {
  const { input, output, outcome, calledAtMs = 0 } = operation;
  if (input.type !== "write" || outcome === "not-applied" || output?.isDone === false) return [];
  const { version } = output ?? {};
  const revision = version === undefined ? undefined : raftRevisionOf(version)?.revision;
  return input.writes.flatMap(({ key, value }): readonly Removal[] => {
    if (value === undefined) return [{ key, revision, fromMs: calledAtMs }];
    if (input.ttlMs === undefined) return [];
    const fromMs = earliestExpiryMs(calledAtMs, input.ttlMs, clockSpreadMs);
    return [{ key, revision, fromMs }];
  });
}

function say({ type, version, node, atMs }: SessionEvent): string {
  const revision = version === undefined ? "nothing" : raftRevisionOf(version)?.revision;
  return `a ${type} of ${revision} at ${node} (${atMs.toFixed(1)} ms)`;
}
