import { createHash } from "node:crypto";
import type { ConfigurationProblems } from "./configuration-problems.ts";

const CLUSTER_KEY_BYTES = 32;
const HEX = /^[0-9a-fA-F]{64}$/;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;
const ALLOWED = "32 bytes: a Uint8Array, 64 hex digits, or 43 characters of base64";

/**
 * `cluster.key`, with which nodes sign what clients carry from one to another. A wrong one is
 * reported without its value: it may be the right one, misspelt.
 */
export function parseClusterKey(
  input: unknown,
  problems: ConfigurationProblems,
): Uint8Array | undefined {
  if (input === undefined) return undefined;
  const key = bytesOf(input);
  if (key?.length === CLUSTER_KEY_BYTES) return key;
  const reason = "is not a key (its value is not shown)";
  problems.add({ path: "cluster.key", value: undefined, allowed: [ALLOWED], reason });
  return undefined;
}

/** Tells two keys apart, and nothing of either. */
export function fingerprintOf(key: Uint8Array | undefined): string | null {
  return key === undefined ? null : createHash("sha256").update(key).digest("hex").slice(0, 16);
}

function bytesOf(input: unknown): Uint8Array | undefined {
  if (input instanceof Uint8Array) return new Uint8Array(input);
  if (typeof input !== "string") return undefined;
  if (HEX.test(input)) return new Uint8Array(Buffer.from(input, "hex"));
  return BASE64.test(input) ? new Uint8Array(Buffer.from(input, "base64")) : undefined;
}
