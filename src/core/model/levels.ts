/**
 * The consistency that one request asks for. Each strategy offers some of these words, as its
 * capabilities say. A level that is not offered is refused, never weakened.
 */
export type Level =
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

export const LEVELS: readonly Level[] = Object.freeze([
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
  const kebab = word.replaceAll("_", "-").toLowerCase();
  return LEVELS.find((level) => level === kebab);
}
