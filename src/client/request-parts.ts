import { typeNameOf } from "../core/model/call-arguments.ts";
import { CapstanError } from "../core/model/errors.ts";
import { encodeKey } from "../core/model/keys.ts";
import { LEVELS, parseLevel } from "../core/model/levels.ts";
import { isTimeToLive, MAX_TTL_MS } from "../core/model/time-to-live.ts";
import type { ReadOptions } from "../core/store/api.ts";
import { SESSION_HEADER } from "./server-call.ts";

const TOKEN = /^[\x21-\x7e]{1,12288}$/;
const LONGEST_TIMEOUT_MS = 2_147_483_647 - 60_000;

/** Names of the options that a kind of call takes; others are refused, as the embedded store does. */
export const OPTIONS = Object.freeze({
  read: ["consistency", "session", "signal", "timeoutMs"],
  write: [
    "consistency",
    "context",
    "ifAbsent",
    "ifVersion",
    "operationId",
    "session",
    "signal",
    "timeoutMs",
    "ttlMs",
  ],
  scan: ["consistency", "cursor", "from", "limit", "prefix", "signal", "timeoutMs", "to"],
  many: ["consistency", "context", "session", "signal", "timeoutMs", "ttlMs"],
  watch: ["cursor", "prefix", "signal", "timeoutMs"],
  facts: ["before", "key", "keyspace", "limit"],
  members: ["keyspace", "shard"],
  change: ["keyspace", "replicas", "shard"],
  recovery: ["acceptLoss", "keyspace", "shard"],
  plain: ["signal", "timeoutMs"],
} as const);

/**
 * Refuses what is misspelt or of the wrong type here, before an id is minted for it.
 *
 * @throws CapstanError `INVALID_ARGUMENT`.
 */
export function checkOptions(options: object | undefined, allowed: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw invalid(`options have to be an object, not ${typeNameOf(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (!allowed.includes(name)) {
      throw invalid(
        `there is no option ${JSON.stringify(name)} here; there are: ${allowed.join(", ")}`,
        allowed,
      );
    }
    if (value === undefined && (name === "ifVersion" || name === "ifAbsent")) {
      throw invalid(`${name} is undefined; leave it out for an unconditional write`);
    }
    if (value !== undefined) checkType(name, value);
  }
}

/** The headers that a call's options become. */
export function headersOf(options: ReadOptions | undefined): Record<string, string> {
  const { consistency, session } = options ?? {};
  return {
    ...(consistency === undefined ? {} : { "consistency-level": levelOf(consistency) }),
    ...(session === undefined ? {} : { [SESSION_HEADER]: token(session, "session") }),
  };
}

export function idempotencyHeader(operationId: string | undefined): Record<string, string> {
  if (operationId === undefined) return {};
  checkOperationId(operationId);
  return { "idempotency-key": operationId };
}

/** @throws CapstanError `INVALID_OPERATION_ID`. */
export function checkOperationId(operationId: string): void {
  if (typeof operationId === "string" && TOKEN.test(operationId)) return;
  throw new CapstanError(
    "INVALID_OPERATION_ID",
    `operation id ${shown(operationId)} was not made by a store`,
  );
}

/**
 * Path of a key. Its slashes are encoded too, so that nothing on the way takes dots between them
 * for steps of a path; where dots are all of it nothing helps.
 *
 * @throws CapstanError `INVALID_KEY`.
 */
export function keyPath(key: string): string {
  encodeKey(key);
  if (key !== "." && key !== "..") return encodeURIComponent(key);
  throw new CapstanError(
    "INVALID_KEY",
    `the key ${JSON.stringify(key)} cannot travel in the path of a URL; only the embedded store takes it`,
  );
}

/** A query of the fields that are there. */
export function queryOf(fields: Readonly<Record<string, string | number | undefined>>): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeText(String(value), name)}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

function encodeText(text: string, name: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    throw invalid(`${name} holds half a surrogate pair`);
  }
}

function checkType(name: string, value: unknown): void {
  if (isRight(name, value)) return;
  throw invalid(`${name} has to be ${WANTED[name] ?? "text"}, not ${shown(value)}`);
}

const FROM_ONE = "a whole number from 1";

/** What `isRight` takes, in words. */
const WANTED: Readonly<Record<string, string>> = Object.freeze({
  signal: "an AbortSignal",
  ifAbsent: "true or false",
  timeoutMs: `a number of milliseconds from 1 to ${LONGEST_TIMEOUT_MS}`,
  limit: FROM_ONE,
  ttlMs: `a whole number from 1 to ${MAX_TTL_MS}`,
  before: FROM_ONE,
  shard: "a whole number from 0",
  consistency: "a level, or a number of replicas",
  acceptLoss: "true",
  replicas: "a list of node ids",
});

function isRight(name: string, value: unknown): boolean {
  switch (name) {
    case "signal":
      return value instanceof AbortSignal;
    case "ifAbsent":
      return typeof value === "boolean";
    case "timeoutMs":
      return typeof value === "number" && value >= 1 && value <= LONGEST_TIMEOUT_MS;
    case "ttlMs":
      return isTimeToLive(value);
    case "limit":
    case "before":
      return Number.isSafeInteger(value) && (value as number) >= 1;
    case "shard":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case "consistency":
      return typeof value === "string" || typeof value === "number";
    case "acceptLoss":
      return value === true;
    case "replicas":
      return Array.isArray(value) && value.every((each) => typeof each === "string");
    default:
      return typeof value === "string";
  }
}

function levelOf(level: string | number): string {
  const word = String(level);
  if (parseLevel(word) !== undefined) return word;
  throw new CapstanError(
    "INVALID_LEVEL",
    `${shown(word)} is no consistency level; there are: ${LEVELS.join(", ")}, and numbers of replicas`,
    { allowed: LEVELS },
  );
}

function token(text: string, name: string): string {
  if (TOKEN.test(text)) return text;
  throw invalid(`${name} ${shown(text)} was not made by a store`);
}

function invalid(message: string, allowed?: readonly string[]): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message, allowed === undefined ? {} : { allowed });
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value);
}
