/**
 * Of `ttlMs`, for all strategies: added to any clock's time of day it is still a whole number. Some
 * 140,000 years.
 */
export const MAX_TTL_MS = 2 ** 52;

export function isTimeToLive(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TTL_MS;
}
