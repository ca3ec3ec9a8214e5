import { beforeEach, describe, expect, test } from "vitest";
import { compareStamps, hybridTimeOf, ZERO_STAMP } from "../../../../src/core/model/stamp.ts";
import { WriteStamps } from "../../../../src/strategies/tunable/write-stamps.ts";
import {
  contextOf,
  MAX_SKEW_MS,
  pendingOf,
  stampAt,
  WALL_MS,
  type WriteContext,
} from "./write-world.ts";

const NEAR = stampAt(hybridTimeOf(WALL_MS + MAX_SKEW_MS / 2));
const FAR = stampAt(hybridTimeOf(WALL_MS + 10 * MAX_SKEW_MS));

let context: WriteContext;
let stamps: WriteStamps;
beforeEach(() => {
  context = contextOf();
  stamps = new WriteStamps(context, {});
});

describe("what there is has to be learned first", () => {
  test("by a strong write, and by no other that has seen nothing odd", () => {
    expect(stamps.mustLearn(pendingOf(undefined, { level: "strong" }), WALL_MS)).toBe(true);
    const pending = pendingOf();
    pending.newest = NEAR;
    expect(stamps.mustLearn(pending, WALL_MS)).toBe(false);
    expect(pending.newest).toBe(NEAR);
  });

  test("where the context names what lies beyond the guard, which is not believed", () => {
    const pending = pendingOf();
    pending.newest = FAR;
    expect(stamps.mustLearn(pending, WALL_MS)).toBe(true);
    expect(pending.newest).toBe(ZERO_STAMP);
  });

  test("where the operation's own id does", () => {
    expect(stamps.mustLearn(pendingOf(FAR), WALL_MS)).toBe(true);
    expect(stamps.mustLearn(pendingOf(NEAR), WALL_MS)).toBe(false);
  });

  test("not by a strong write with a planted bug", () => {
    const broken = new WriteStamps(context, { strongWriteDoesNotLearn: true });
    expect(broken.mustLearn(pendingOf(undefined, { level: "strong" }), WALL_MS)).toBe(false);
  });
});

describe("a write is stamped", () => {
  test("above all that it has been shown, in whichever order", () => {
    const pending = pendingOf();
    const lower = stampAt(NEAR.time - 5);
    for (const seen of [NEAR, lower, undefined]) stamps.see(pending, seen, WALL_MS);
    expect(pending.newest).toBe(NEAR);
    stamps.stamp(pending, WALL_MS);
    expect(compareStamps(pending.stamp, NEAR)).toBeGreaterThan(0);
    expect([pending.phase, pending.proof]).toEqual(["write", undefined]);
  });

  test("beyond the guard with what it follows as its proof", () => {
    const pending = pendingOf();
    stamps.see(pending, FAR, WALL_MS);
    stamps.stamp(pending, WALL_MS);
    expect(compareStamps(pending.stamp, FAR)).toBeGreaterThan(0);
    expect(pending.proof).toEqual(FAR);
  });

  test("as its id says, whatever there is", () => {
    const pending = pendingOf(stampAt(77));
    stamps.see(pending, NEAR, WALL_MS);
    stamps.stamp(pending, WALL_MS);
    expect([pending.stamp, pending.proof]).toEqual([stampAt(77), NEAR]);
  });
});
