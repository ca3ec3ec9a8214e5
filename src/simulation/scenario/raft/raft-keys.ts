import type { Draw } from "../draw.ts";

const SEPARATOR = "/";

/** Keys with the same beginning lie in one shard: a batch may have them all. */
export const RAFT_GROUP_BY = Object.freeze({ prefix: Object.freeze({ separator: SEPARATOR }) });

/** The few keys of a keyspace, in groups. */
export class RaftKeys {
  readonly all: readonly string[];
  readonly #groups: number;

  constructor(count: number, draw: Draw) {
    this.#groups = draw.whole(1, count);
    this.all = Array.from({ length: count }, (_, at) => `g${at % this.#groups}${SEPARATOR}k${at}`);
  }

  /** Keys of the same group, this one first. */
  besides(key: string): readonly string[] {
    const group = groupOf(key);
    return [key, ...this.all.filter((other) => other !== key && groupOf(other) === group)];
  }
}

function groupOf(key: string): string {
  return key.slice(0, key.indexOf(SEPARATOR));
}
