import { describe, expect, test } from "vitest";
import { checkEntry, checkList, typeNameOf } from "../../../../src/core/model/call-arguments.ts";

describe("a list that a call takes", () => {
  test("may be empty", () => {
    expect(() => checkList([], "keys")).not.toThrow();
  });

  test.each([
    [null, "null"],
    ["ab", "of type string"],
    [{ length: 0 }, "of type object"],
    [undefined, "of type undefined"],
  ])("is refused if it is %j", (list, shown) => {
    expect(() => checkList(list, "keys")).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        outcome: "not-applied",
        message: `keys have to be an array, not ${shown}`,
      }),
    );
  });
});

describe("an entry of a list", () => {
  test("is a key and a value, whatever these are", () => {
    expect(() => checkEntry(["key", undefined])).not.toThrow();
  });

  test.each([[["key"]], [["key", 1, 2]], ["ab"], [{ 0: "key", 1: 2, length: 2 }]])(
    "is refused if it is %j",
    (entry) => {
      expect(() => checkEntry(entry)).toThrow("an entry has to be [key, value]");
    },
  );
});

test("an array is called one, and not an object", () => {
  expect(typeNameOf([])).toBe("an array");
});
