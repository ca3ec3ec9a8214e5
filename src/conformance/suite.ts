import type { Environment } from "../core/contracts/environment.ts";

/**
 * The shape of every conformance suite, free of any test framework. Bind it with
 * `for (const each of suite.cases) test(each.name, each.run)`.
 */
export interface ConformanceSuite {
  readonly name: string;
  readonly cases: readonly ConformanceCase[];
}

/** One obligation of a contract. `run` rejects with a `ConformanceFailure` where it is not met. */
export interface ConformanceCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** The adapter does not do what its contract says. */
export class ConformanceFailure extends Error {
  override readonly name = "ConformanceFailure";
}

/** Fails with `message` unless `condition` holds. */
export function check(condition: boolean, message: string | (() => string)): asserts condition {
  if (condition) return;
  throw new ConformanceFailure(typeof message === "string" ? message : message());
}

/** Fails unless both have the same JSON-like shape: primitives, byte arrays, arrays, plain objects. */
export function checkEqual(actual: unknown, expected: unknown, what: string): void {
  if (isEqual(actual, expected)) return;
  throw new ConformanceFailure(`${what}: expected ${shown(expected)}, got ${shown(actual)}`);
}

/** Fails unless `call` throws what `isExpected` accepts. Returns what was thrown. */
export function checkThrows(
  call: () => unknown,
  isExpected: (error: unknown) => boolean,
  what: string,
): unknown {
  try {
    call();
  } catch (error) {
    check(isExpected(error), () => `${what}: threw ${shown(error)}`);
    return error;
  }
  throw new ConformanceFailure(`${what}: nothing was thrown`);
}

/** Fails unless `promise` rejects with what `isExpected` accepts. Resolves to the rejection. */
export async function checkRejects(
  promise: Promise<unknown>,
  isExpected: (error: unknown) => boolean,
  what: string,
): Promise<unknown> {
  let settled: unknown;
  try {
    settled = await promise;
  } catch (error) {
    check(isExpected(error), () => `${what}: rejected with ${shown(error)}`);
    return error;
  }
  throw new ConformanceFailure(`${what}: resolved to ${shown(settled)}`);
}

/** What waiting needs of an environment, so that a suite also runs under virtual time. */
export type SuiteClock = Pick<Environment, "monotonicMs" | "setTimer">;

/** Generous: a busy machine must not look like a broken adapter. */
const DEFAULT_TIMEOUT_MS = 15_000;
const FIRST_POLL_MS = 1;
const LONGEST_POLL_MS = 20;

/** Resolves once `condition()` is true; fails, naming `what` was awaited, after `timeoutMs`. */
export function until(
  clock: SuiteClock,
  condition: () => boolean,
  what: string | (() => string),
  timeoutMs: number = DEFAULT_TIMEOUT_MS,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  return new Promise((resolve, reject) => {
    const poll = (delayMs: number): void => {
      try {
        if (condition()) {
          resolve();
          return;
        }
        const waitedMs = clock.monotonicMs() - startedMs;
        check(waitedMs < timeoutMs, () => {
          const awaited = typeof what === "string" ? what : what();
          return `waited ${timeoutMs} ms in vain for ${awaited}`;
        });
      } catch (error) {
        reject(error);
        return;
      }
      clock.setTimer(delayMs, () => poll(Math.min(delayMs * 2, LONGEST_POLL_MS)));
    };
    poll(FIRST_POLL_MS);
  });
}

/** Resolves after `delayMs`: for what must *not* happen meanwhile. */
export function pause(clock: SuiteClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) return isEqualBytes(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) => Object.hasOwn(b, key) && isEqual(Reflect.get(a, key) as unknown, Reflect.get(b, key)),
  );
}

function isEqualBytes(a: object, b: object): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return false;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

const SHOWN_BYTES = 16;
const SHOWN_CHARACTERS = 200;

/** For messages: short, and never a throw. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) {
    const head = Array.from(value.subarray(0, SHOWN_BYTES), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join(" ");
    return `${value.length} bytes [${head}${value.length > SHOWN_BYTES ? " …" : ""}]`;
  }
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "function") return `function ${value.name}`;
  try {
    const text = JSON.stringify(value, jsonSafe) ?? String(value);
    return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function jsonSafe(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return value instanceof Uint8Array ? shown(value) : value;
}
