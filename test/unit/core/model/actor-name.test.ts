import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { actorEnd, actorId, actorName } from "../../../../src/core/model/actor-name.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";

test("a name says when its actor ends, and whose it is", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 1_704_067_200, max: 3_000_000_000 }),
      (id, second) => {
        const name = actorName(id, second * 1_000);
        expect(actorEnd(name)).toBe(hybridTimeOf(second * 1_000));
        expect(actorId(name)).toBe(id);
      },
    ),
  );
});

describe("a name without an end", () => {
  test.each(["00a1", "", "a~", "~"])("is that of an actor that never ends: %j", (name) => {
    expect(actorEnd(name)).toBe(Number.POSITIVE_INFINITY);
  });

  test("is the actor's id", () => {
    expect(actorName("00a1")).toBe("00a1");
    expect(actorId("00a1")).toBe("00a1");
  });
});

test("part of a second counts as one: no dot is newer than its actor's end", () => {
  const atMs = Date.UTC(2026, 0, 1) + 1;
  expect(actorEnd(actorName("a", atMs))).toBe(hybridTimeOf(Date.UTC(2026, 0, 1) + 1_000));
});
