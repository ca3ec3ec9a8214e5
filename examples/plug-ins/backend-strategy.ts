import { randomUUID } from "node:crypto";
import {
  type Cancellation,
  CapstanError,
  type Completion,
  type Engine,
  type EngineContext,
  type EngineStrategy,
  type Guarantee,
  type Operation,
  type OperationResult,
  type Outcome,
  type Receipt,
  type ScanCompletion,
  type ScanPage,
  type ScanRequest,
  type StrategyCapabilities,
} from "capstan/contracts";

/** What the engine leans on: a database that answers later, or never. Keys are hex digits. */
export interface Backend {
  get(key: string): Promise<Stored | undefined>;
  /** `value` undefined deletes. The same `id` again is the same write. Resolves to its version. */
  write(key: string, value: Uint8Array | undefined, id: string): Promise<string>;
  /** Entries with `from ≤ key < to`, in the order of their keys. */
  range(
    from: string,
    to: string | undefined,
  ): Promise<readonly (Stored & { readonly key: string })[]>;
}

export interface Stored {
  readonly value: Uint8Array;
  readonly version: string;
}

/** Time, as the engine needs it: the real one, or that of a test. */
export interface Timers {
  setTimer(delayMs: number, callback: () => void): unknown;
  clearTimer(timer: never): void;
}

export const BOUND = 1_000;
export const DEADLINE_MS = 500;
const LEVELS = ["strong"] as const;
const NO_VALUE = { value: undefined, siblings: undefined };

const CAPABILITIES: StrategyCapabilities = {
  ...{ readLevels: LEVELS, writeLevels: LEVELS, scanLevels: LEVELS },
  ...{ conditional: false, update: false, batch: false, ttl: false, watch: false, sessions: false },
  ...{ siblings: false, contexts: false, partitionPolicy: false, operationIds: false },
};

const GUARANTEES: readonly Guarantee[] = [
  {
    levels: LEVELS,
    promise: "What the backend promises: here, that every operation sees all that ended before it.",
    condition: "The backend answers.",
    notPromised: "Anything while it does not.",
    shownBy: "examples/plug-ins/backend-strategy.test.ts",
  },
];

/** A keyspace whose data lies in a system that is there already: `strategy: backendStrategy(…)`. */
export function backendStrategy(backend: Backend, timers: Timers): EngineStrategy {
  return {
    kind: "engine",
    name: "backend",
    capabilities: CAPABILITIES,
    guarantees: () => GUARANTEES,
    parseSettings: (options, path) => {
      for (const name of Object.keys(options)) {
        const message = `${path}.${name} is no option of the strategy backend; allowed: none`;
        throw new CapstanError("INVALID_CONFIGURATION", message);
      }
      return {};
    },
    openEngine: async (context) => new BackendEngine(backend, timers, context),
  };
}

/** One call under way: answered once, by whoever comes first. */
interface Pending {
  fail(code: "ABORTED" | "STORE_CLOSED" | "QUORUM_NOT_MET"): void;
}

class BackendEngine implements Engine {
  readonly capabilities = CAPABILITIES;
  readonly #backend: Backend;
  readonly #timers: Timers;
  readonly #context: EngineContext;
  readonly #pending = new Set<Pending>();
  #whenIdle: () => void = () => undefined;
  #isClosed = false;

  constructor(backend: Backend, timers: Timers, context: EngineContext) {
    this.#backend = backend;
    this.#timers = timers;
    this.#context = context;
  }

