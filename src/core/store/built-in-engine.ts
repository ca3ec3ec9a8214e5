import type { Clocks, CoordinatorMachine } from "../contracts/machine.ts";
import { StateDamageError } from "../contracts/storage.ts";
import type {
  Cancellation,
  Completion,
  Engine,
  Guarantee,
  ScanCompletion,
  SilentStrategy,
  StrategyCapabilities,
  WatchRequest,
} from "../contracts/strategy.ts";
import { CapstanError, overloaded } from "../model/errors.ts";
import type { Level } from "../model/levels.ts";
import type {
  EngineChange,
  Operation,
  OperationResult,
  ResolveResult,
  ScanRequest,
} from "../model/operations.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ShardLack } from "../model/shard-lack.ts";
import { NOT_YET } from "./event-inbox.ts";
import type { MachineCell } from "./machine-cell.ts";
import type { MachineRunner } from "./machine-runner.ts";
import { PendingRequest, PendingScan, type RequestTable } from "./request-table.ts";

const NOTHING_TO_CANCEL: Cancellation = Object.freeze({ cancel: () => undefined });
const NOT_OPEN: ShardLack = Object.freeze({ reason: "not-ready", missing: [], isHeld: false });
const NO_KEY = new Uint8Array(0);

export interface BuiltInEngineOptions {
  readonly strategy: SilentStrategy;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly coordinator: MachineCell;
  readonly requests: RequestTable;
  readonly runner: MachineRunner;
  readonly operationsInFlight: number;
  /** Bound of the values under way together. */
  readonly bytesInFlight: number;
  readonly clocks: Clocks;
  /** Why nothing can be taken now; undefined if it can. */
  readonly refusal: () => CapstanError | undefined;
  /** Why no write can be taken now, though reads can. */
  readonly writeRefusal: () => CapstanError | undefined;
  /** Whether `refusal` has nothing to say, without making the words. */
  readonly isOpen: () => boolean;
  /** What `readNow` met: the read then goes the long way, past the fenced replica. */
  readonly onDamage: (error: StateDamageError) => void;
  readonly subscribe: Engine["watch"];
  readonly describe: () => Readonly<Record<string, unknown>>;
  readonly drain: (options: {
    readonly drain: boolean;
    readonly timeoutMs: number;
  }) => Promise<void>;
}

/** The engine of every strategy that is made of silent machines: a door to its coordinator. */
export class BuiltInEngine implements Engine {
  readonly capabilities: StrategyCapabilities;
  readonly #options: BuiltInEngineOptions;
  readonly #coordinator: MachineCell;
  readonly #requests: RequestTable;
  readonly #runner: MachineRunner;
  readonly #limit: number;
  #closed = false;
  readonly #cancelled: (pending: PendingRequest | PendingScan) => void;

