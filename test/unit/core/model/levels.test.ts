import { describe, expect, test } from "vitest";
import { countOfLevel, parseLevel, parseLevelName } from "../../../../src/core/model/levels.ts";

describe("a level in words", () => {
  test("is taken as HTTP writes it, too", () => {
    expect(parseLevel("LOCAL_QUORUM")).toBe("local-quorum");
    expect(parseLevel("most")).toBeUndefined();
  });
});

describe("a level in digits", () => {
  test("is a whole number from 1 to 99, written as such", () => {
    expect(["1", "31", "99"].map(parseLevel)).toEqual(["1", "31", "99"]);
    for (const word of ["0", "-1", "1.5", "01", "100", "1e1", "", " 1", "NaN"]) {
      expect([parseLevel(word), countOfLevel(word)]).toEqual([undefined, undefined]);
    }
  });

  test("has no name", () => {
    expect(parseLevelName("2")).toBeUndefined();
    expect(countOfLevel("two")).toBeUndefined();
  });
});
