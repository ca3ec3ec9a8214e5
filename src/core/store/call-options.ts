import { CapstanError } from "../model/errors.ts";
import { LEVELS, type Level } from "../model/levels.ts";
import { MAX_SESSION_TOKEN_CHARACTERS, type SessionToken } from "../model/session-token.ts";
import { isTimeToLive, MAX_TTL_MS } from "../model/time-to-live.ts";

/** Above every other token that the store hands out: a context of 4 KiB is the longest. */
const MAX_TOKEN_CHARACTERS = 8_192;

/** The options of one call, checked and copied, so that nothing changes under way. */
export class CallSettings {
  consistency: Level | undefined = undefined;
  signal: AbortSignal | undefined = undefined;
  timeoutMs: number | undefined = undefined;
  operationId: string | undefined = undefined;
  ttlMs: number | undefined = undefined;
  context: string | undefined = undefined;
  session: string | undefined = undefined;
  /** What `session` and `withSession` come to; no option of that name is taken. */
  sessionToken: SessionToken | undefined = undefined;
  ifVersion: string | undefined = undefined;
  ifAbsent: boolean | undefined = undefined;
  prefix: string | undefined = undefined;
  from: string | undefined = undefined;
  to: string | undefined = undefined;
  limit: number | undefined = undefined;
  cursor: string | undefined = undefined;
  drain: boolean | undefined = undefined;
  level: Level | undefined = undefined;
}

export type OptionName = keyof CallSettings;

/** Of a call that was given no options. */
export const NO_SETTINGS: Readonly<CallSettings> = Object.freeze(new CallSettings());

/** Of calls that name a level and nothing else, which most calls are: made once. */
const SETTINGS_OF_LEVEL: ReadonlyMap<unknown, Readonly<CallSettings>> = new Map(
  LEVELS.map((consistency) => [
    consistency,
    Object.freeze(Object.assign(new CallSettings(), { consistency })),
  ]),
);

const CALL_OPTIONS = ["signal", "timeoutMs"] as const;

/** The options that each kind of call takes. */
export const OPTIONS_OF = Object.freeze({
  read: names("consistency", "session", ...CALL_OPTIONS),
  getNow: names("consistency", "session"),
  write: names(
    "consistency",
    "operationId",
    "ttlMs",
    "context",
    "session",
    "ifVersion",
    "ifAbsent",
    ...CALL_OPTIONS,
  ),
  /** Writes whose condition, or id, is the call's own affair. */
  unconditionalWrite: names(
    "consistency",
    "operationId",
    "ttlMs",
    "context",
    "session",
    ...CALL_OPTIONS,
  ),
  manyWrites: names("consistency", "ttlMs", "context", "session", ...CALL_OPTIONS),
  scan: names("consistency", "prefix", "from", "to", "limit", "cursor", ...CALL_OPTIONS),
  watch: names("prefix", "cursor", ...CALL_OPTIONS),
  plain: names(...CALL_OPTIONS),
  ready: names("level", ...CALL_OPTIONS),
  close: names("drain", "timeoutMs"),
  events: names("signal"),
});

type OptionNames = readonly OptionName[];

/**
 * Checks options and copies them. An unknown name is refused, because a misspelt `ifVersion` would
 * otherwise become an unconditional write; for the same reason a condition that is there but
 * undefined is refused.
 *
 * @throws CapstanError `INVALID_ARGUMENT`.
 */
export function parseOptions(
  options: unknown,
  allowed: OptionNames,
  maxTimeoutMs: number,
): Readonly<CallSettings> {
  if (options === undefined) return NO_SETTINGS;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw invalid(`options have to be an object, not ${describe(options)}`, "options");
  }
  let ofLevel: Readonly<CallSettings> | undefined;
  let settings: CallSettings | undefined;
  for (const name in options) {
    if (!(allowed as readonly string[]).includes(name)) throw unknownOption(name, allowed);
    const value = (options as Record<string, unknown>)[name];
    if (name === "consistency" && settings === undefined) {
      ofLevel = SETTINGS_OF_LEVEL.get(value);
      if (ofLevel !== undefined) continue;
    }
    settings ??= Object.assign(new CallSettings(), ofLevel);
    assign(settings, name as OptionName, value, maxTimeoutMs);
  }
  return settings ?? ofLevel ?? NO_SETTINGS;
}

function assign(
  settings: CallSettings,
  name: OptionName,
  value: unknown,
  maxTimeoutMs: number,
): void {
  if (value === undefined) {
    if (name !== "ifVersion" && name !== "ifAbsent") return;
    throw invalid(`${name} is undefined; leave it out for an unconditional write`, name);
  }
  switch (name) {
    case "timeoutMs":
      settings.timeoutMs = checkTimeout(value, maxTimeoutMs);
      return;
    case "signal":
      settings.signal = checkSignal(value);
      return;
    case "ifAbsent":
    case "drain":
      if (typeof value !== "boolean") throw wrongType(name, "true or false", value);
      settings[name] = value;
      return;
    case "ttlMs":
      settings.ttlMs = checkTtl(value);
      return;
    case "limit":
      if (!Number.isSafeInteger(value) || (value as number) < 1) {
        throw wrongType(name, "a whole number from 1", value);
      }
      settings[name] = value as number;
      return;
    case "consistency":
      settings.consistency = checkLevelType(value);
      return;
    default:
      if (typeof value !== "string") throw wrongType(name, "text", value);
      checkLength(name, value);
      (settings as unknown as Record<string, string>)[name] = value;
  }
}

function checkTtl(value: unknown): number {
  if (isTimeToLive(value)) return value;
  throw wrongType("ttlMs", `a whole number from 1 to ${MAX_TTL_MS}`, value);
}

/** Levels are checked against the keyspace's own, which says which there are. */
function checkLevelType(value: unknown): Level {
  if (typeof value === "number") return String(value) as Level;
  if (typeof value !== "string") {
    throw wrongType("consistency", "a level, or a number of replicas", value);
  }
  checkLength("consistency", value);
  return value as Level;
}

function checkTimeout(value: unknown, maxTimeoutMs: number): number {
  if (typeof value === "number" && value >= 1 && value <= maxTimeoutMs) return value;
  throw wrongType("timeoutMs", `a number of milliseconds from 1 to ${maxTimeoutMs}`, value);
}

function checkSignal(value: unknown): AbortSignal {
  const signal = value as Partial<AbortSignal> | null;
  if (
    typeof signal === "object" &&
    typeof signal?.aborted === "boolean" &&
    typeof signal.addEventListener === "function"
  ) {
    return signal as AbortSignal;
  }
  throw wrongType("signal", "an AbortSignal", value);
}

function checkLength(name: OptionName, value: string): void {
  const isLong = name === "session" || name === "cursor";
  const most = isLong ? MAX_SESSION_TOKEN_CHARACTERS : MAX_TOKEN_CHARACTERS;
  if (value.length <= most) return;
  throw invalid(`${name} has ${value.length} characters; at most ${most} are allowed`, name);
}

function names(...list: OptionName[]): OptionNames {
  return Object.freeze(list);
}

function unknownOption(name: string, allowed: OptionNames): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `there is no option ${JSON.stringify(name)} here; there are: ${allowed.join(", ")}`,
    { allowed, details: { option: name } },
  );
}

function wrongType(name: string, wanted: string, value: unknown): CapstanError {
  return invalid(`${name} has to be ${wanted}, not ${describe(value)}`, name);
}

function invalid(message: string, option: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message, { details: { option } });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return Array.isArray(value) ? "an array" : `of type ${typeof value}`;
}
