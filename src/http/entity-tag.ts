import { createHash } from "node:crypto";
import { CapstanError } from "../core/model/errors.ts";

const MAX_PLAIN_CHARACTERS = 64;
const PLAIN = /^[\w.~-]+$/;

/**
 * The strong ETag of a version: the version itself where it is short, so that `If-Match` can name
 * it; else, for causal contexts of up to 4 KiB, its SHA-256.
 */
export function entityTagOf(version: string): string {
  const isPlain = version.length <= MAX_PLAIN_CHARACTERS && PLAIN.test(version);
  return `"${isPlain ? version : createHash("sha256").update(version).digest("base64url")}"`;
}

/** Whether a read's `If-None-Match` already has this tag. */
export function hasEntityTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((each) => each.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(tag);
}

/** The version that a write's `If-Match` names. */
export function versionOfIfMatch(header: string): string {
  const version = /^"([^"]+)"$/.exec(header.trim())?.[1];
  if (version !== undefined) return version;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `If-Match has to be one strong ETag in quotes, not ${JSON.stringify(header.slice(0, 100))}`,
  );
}

/** The only `If-None-Match` that a write can have. */
export function checkIfNoneMatch(header: string): void {
  if (header.trim() === "*") return;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `If-None-Match of a write has to be *, not ${JSON.stringify(header.slice(0, 100))}`,
  );
}
