import { stampOfVersionToken } from "../../../core/model/version-token.ts";

/**
 * Whether the version of a key that was not found is no write's: replicas that hold nothing answer
 * with their floor, up to which nothing of the key is alive.
 */
export function isFloorVersion(version: string | undefined): boolean {
  const stamp = version === undefined ? undefined : stampOfVersionToken(version);
  return stamp !== undefined && stamp.actorHigh === 0 && stamp.actorLow === 0;
}
