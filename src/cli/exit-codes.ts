import { type ErrorCode, isCapstanError } from "../core/model/errors.ts";
import { UsageError } from "./usage-error.ts";

/** What the command line tells the shell. Scripts rely on these numbers: they never change. */
export const EXIT = Object.freeze({
  done: 0,
  /** Nothing was written, and nothing will be. */
  notApplied: 1,
  /** A history that was checked breaks the promise. */
  violation: 1,
  /** The command line or its input is wrong: the same call will fail again. */
  usage: 2,
  notFound: 3,
  /** The key was not in the state that the write asked for, or something newer was already there. */
  versionMismatch: 4,
  /** The write may or may not take effect; or a check reached its bound before any answer. */
  unknown: 5,
  /** A shard does not serve at a level that its keyspace has as its own. */
  unserved: 6,
  /** 128 + SIGINT, as shells count. */
  interrupted: 130,
});

/** What the user typed is at fault, although only the server could tell. */
const WRONG_INPUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "INVALID_ARGUMENT",
  "INVALID_CONFIGURATION",
  "INVALID_CURSOR",
  "INVALID_KEY",
  "INVALID_LEVEL",
  "INVALID_OPERATION_ID",
  "INVALID_SESSION",
  "INVALID_VALUE",
  "UNKNOWN_KEYSPACE",
  "VALUE_TOO_LARGE",
]);

/** A fault that is not Capstan's own could have struck after the write was sent: unknown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (!isCapstanError(error)) return EXIT.unknown;
  if (error.outcome === "unknown") return EXIT.unknown;
  if (error.code === "SUPERSEDED") return EXIT.versionMismatch;
  return WRONG_INPUT.has(error.code) ? EXIT.usage : EXIT.notApplied;
}

export function isWrongInput(error: unknown): boolean {
  return exitCodeOf(error) === EXIT.usage;
}

/** The same call with another key and value may be done: other refusals would meet them all. */
const WRONG_ENTRY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "INVALID_KEY",
  "INVALID_VALUE",
  "VALUE_TOO_LARGE",
]);

/** The key or the value was refused for what it is. */
export function isWrongEntry(error: unknown): boolean {
  return isCapstanError(error) && error.outcome !== "unknown" && WRONG_ENTRY.has(error.code);
}
