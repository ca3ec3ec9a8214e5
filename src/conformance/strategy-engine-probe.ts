import type { Cancellation } from "../core/contracts/strategy.ts";
import { type CapstanError, isCapstanError } from "../core/model/errors.ts";
import type {
  Operation,
  OperationResult,
  OperationType,
  ReadResult,
  ScanPage,
  ScanRequest,
  WriteResult,
} from "../core/model/operations.ts";
import { decodeValue, encodeValue } from "../core/model/values.ts";
import type { EngineHarness, EngineUnderTest } from "./strategy-engine-harness.ts";
import { check, checkEqual, pause, type SuiteClock, shown, until } from "./suite.ts";

export interface OperationParts {
  readonly key: string;
  readonly value?: string;
  /** From now. */
  readonly deadlineInMs?: number;
  readonly operationId?: string;
}

/** One operation under way: every answer that it got. */
export class Call<Result> {
  readonly results: Result[] = [];
  readonly faults: CapstanError[] = [];
  readonly startedAtMs: number;
  answeredAtMs: number | undefined;
  cancellation: Cancellation | undefined;
  readonly #clock: SuiteClock;

  constructor(clock: SuiteClock) {
    this.#clock = clock;
    this.startedAtMs = clock.monotonicMs();
  }

  succeed(result: Result): void {
    this.answeredAtMs ??= this.#clock.monotonicMs();
    this.results.push(result);
  }

  fail(fault: CapstanError): void {
    this.answeredAtMs ??= this.#clock.monotonicMs();
    this.faults.push(fault);
  }

  get answers(): number {
    return this.results.length + this.faults.length;
  }

  get fault(): CapstanError | undefined {
    return this.faults[0];
  }

  get tookMs(): number {
    return (this.answeredAtMs ?? Number.POSITIVE_INFINITY) - this.startedAtMs;
  }

  async answered(): Promise<this> {
    await until(this.#clock, () => this.answers > 0, "the answer of an operation");
    check(this.answers === 1, () => `${this.answers} answers to one operation`);
    if (this.fault !== undefined) checkFault(this.fault);
    return this;
  }

  async result(): Promise<Result> {
    await this.answered();
    check(this.fault === undefined, () => `expected success, got ${shown(this.fault)}`);
    return this.results[0] as Result;
  }
}

const OUTCOMES: readonly unknown[] = ["applied", "not-applied", "unknown"];

/** What every fault has to say of itself. */
export function checkFault(fault: unknown): void {
  check(isCapstanError(fault), () => `a fault that is no CapstanError: ${shown(fault)}`);
  check(OUTCOMES.includes(fault.outcome), () => `a fault with the outcome ${shown(fault.outcome)}`);
  check(
    fault.outcome !== "unknown" || typeof fault.operationId === "string",
    () => `${fault.code} is unknown, and carries no operation id`,
  );
}

/** An engine, with text for keys and values. */
export class EngineProbe {
  readonly under: EngineUnderTest;
  readonly clock: SuiteClock;

  constructor(under: EngineUnderTest, harness: EngineHarness) {
    this.under = under;
    this.clock = harness.clock;
  }

  operation(type: OperationType, parts: OperationParts): Operation {
    const key = new TextEncoder().encode(parts.key);
    const { deadlineInMs, value } = parts;
    return {
      type,
      key,
      shardIndex: this.under.shardOf(key),
      value: value === undefined ? undefined : encodeValue(value),
      level: this.under.level,
      operationId: parts.operationId,
      deadlineMs: deadlineInMs === undefined ? undefined : this.clock.monotonicMs() + deadlineInMs,
      options: undefined,
    };
  }

  execute(operation: Operation): Call<OperationResult> {
    const call = new Call<OperationResult>(this.clock);
    call.cancellation = this.under.engine.execute(operation, call);
    return call;
  }

  put(key: string, value: string, parts: Partial<OperationParts> = {}): Call<OperationResult> {
    return this.execute(this.operation("put", { ...parts, key, value }));
  }

  async written(key: string, value: string, operationId?: string): Promise<WriteResult> {
    const parts = operationId === undefined ? {} : { operationId };
    return (await this.put(key, value, parts).result()) as WriteResult;
  }

  async deleted(key: string): Promise<WriteResult> {
    return (await this.execute(this.operation("delete", { key })).result()) as WriteResult;
  }

  async read(key: string): Promise<ReadResult> {
    return (await this.execute(this.operation("get", { key })).result()) as ReadResult;
  }

  /** The value as it is read; undefined if none is found. */
  async value(key: string): Promise<string | undefined> {
    const { found, value } = await this.read(key);
    check(found === (value !== undefined), "`found` and `value` contradict each other");
    return value === undefined ? undefined : String(decodeValue(value));
  }

  scan(parts: Partial<ScanRequest>): Call<ScanPage> {
    const call = new Call<ScanPage>(this.clock);
    const range = { from: undefined, to: undefined };
    const request = {
      range,
      limit: 100,
      level: this.under.scanLevel,
      deadlineMs: undefined,
      ...parts,
    };
    call.cancellation = this.under.engine.scan(request, call);
    return call;
  }

  pause(delayMs: number): Promise<void> {
    return pause(this.clock, delayMs);
  }
}

/** Every operation, once more, long after: nobody may be answered twice. */
export async function checkOneAnswerEach(
  probe: EngineProbe,
  calls: readonly Call<unknown>[],
): Promise<void> {
  await Promise.all(calls.map((call) => call.answered()));
  await probe.pause(probe.under.slackMs);
  const counts = calls.map(({ answers }) => answers);
  checkEqual(
    counts,
    calls.map(() => 1),
    "answers per operation",
  );
}

/** What the engine says of a write that it could not vouch for must be true of what is there. */
export async function checkOutcome(
  probe: EngineProbe,
  fault: CapstanError,
  key: string,
  values: { readonly before: string; readonly after: string },
): Promise<void> {
  const found = await probe.value(key);
  const isThere = found === values.after;
  check(isThere || found === values.before, () => `${key} holds ${found}`);
  if (fault.outcome === "not-applied") {
    check(!isThere, () => `${key} was written, though ${fault.code} says that it was not`);
  } else if (fault.outcome === "applied") {
    check(isThere, () => `${key} was not written, though ${fault.code} says that it was`);
  } else if (probe.under.engine.capabilities.operationIds) {
    await probe.written(key, values.after, fault.operationId);
    checkEqual(await probe.value(key), values.after, `${key} after the retry under its id`);
  }
}