  constructor(options: BuiltInEngineOptions) {
    this.#options = options;
    this.capabilities = options.strategy.capabilities;
    this.#coordinator = options.coordinator;
    this.#requests = options.requests;
    this.#runner = options.runner;
    this.#limit = options.operationsInFlight;
    this.#cancelled = (pending) => {
      this.#runner.run(this.#coordinator, { type: "aborted", request: pending });
    };
  }

  execute(operation: Operation, done: Completion): Cancellation {
    const refusal = this.#refusal() ?? this.#writeRefusal(operation);
    if (refusal !== undefined) {
      done.fail(refusal);
      return NOTHING_TO_CANCEL;
    }
    const nowMs = this.#options.clocks.monotonicMs();
    const deadlineMs =
      operation.deadlineMs ??
      nowMs + this.#options.strategy.deadlineMs(operation, this.#options.settings);
    const id = this.#requests.nextId();
    const request = new PendingRequest(id, operation, nowMs, deadlineMs, done, this.#cancelled);
    this.#requests.add(request);
    this.#runner.run(this.#coordinator, {
      type: "operation",
      request,
      nowMs: NOT_YET,
      wallMs: NOT_YET,
    });
    return request;
  }

  readNow(operation: Operation): OperationResult | undefined {
    if (this.#closed || !this.#options.isOpen()) return undefined;
    try {
      return this.#machine().readNow(operation, this.#options.clocks);
    } catch (error) {
      if (!(error instanceof StateDamageError)) throw error;
      this.#options.onDamage(error);
      return undefined;
    }
  }

  scan(request: ScanRequest, done: ScanCompletion): Cancellation {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      done.fail(refusal);
      return NOTHING_TO_CANCEL;
    }
    const nowMs = this.#options.clocks.monotonicMs();
    const deadlineMs =
      request.deadlineMs ??
      nowMs + this.#options.strategy.deadlineMs(request, this.#options.settings);
    const id = this.#requests.nextId();
    const task = new PendingScan(id, request, nowMs, deadlineMs, done, this.#cancelled);
    this.#requests.add(task);
    this.#runner.run(this.#coordinator, { type: "scan", task });
    return task;
  }

  watch(
    request: WatchRequest,
    sink: (change: EngineChange) => void,
    end: (fault: CapstanError | undefined) => void,
  ): Cancellation {
    return this.#options.subscribe(request, sink, end);
  }

  mintOperationId(): string {
    const id = this.#machine().mintOperationId(
      this.#options.clocks.monotonicMs(),
      this.#options.clocks.wallMs(),
    );
    this.#runner.noteClock();
    return id;
  }

  resolve(operationId: string, done: (outcome: Outcome) => void): void {
    const operation: Operation = {
      type: "resolve",
      key: NO_KEY,
      shardIndex: 0,
      value: undefined,
      level: "quorum",
      operationId,
      deadlineMs: undefined,
      options: undefined,
    };
    this.execute(operation, {
      succeed: (result) => done((result as ResolveResult).outcome),
      fail: () => done("unknown"),
    });
  }

  isReady(level: Level): boolean {
    return !this.#closed && this.#options.isOpen() && this.#machine().isReady(level);
  }

  lackOf(shardIndex: number, level: Level, side: "read" | "write"): ShardLack | undefined {
    if (this.#closed || !this.#options.isOpen()) return NOT_OPEN;
    const machine = this.#machine();
    if (machine.lackOf !== undefined) return machine.lackOf(shardIndex, level, side);
    return machine.isReady(level) ? undefined : NOT_OPEN;
  }

  describe(): Readonly<Record<string, unknown>> {
    return this.#options.describe();
  }

  guarantees(): readonly Guarantee[] {
    return this.#options.strategy.guarantees();
  }

  close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void> {
    this.#closed = true;
    return this.#options.drain(options);
  }

  #refusal(): CapstanError | undefined {
    if (this.#requests.size >= this.#limit) {
      return overloaded(
        `${this.#requests.size} operations are under way; limits.operationsInFlight is ${this.#limit}`,
      );
    }
    if (this.#closed) return new CapstanError("STORE_CLOSED", "the keyspace is closed");
    return this.#options.refusal();
  }

  #writeRefusal(operation: Operation): CapstanError | undefined {
    const { type } = operation;
    if (type === "get" || type === "resolve" || type === "members") return undefined;
    return this.#options.writeRefusal() ?? this.#tooManyBytes(operation);
  }

  /** One value alone is always taken: its size was checked against `maxValue`. */
  #tooManyBytes({ value }: Operation): CapstanError | undefined {
    const { bytes } = this.#requests;
    const limit = this.#options.bytesInFlight;
    if (value === undefined || bytes === 0 || bytes + value.length <= limit) return undefined;
    return overloaded(
      `${bytes} bytes of values are being written, and ${value.length} more are too many; ` +
        `limits.queuedBytes is ${limit}`,
    );
  }

  #machine(): CoordinatorMachine<unknown> {
    return this.#coordinator.machine as CoordinatorMachine<unknown>;
  }
}
