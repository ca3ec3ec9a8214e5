/** A level that has a name. */
export type LevelName =
  | "one"
  | "two"
  | "three"
  | "quorum"
  | "all"
  | "local-quorum"
  | "each-quorum"
  | "strong"
  | "eventual"
  | "lease"
  | "follower"
  | "session"
  | "stale";

/** So many replicas, in digits: from 1 to as many as the keyspace has. */
export type CountLevel = `${number}`;

/**
 * The consistency that one request asks for. Each strategy offers some of the words, as its
 * capabilities say, and perhaps numbers. A level that is not offered is refused, never weakened.
 */
export type Level = LevelName | CountLevel;

export const LEVELS: readonly LevelName[] = Object.freeze([
  "one",
  "two",
  "three",
  "quorum",
  "all",
  "local-quorum",
  "each-quorum",
  "strong",
  "eventual",
  "lease",
  "follower",
  "session",
  "stale",
]);

/** HTTP and configuration files also take snake_case. */
export function parseLevel(word: string): Level | undefined {
  if (countOfLevel(word) !== undefined) return word as CountLevel;
  return parseLevelName(word);
}

/** As `parseLevel`, without numbers. */
export function parseLevelName(word: string): LevelName | undefined {
  const kebab = word.replaceAll("_", "-").toLowerCase();
  return LEVELS.find((level) => level === kebab);
}

/** The number of replicas that a level names in digits; undefined for every word. */
export function countOfLevel(level: string): number | undefined {
  return /^[1-9]\d?$/.test(level) ? Number(level) : undefined;
}
