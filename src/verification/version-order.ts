import { CapstanError } from "../core/model/errors.ts";
import { compareStamps, type Stamp } from "../core/model/stamp.ts";
import { stampOfVersionToken } from "../core/model/version-token.ts";

/**
 * How two versions of one key stand to each other: below 0 if `a` is older, 0 if they are the same,
 * above 0 if `a` is newer, `undefined` if neither knows of the other.
 */
export type VersionOrder = (a: string, b: string) => number | undefined;

/**
 * The order of last-writer-wins versions (the tunable strategy's): by their stamps.
 *
 * @throws CapstanError `INVALID_ARGUMENT` for a version of another kind, which needs its own order.
 */
export function stampOrder(a: string, b: string): number {
  return compareStamps(stampOf(a), stampOf(b));
}

function stampOf(version: string): Stamp {
  const stamp = stampOfVersionToken(version);
  if (stamp !== undefined) return stamp;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `${JSON.stringify(version)} is no stamped version; its strategy's order has to be given`,
  );
}
