import { describe, expect, test } from "vitest";
import { seenIn, sessionMarkOf } from "../../../../src/strategies/raft/read-results.ts";
import { lifeMarkOf } from "../../../../src/strategies/raft/version.ts";

const SHARD = 2;
const NO_LIFE = lifeMarkOf(0, SHARD);
const LIFE = lifeMarkOf(77, SHARD);
const OTHER_LIFE = lifeMarkOf(78, SHARD);

function markOf(...seen: readonly (readonly [lifeMark: number, index: number])[]) {
  return new Map(
    seen.flatMap(([lifeMark, appliedIndex]) => [...sessionMarkOf({ lifeMark, appliedIndex })]),
  );
}

const at = (lifeMark: number) => ({ lifeMark, shardIndex: SHARD });

describe("what a session has seen of a shard", () => {
  test("is nothing without a mark", () => {
    expect(seenIn(undefined, at(LIFE))).toBeUndefined();
    expect(seenIn(markOf(), at(LIFE))).toBeUndefined();
  });

  test("is that of the life at hand, else of another one", () => {
    const mark = markOf([OTHER_LIFE, 9], [LIFE, 5]);
    expect(seenIn(mark, at(LIFE))).toEqual({ lifeMark: LIFE, index: 5 });
    expect(seenIn(markOf([OTHER_LIFE, 9]), at(LIFE))).toEqual({ lifeMark: OTHER_LIFE, index: 9 });
  });

  // Seed 103147: having read nothing at a replica that had applied nothing, a session did not find its
  // own write at another one that had applied nothing either.
  test("is what it wrote, also at a replica that knows of no life yet, like one it has read before", () => {
    const mark = markOf([NO_LIFE, 0], [LIFE, 5]);
    expect(seenIn(mark, at(NO_LIFE))).toEqual({ lifeMark: LIFE, index: 5 });
    expect(seenIn(mark, at(LIFE))).toEqual({ lifeMark: LIFE, index: 5 });
    expect(seenIn(mark, at(0))).toEqual({ lifeMark: LIFE, index: 5 });
  });

  test("before it has met any life is how far the log had come", () => {
    expect(seenIn(markOf([NO_LIFE, 1]), at(LIFE))).toEqual({ lifeMark: NO_LIFE, index: 1 });
  });
});