  execute(operation: Operation, done: Completion): Cancellation {
    const { type, value, deadlineMs } = operation;
    const key = Buffer.from(operation.key).toString("hex");
    if (type === "get") return this.#call(deadlineMs, undefined, done, () => this.#read(key));
    const id = this.mintOperationId();
    const stored = type === "put" ? value : undefined;
    return this.#call(deadlineMs, id, done, async () => ({
      version: await this.#backend.write(key, stored, id),
      receipt: this.#receipt(),
    }));
  }

  scan(request: ScanRequest, done: ScanCompletion): Cancellation {
    return this.#call(request.deadlineMs, undefined, done, () => this.#page(request));
  }

  readNow(): OperationResult | undefined {
    return undefined;
  }

  watch(): Cancellation {
    throw new CapstanError("NOT_SUPPORTED", "the strategy backend has no watches");
  }

  mintOperationId(): string {
    return randomUUID();
  }

  resolve(_operationId: string, done: (outcome: Outcome) => void): void {
    done("unknown");
  }

  isReady(): boolean {
    return !this.#isClosed;
  }

  describe(): Readonly<Record<string, unknown>> {
    return { pending: this.#pending.size };
  }

  guarantees(): readonly Guarantee[] {
    return GUARANTEES;
  }

  async close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void> {
    this.#isClosed = true;
    if (options.drain && this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#timers.setTimer(options.timeoutMs, resolve);
        this.#whenIdle = () => {
          this.#timers.clearTimer(timer as never);
          resolve();
        };
      });
    }
    for (const pending of [...this.#pending]) pending.fail("STORE_CLOSED");
  }

  /** `id`: of a write, which may take effect although nobody has heard of it. */
  #call<Result>(
    deadlineMs: number | undefined,
    id: string | undefined,
    done: { succeed(result: Result): void; fail(fault: CapstanError): void },
    ask: () => Promise<Result>,
  ): Cancellation {
    const refuse = (code: "STORE_CLOSED" | "OVERLOADED" | "UNAVAILABLE", message: string) => {
      done.fail(new CapstanError(code, message));
      return { cancel: () => undefined };
    };
    if (this.#isClosed) return refuse("STORE_CLOSED", "the keyspace is closed");
    if (this.#pending.size >= BOUND) return refuse("OVERLOADED", `${BOUND} calls are under way`);
    const leftMs = deadlineMs === undefined ? DEADLINE_MS : deadlineMs - this.#context.nowMs();
    if (leftMs <= 0) return refuse("UNAVAILABLE", "the deadline has passed, and nothing was sent");
    const end = (answer: () => void): void => {
      if (!this.#pending.delete(pending)) return;
      this.#timers.clearTimer(timer as never);
      answer();
      if (this.#pending.size === 0) this.#whenIdle();
    };
    const pending: Pending = { fail: (code) => end(() => done.fail(faultOf(code, id))) };
    const timer = this.#timers.setTimer(leftMs, () => pending.fail("QUORUM_NOT_MET"));
    this.#pending.add(pending);
    ask().then(
      (result) => end(() => done.succeed(result)),
      () => pending.fail("QUORUM_NOT_MET"),
    );
    return { cancel: () => pending.fail("ABORTED") };
  }

  async #read(key: string): Promise<OperationResult> {
    const stored = await this.#backend.get(key);
    const receipt = this.#receipt();
    if (stored === undefined) return { ...NO_VALUE, found: false, version: undefined, receipt };
    return { ...NO_VALUE, ...stored, found: true, receipt };
  }

  async #page({ range, limit }: ScanRequest): Promise<ScanPage> {
    const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex");
    const entries = await this.#backend.range(hex(range.from) ?? "", hex(range.to));
    const page = entries
      .slice(0, limit)
      .map(({ key, ...rest }) => ({ ...NO_VALUE, ...rest, key: bytesOf(key) }));
    const continueAfter = entries.length > limit ? page.at(-1)?.key : undefined;
    return { entries: page, continueAfter, receipt: this.#receipt() };
  }

  #receipt(): Receipt {
    return {
      ...{ asked: "strong", achieved: "strong", consistent: true, pendingSync: false },
      ...{ replicas: { total: 1, answered: 1, durable: 1, standIns: 0 } },
      ...{ repaired: 0, epoch: 1, durationMs: 0 },
    };
  }
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

function faultOf(code: "ABORTED" | "STORE_CLOSED" | "QUORUM_NOT_MET", id: string | undefined) {
  if (id === undefined) return new CapstanError(code, "the backend has not answered");
  const message = "the backend has not answered: the write may or may not take effect";
  return new CapstanError("OUTCOME_UNKNOWN", message, { operationId: id });
}
