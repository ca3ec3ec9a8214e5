import { CapstanError, type ErrorCode } from "../core/model/errors.ts";

export const API = "/api/v1";
export const DATA = `${API}/data`;
export const KEYSPACES = `${API}/keyspaces`;
export const OPERATIONS = `${API}/operations`;
export const DEFAULT_KEYSPACE = "default";

const RESOLVE = "/resolve";
export const OPERATIONS_OF_KEY = "/operations";
/** With `-` for a user's text, in the paths that the router sees. */
const KEYSPACE = `${KEYSPACES}/-`;
const DATA_OF_KEY = `${DATA}/-`;
const DATA_OF_KEY_REST = "/data/-";
const NO_ROUTE = "/no-route";
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)(.*)$/is;
const MAX_BYTE = 0xff;
const UTF8_DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The path that the router sees. Keys, keyspaces and operation ids never pass through it: routers
 * decode more than once, bound lengths and join slashes, and a key must reach the store as it was
 * sent. They are read from the raw target below. A path that is encoded elsewhere is no route: the
 * router would take it for one that is read differently here. Never throws: there is no handler yet.
 */
export function routerPath(rawTarget: string, method = "GET"): string {
  const path = pathOf(rawTarget);
  const { keyspace, key, rest } = partsOf(path);
  if (key !== undefined) {
    const ofKey = keyspace === undefined ? DATA_OF_KEY : KEYSPACE + DATA_OF_KEY_REST;
    return method === "POST" && key.endsWith(OPERATIONS_OF_KEY) ? ofKey + OPERATIONS_OF_KEY : ofKey;
  }
  const fixed = keyspace === undefined ? withoutOperationId(path) : KEYSPACE + rest;
  return /[%#]/.test(fixed) ? NO_ROUTE : fixed;
}

/** The keyspace that the raw target names. */
export function keyspaceOf(rawTarget: string): string {
  const { keyspace } = partsOf(pathOf(rawTarget));
  if (keyspace === undefined) return DEFAULT_KEYSPACE;
  return decodePercent(keyspace, "the keyspace", "INVALID_ARGUMENT");
}

/**
 * The key that the raw target names: percent-decoded exactly once, so that `%2F` and `/` are the
 * same and `%252F` is `%2F`.
 *
 * @throws CapstanError `INVALID_KEY`.
 */
export function keyOf(rawTarget: string): string {
  const raw = partsOf(pathOf(rawTarget)).key ?? "";
  if (raw === "") {
    throw new CapstanError(
      "INVALID_KEY",
      "the key is empty; 1 to 1,024 bytes of UTF-8 are allowed (many clients also make nothing of " +
        "the keys . and .., which cannot travel in a path)",
    );
  }
  for (const segment of raw.split("/")) refuseDotSegment(segment);
  return decodePercent(raw, "the key", "INVALID_KEY");
}

/**
 * The key of a `POST …/data/{key}/operations`. A key that ends so itself is named with `%2F`.
 *
 * @throws CapstanError `INVALID_KEY`.
 */
export function keyOfOperations(rawTarget: string): string {
  const path = pathOf(rawTarget);
  return keyOf(path.slice(0, path.length - OPERATIONS_OF_KEY.length));
}

/** The operation id of a `…/operations/{id}/resolve`. */
export function operationIdOf(rawTarget: string): string {
  const raw = pathOf(rawTarget).slice(OPERATIONS.length + 1, -RESOLVE.length);
  return decodePercent(raw, "the operation id", "INVALID_OPERATION_ID");
}

/** The raw query, without its question mark. */
export function queryOf(rawTarget: string): string {
  const mark = rawTarget.indexOf("?");
  return mark === -1 ? "" : rawTarget.slice(mark + 1);
}

/** The authority of a target in absolute form, which then stands above the header `Host`. */
export function authorityOf(rawTarget: string): string | undefined {
  return ABSOLUTE_FORM.exec(rawTarget)?.[1];
}

/** Percent-decodes once, strictly; bytes that were sent without encoding are taken as they are. */
export function decodePercent(raw: string, what: string, code: ErrorCode): string {
  const refuse = (why: string) => new CapstanError(code, `${what} ${why}`);
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let index = 0; index < raw.length; index++) {
    const character = raw.charCodeAt(index);
    if (raw[index] === "#") throw refuse("holds a bare #, which has to be sent as %23");
    if (raw[index] !== "%") {
      if (character > MAX_BYTE) throw refuse("holds a character that no request line can carry");
      bytes[length++] = character;
      continue;
    }
    const hex = raw.slice(index + 1, index + 3);
    if (!/^[0-9a-f]{2}$/i.test(hex)) {
      throw refuse(`holds ${JSON.stringify(`%${hex}`)}, which is no percent-encoding`);
    }
    bytes[length++] = Number.parseInt(hex, 16);
    index += 2;
  }
  try {
    return UTF8_DECODER.decode(bytes.subarray(0, length));
  } catch {
    throw refuse("is not well-formed UTF-8");
  }
}

interface PathParts {
  /** Raw; undefined where the path names none. */
  readonly keyspace: string | undefined;
  /** Raw; undefined where the path is not one of a key. */
  readonly key: string | undefined;
  /** What follows the keyspace. */
  readonly rest: string;
}

function partsOf(path: string): PathParts {
  if (path.startsWith(`${DATA}/`)) {
    return { keyspace: undefined, key: path.slice(DATA.length + 1), rest: "" };
  }
  const slash = path.startsWith(`${KEYSPACES}/`) ? path.indexOf("/", KEYSPACES.length + 1) : -1;
  if (slash === -1) return { keyspace: undefined, key: undefined, rest: "" };
  const rest = path.slice(slash);
  const key = rest.startsWith("/data/") ? rest.slice("/data/".length) : undefined;
  return { keyspace: path.slice(KEYSPACES.length + 1, slash), key, rest };
}

function withoutOperationId(path: string): string {
  const isResolve = path.startsWith(`${OPERATIONS}/`) && path.endsWith(RESOLVE);
  return isResolve ? `${OPERATIONS}/-${RESOLVE}` : path;
}

function pathOf(rawTarget: string): string {
  const origin = ABSOLUTE_FORM.exec(rawTarget)?.[2] ?? rawTarget;
  const mark = origin.indexOf("?");
  return mark === -1 ? origin : origin.slice(0, mark);
}

function refuseDotSegment(segment: string): void {
  const plain = segment.replace(/%2e/gi, ".");
  if (plain !== "." && plain !== "..") return;
  throw new CapstanError(
    "INVALID_KEY",
    `${JSON.stringify(segment)} cannot be a whole segment of a path: clients and proxies rewrite it, ` +
      "and another key would be meant; keys . and .. can be used in the embedded store alone, and a " +
      "slash beside dots has to be sent as %2F",
  );
}
