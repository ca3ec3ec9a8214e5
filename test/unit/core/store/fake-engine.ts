import type {
  Cancellation,
  Completion,
  Engine,
  EngineStrategy,
  ScanCompletion,
  StrategyCapabilities,
  WatchRequest,
} from "../../../../src/core/contracts/strategy.ts";
import type { ResolvedKeyspace } from "../../../../src/core/model/configuration-types.ts";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import { keyspaceHash } from "../../../../src/core/model/hash.ts";
import { compareBytes } from "../../../../src/core/model/keys.ts";
import type { Level } from "../../../../src/core/model/levels.ts";
import { encodeOperationId } from "../../../../src/core/model/operation-id.ts";
import type {
  EngineChange,
  Operation,
  OperationResult,
  ReadResult,
  ScanRequest,
} from "../../../../src/core/model/operations.ts";
import type { Outcome } from "../../../../src/core/model/outcome.ts";
import type { Receipt } from "../../../../src/core/model/receipt.ts";
import type { EmbeddedKeyspace } from "../../../../src/core/store/api.ts";
import { KeyspaceHandle } from "../../../../src/core/store/keyspace-handle.ts";
import { Lifecycle } from "../../../../src/core/store/lifecycle.ts";
import { OperationMaker } from "../../../../src/core/store/operation-maker.ts";
import { checkingSchemaOf } from "../../../../src/core/store/value-schema.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

export const EVERYTHING: StrategyCapabilities = Object.freeze({
  readLevels: ["one", "quorum", "strong"] as const,
  writeLevels: ["one", "quorum"] as const,
  scanLevels: ["one", "quorum"] as const,
  conditional: true,
  update: true,
  batch: true,
  ttl: true,
  watch: true,
  sessions: true,
  siblings: true,
  partitionPolicy: false,
  operationIds: true,
  contexts: true,
});

/** As little as a strategy can offer. */
export const NOTHING_MORE: StrategyCapabilities = Object.freeze({
  ...EVERYTHING,
  ...{ conditional: false, update: false, batch: false, ttl: false, watch: false },
  ...{ sessions: false, siblings: false, operationIds: false, contexts: false },
});

interface Held {
  readonly operation: Operation;
  readonly done: Completion;
  cancelled: boolean;
}

interface Stored {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly version: string;
}

/** A whole engine in one map: answers at once, or holds operations until the test lets them go. */
export class FakeEngine implements Engine {
  readonly capabilities: StrategyCapabilities;
  readonly executed: Operation[] = [];
  readonly held: Held[] = [];
  readonly scans: ScanRequest[] = [];
  readonly sinks = new Set<(change: EngineChange) => void>();
  readonly watches: WatchRequest[] = [];
  /** Ends the watches that are open. */
  endWatches: (fault?: CapstanError) => void = () => undefined;
  hold = false;
  /** What it takes at once while it holds; above it operations are refused. */
  limit = Number.POSITIVE_INFINITY;
  holdScans = false;
  answersNow = false;
  ready = true;
  outcome: Outcome = "applied";
  closed: { readonly drain: boolean; readonly timeoutMs: number } | undefined;
  mostHeld = 0;
  readonly #entries = new Map<string, Stored>();
  readonly #hash: number;
  #versions = 0;
  #ids = 0;

  constructor(capabilities: StrategyCapabilities = EVERYTHING, hash = keyspaceHash("things")) {
    this.capabilities = capabilities;
    this.#hash = hash;
  }

