import { expect, test } from "vitest";
import { cautionLines } from "../../../../src/cli/verifying/caution-lines.ts";

test("the same sentence about several keyspaces stands once, where it comes first", () => {
  const lowered = { code: "lower-levels", sentence: "answers below its level." } as const;
  const lossy = { code: "memory", sentence: "ends with its process." } as const;
  expect(
    cautionLines([
      { keyspace: "carts", ...lowered },
      { keyspace: "carts", ...lossy },
      { keyspace: "notes", ...lowered },
    ]),
  ).toEqual(["carts, notes: answers below its level.", "carts: ends with its process."]);
});
