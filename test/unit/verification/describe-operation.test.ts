import { expect, test } from "vitest";
import { describeOperation, type KeyValueOperation } from "../../../src/verification/index.ts";
import { write } from "./histories.ts";

function put(value: unknown): KeyValueOperation {
  const written = write("v", 1, 2);
  return { ...written, input: { type: "put", key: "k", value: "v", condition: { value } } };
}

test("a conditional write says what it was conditional on, and whether it was refused", () => {
  expect(describeOperation(put("u"))).toBe('put "k" = "v" if "u"');
  expect(describeOperation(put(undefined))).toBe('put "k" = "v" if absent');
  const refused = { ...put("u"), output: { isDone: false } };
  expect(describeOperation(refused)).toBe('put "k" = "v" if "u" (refused)');
});

test("a conditional deletion does, too", () => {
  const deletion = write(undefined, 1, 2);
  const input = { type: "delete", key: "k", condition: { value: "u" } } as const;
  expect(describeOperation({ ...deletion, input })).toBe('delete "k" if "u"');
});
