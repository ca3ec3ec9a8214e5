import { CapstanError } from "../../core/model/errors.ts";
import { hash32 } from "../../core/model/hash.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Level } from "../../core/model/levels.ts";

const SEEDS: readonly number[] = Object.freeze([0x73657373, 0x6b657973]);
const NAME_BYTES = 6;
/** Of every name. */
export const KEY_NAME_CHARACTERS = 8;

/**
 * The name of a key in what a session has seen: 48 bits of its hash, as text. Two keys of one name
 * make each other's reads wait for more than they have to, and never for less.
 */
export function keyNameOf(key: Uint8Array): string {
  const bytes = Buffer.allocUnsafe(2 * 4);
  for (const [at, seed] of SEEDS.entries()) bytes.writeUInt32BE(hash32(key, seed), at * 4);
  return bytes.toString("base64url", 0, NAME_BYTES);
}

/** Whoever has answered lacks something that the session has seen. */
export function sessionBehind(
  key: Uint8Array,
  level: Level,
  answered: readonly NodeId[],
): CapstanError {
  const keyText = JSON.stringify(Buffer.from(key).toString("utf8").slice(0, 60));
  const heard = answered.length === 0 ? "nobody" : answered.join(", ");
  return new CapstanError(
    "SESSION_BEHIND",
    `the session has seen more of the key ${keyText} than ${heard} could show at ${level} in time; ` +
      "try again, or read without the session",
    { details: { answered } },
  );
}