  execute(operation: Operation, done: Completion): Cancellation {
    this.executed.push(operation);
    if (this.held.length >= this.limit) {
      done.fail(new CapstanError("OVERLOADED", "too many"));
      return { cancel: () => undefined };
    }
    const held: Held = { operation, done, cancelled: false };
    if (!this.hold) {
      done.succeed(this.#apply(operation));
      return { cancel: () => undefined };
    }
    this.held.push(held);
    this.mostHeld = Math.max(this.mostHeld, this.held.length);
    return {
      cancel: () => {
        if (held.cancelled || !this.held.includes(held)) return;
        held.cancelled = true;
        this.held.splice(this.held.indexOf(held), 1);
        done.fail(new CapstanError("OUTCOME_UNKNOWN", "cancelled", { operationId: "id" }));
      },
    };
  }

  /** Answers the operation that waits longest. */
  release(fault?: CapstanError): void {
    const held = this.held.shift();
    if (held === undefined) throw new Error("nothing is held");
    if (fault !== undefined) held.done.fail(fault);
    else held.done.succeed(this.#apply(held.operation));
  }

  readNow(operation: Operation): OperationResult | undefined {
    return this.answersNow ? this.#read(operation) : undefined;
  }

  scan(request: ScanRequest, done: ScanCompletion): Cancellation {
    this.scans.push(request);
    if (this.holdScans) {
      return { cancel: () => done.fail(new CapstanError("ABORTED", "cancelled")) };
    }
    const { from, to } = request.range;
    const inRange = [...this.#entries.values()]
      .filter(({ key }) => from === undefined || compareBytes(key, from) >= 0)
      .filter(({ key }) => to === undefined || compareBytes(key, to) < 0)
      .sort((a, b) => compareBytes(a.key, b.key));
    const entries = inRange
      .slice(0, request.limit)
      .map(({ key, value, version }) => ({ key, value, siblings: undefined, version }));
    const continueAfter = inRange.length > request.limit ? entries.at(-1)?.key : undefined;
    done.succeed({ entries, continueAfter, receipt: receiptAt(request.level) });
    return { cancel: () => undefined };
  }

  watch(
    request: WatchRequest,
    sink: (change: EngineChange) => void,
    end: (fault: CapstanError | undefined) => void,
  ): Cancellation {
    this.watches.push(request);
    this.sinks.add(sink);
    this.endWatches = end;
    return { cancel: () => this.sinks.delete(sink) };
  }

  change(change: Partial<EngineChange>): void {
    for (const sink of this.sinks) {
      sink({
        ...{ type: "put", shardIndex: 0, key: undefined, value: undefined, version: undefined },
        ...{ cursor: "c" },
        ...change,
      });
    }
  }

  mintOperationId(): string {
    const stamp = { time: ++this.#ids, actorHigh: 0, actorLow: 0 };
    return encodeOperationId({ keyspaceHash: this.#hash, stamp, key: undefined });
  }

  resolve(_operationId: string, done: (outcome: Outcome) => void): void {
    done(this.outcome);
  }

  isReady(): boolean {
    return this.ready;
  }

  describe(): Readonly<Record<string, unknown>> {
    return { entries: this.#entries.size };
  }

  guarantees(): readonly [] {
    return [];
  }

  async close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void> {
    this.closed ??= options;
  }

  /** The session has seen every version that there is by now. */
  #inSession<R extends OperationResult>(operation: Operation, result: R): R {
    if (operation.options?.session === undefined) return result;
    return { ...result, session: new Map([["", this.#versions]]) };
  }

  #apply(operation: Operation): OperationResult {
    return this.#inSession(operation, this.#applied(operation));
  }

  #applied(operation: Operation): OperationResult {
    const text = Buffer.from(operation.key).toString("latin1");
    if (operation.type === "get") return this.#read(operation);
    if (operation.type === "batch") {
      for (const member of operation.options?.batch ?? []) this.#apply(member);
    }
    const rejected = this.#rejection(operation);
    const receipt = receiptAt(operation.level);
    if (rejected !== undefined) return { version: "", receipt, rejected };
    const version = `v${++this.#versions}`;
    const { key, value } = operation;
    if (operation.type === "delete") this.#entries.delete(text);
    else if (value !== undefined) this.#entries.set(text, { key, value, version });
    return { version, receipt };
  }

  #rejection(operation: Operation) {
    const current = this.#read(operation);
    const { ifVersion, ifAbsent } = operation.options ?? {};
    if (ifAbsent === true && current.found) return { reason: "exists" as const, current };
    if (ifVersion === undefined || ifVersion === current.version) return undefined;
    return {
      reason: current.found ? ("version-mismatch" as const) : ("absent" as const),
      current,
    };
  }

  #read(operation: Operation): ReadResult {
    const entry = this.#entries.get(Buffer.from(operation.key).toString("latin1"));
    return this.#inSession(operation, {
      found: entry !== undefined,
      value: entry?.value,
      siblings: undefined,
      version: entry?.version,
      receipt: receiptAt(operation.level),
    });
  }
}

export function receiptAt(level: Level): Receipt {
  return {
    ...{ asked: level, achieved: level, consistent: true, pendingSync: false, repaired: 0 },
    replicas: { total: 1, answered: 1, durable: 1, standIns: 0 },
    ...{ epoch: 1, durationMs: 0 },
  };
}

export interface Bench {
  readonly engine: FakeEngine;
  readonly keyspace: EmbeddedKeyspace & KeyspaceHandle;
  readonly lifecycle: Lifecycle;
  readonly time: VirtualTime;
  readonly environment: VirtualEnvironment;
}

export const RESOLVED_KEYSPACE: ResolvedKeyspace = Object.freeze({
  ...{ name: "things", hash: keyspaceHash("things"), strategy: "fake", replicas: 1, shards: 16 },
  ...{ durability: "memory" as const, groupBy: "whole" as const, maxValueBytes: 1_000 },
  ...{ schema: undefined, resolver: undefined, strategyOptions: {} },
});

/** A keyspace over a fake engine, as a store would open it. */
export function openBench(
  capabilities: StrategyCapabilities = EVERYTHING,
  keyspace: Partial<ResolvedKeyspace> & { readonly scanPage?: number } = {},
): Bench {
  const { scanPage = 100, ...changes } = keyspace;
  const resolved = { ...RESOLVED_KEYSPACE, ...changes };
  const engine = new FakeEngine(capabilities, resolved.hash);
  const time = new VirtualTime();
  const environment = new VirtualEnvironment({ time });
  const lifecycle = new Lifecycle();
  lifecycle.advance("ready");
  const defaults = { read: "quorum", write: "quorum" } as const;
  const handle = new KeyspaceHandle({
    ...{ name: resolved.name, hash: resolved.hash, engine, lifecycle, environment, scanPage },
    maker: new OperationMaker(resolved, capabilities, defaults, environment),
    schema: checkingSchemaOf(resolved.schema, "keyspaces.things.schema"),
    maxTimeoutMs: 60_000,
  });
  return { engine, keyspace: handle, lifecycle, time, environment };
}

/** A strategy of a plug-in that brings its own engine. */
export function fakeStrategy(engines: FakeEngine[]): EngineStrategy & { readonly name: "fake" } {
  return {
    name: "fake",
    kind: "engine",
    capabilities: EVERYTHING,
    parseSettings: (options) => ({ read: "one", ...options }),
    guarantees: () => [],
    openEngine: async (context) => {
      const engine = new FakeEngine(EVERYTHING, context.keyspaceHash);
      engines.push(engine);
      return engine;
    },
  };
}
