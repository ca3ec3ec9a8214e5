import type { Environment, TimerHandle } from "../../src/core/contracts/environment.ts";
import type {
  Cancellation,
  Completion,
  Engine,
  Guarantee,
  ScanCompletion,
  StrategyCapabilities,
} from "../../src/core/contracts/strategy.ts";
import { CapstanError, type ErrorCode } from "../../src/core/model/errors.ts";
import type {
  Operation,
  OperationResult,
  ScanPage,
  ScanRequest,
} from "../../src/core/model/operations.ts";
import type { Outcome } from "../../src/core/model/outcome.ts";
import type { Receipt } from "../../src/core/model/receipt.ts";

const BOUND = 40;
const OWN_DEADLINE_MS = 200;
const TRIP_MS = 5;
const LEVELS = ["quorum"] as const;

const CAPABILITIES: StrategyCapabilities = {
  readLevels: LEVELS,
  writeLevels: LEVELS,
  scanLevels: LEVELS,
  conditional: false,
  update: false,
  batch: false,
  ttl: false,
  watch: false,
  sessions: false,
  siblings: false,
  contexts: false,
  partitionPolicy: false,
  operationIds: true,
};

interface Stored {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly version: string;
}

/** An operation or scan under way: answered once, by whoever comes first. */
interface Pending {
  /** Undefined for what changes nothing. */
  readonly operationId: string | undefined;
  readonly fail: (fault: CapstanError) => void;
  timer: TimerHandle | undefined;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/**
 * A small engine that keeps its contract: the data lies with one far server, a trip away. While it
 * is cut off nothing comes back, though every other write still arrives: whoever waits for its
 * answer cannot know.
 */
export class SimulatedEngine implements Engine {
  readonly capabilities = CAPABILITIES;
  readonly bound = BOUND;
  readonly ownDeadlineMs = OWN_DEADLINE_MS;
  isCut = false;
  readonly #environment: Environment;
  readonly #stored = new Map<string, Stored>();
  /** Operation id → version: a write that comes again is the same write. */
  readonly #applied = new Map<string, string>();
  readonly #pending = new Set<Pending>();
  #minted = 0;
  #versions = 0;
  #sentWhileCut = 0;
  #isClosed = false;
  #whenIdle: () => void = () => undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  execute(operation: Operation, done: Completion): Cancellation {
    const isWrite = operation.type !== "get";
    const id = isWrite ? (operation.operationId ?? this.mintOperationId()) : undefined;
    return this.#request(operation.deadlineMs, id, done, () =>
      isWrite ? this.#apply(operation, id as string) : this.#read(operation),
    );
  }

  scan(request: ScanRequest, done: ScanCompletion): Cancellation {
    return this.#request(request.deadlineMs, undefined, done, () => this.#page(request));
  }

  readNow(): OperationResult | undefined {
    return undefined;
  }

  watch(): Cancellation {
    return { cancel: () => undefined };
  }

  mintOperationId(): string {
    this.#minted += 1;
    return `operation-${this.#minted}`;
  }

  resolve(operationId: string, done: (outcome: Outcome) => void): void {
    done(this.#applied.has(operationId) ? "applied" : "unknown");
  }

  isReady(): boolean {
    return !this.#isClosed;
  }

  describe(): Readonly<Record<string, unknown>> {
    return { keys: this.#stored.size, pending: this.#pending.size };
  }

  guarantees(): readonly Guarantee[] {
    return [
      {
        levels: LEVELS,
        promise: "every operation sees all that were answered before it",
        condition: "the server answers",
        notPromised: "availability without the server",
        shownBy: "test/conformance/engine.test.ts",
      },
    ];
  }

  async close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void> {
    this.#isClosed = true;
    if (options.drain && this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#environment.setTimer(options.timeoutMs, resolve);
        this.#whenIdle = () => {
          this.#environment.clearTimer(timer);
          resolve();
        };
      });
    }
    for (const pending of [...this.#pending]) this.#giveUp(pending, "STORE_CLOSED");
  }

  #request<Result>(
    deadlineMs: number | undefined,
    operationId: string | undefined,
    done: { succeed(result: Result): void; fail(fault: CapstanError): void },
    serve: () => Result,
  ): Cancellation {
    const refusal = this.#refusal(deadlineMs);
    if (refusal !== undefined) {
      done.fail(refusal);
      return { cancel: () => undefined };
    }
    const pending: Pending = { operationId, fail: (fault) => done.fail(fault), timer: undefined };
    this.#pending.add(pending);
    const leftMs = deadlineMs && deadlineMs - this.#environment.monotonicMs();
    pending.timer = this.#environment.setTimer(leftMs ?? OWN_DEADLINE_MS, () =>
      this.#giveUp(pending, "QUORUM_NOT_MET"),
    );
    this.#send(() => {
      const result = serve();
      this.#reply(() => {
        if (this.#end(pending)) done.succeed(result);
      });
    });
    return { cancel: () => this.#giveUp(pending, "ABORTED") };
  }

  #refusal(deadlineMs: number | undefined): CapstanError | undefined {
    if (this.#isClosed) return new CapstanError("STORE_CLOSED", "the engine is closed");
    if (this.#pending.size >= BOUND) return new CapstanError("OVERLOADED", `${BOUND} at once`);
    const isLate = deadlineMs !== undefined && deadlineMs <= this.#environment.monotonicMs();
    return isLate ? new CapstanError("UNAVAILABLE", "the deadline has passed") : undefined;
  }

  #send(arrive: () => void): void {
    if (this.isCut) {
      this.#sentWhileCut += 1;
      if (this.#sentWhileCut % 2 === 0) return;
    }
    this.#environment.setTimer(TRIP_MS, arrive);
  }

  #reply(arrive: () => void): void {
    if (!this.isCut) this.#environment.setTimer(TRIP_MS, arrive);
  }

  /** False if it was answered before. */
  #end(pending: Pending): boolean {
    if (!this.#pending.delete(pending)) return false;
    if (pending.timer !== undefined) this.#environment.clearTimer(pending.timer);
    if (this.#pending.size === 0) this.#whenIdle();
    return true;
  }

  #giveUp(pending: Pending, code: ErrorCode): void {
    if (!this.#end(pending)) return;
    const { operationId } = pending;
    const fault =
      operationId === undefined
        ? new CapstanError(code, "the read got no answer")
        : new CapstanError("OUTCOME_UNKNOWN", "the write got no answer", { operationId });
    pending.fail(fault);
  }

  #apply(operation: Operation, id: string): OperationResult {
    let version = this.#applied.get(id);
    if (version === undefined) {
      this.#versions += 1;
      version = `v${this.#versions}`;
      this.#applied.set(id, version);
      const { key, value } = operation;
      this.#stored.set(hex(key), { key, value, version });
    }
    return { version, receipt: this.#receipt() };
  }

  #read(operation: Operation): OperationResult {
    const stored = this.#stored.get(hex(operation.key));
    const value = stored?.value;
    const version = stored?.version;
    return {
      found: value !== undefined,
      value,
      siblings: undefined,
      version,
      receipt: this.#receipt(),
    };
  }

  #page(request: ScanRequest): ScanPage {
    const from = hex(request.range.from ?? new Uint8Array(0));
    const to = request.range.to && hex(request.range.to);
    const keys = [...this.#stored]
      .filter(([key, { value }]) => value && key >= from && (to === undefined || key < to))
      .map(([key]) => key)
      .sort();
    const entries = keys.slice(0, request.limit).map((each) => {
      const { key, value, version } = this.#stored.get(each) as Stored;
      return { key, value, siblings: undefined, version };
    });
    const continueAfter = keys.length > entries.length ? entries.at(-1)?.key : undefined;
    return { entries, continueAfter, receipt: this.#receipt() };
  }

  #receipt(): Receipt {
    return {
      asked: "quorum",
      achieved: "quorum",
      consistent: true,
      replicas: { total: 1, answered: 1, durable: 1, standIns: 0 },
      pendingSync: false,
      repaired: 0,
      epoch: 1,
      durationMs: 2 * TRIP_MS,
    };
  }
}
