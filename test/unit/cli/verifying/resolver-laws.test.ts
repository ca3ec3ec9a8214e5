import { expect, test } from "vitest";
import {
  countBroken,
  describeLaws,
  lawCautions,
  tryLaws,
} from "../../../../src/cli/verifying/resolver-laws.ts";
import type { StandardSchema } from "../../../../src/core/contracts/standard-schema.ts";
import { gSet } from "../../../../src/resolvers/crdt/g-set.ts";
import { merge } from "../../../../src/resolvers/merge.ts";
import type { Subject } from "../../../../src/simulation/verify/subject.ts";
import { drawsFor } from "../../../../src/simulation/verify/value-source.ts";

const CARTS: StandardSchema = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      Array.isArray(value) ? { value } : { issues: [{ message: "no list of items" }] },
  },
};

async function subjectWith(
  resolver: object | string | undefined,
  schema?: StandardSchema,
): Promise<Subject> {
  const values = await drawsFor(schema);
  return { keyspace: { name: "carts", resolver }, values } as unknown as Subject;
}

test("a merge function that keeps its laws is said to, and on which values", async () => {
  const subject = await subjectWith(merge((values) => [...values].sort().at(-1)));
  const laws = tryLaws(subject) as NonNullable<ReturnType<typeof tryLaws>>;
  expect(laws).toMatchObject({ keyspace: "carts", report: { ok: true } });
  expect(describeLaws(laws)).toBe("kept in 300 examples");
  expect(countBroken([laws])).toBe(0);
  expect(lawCautions([subject], [laws])).toMatchObject([{ code: "laws-tried-on-text" }]);
});

test("on values by the keyspace's schema there is nothing more to be said", async () => {
  const union = merge<number[]>((lists) => [...new Set(lists.flat())].sort((a, b) => a - b));
  const subject = await subjectWith(union, CARTS);
  const laws = tryLaws(subject) as NonNullable<ReturnType<typeof tryLaws>>;
  expect(laws.report.ok).toBe(true);
  expect(lawCautions([subject], [laws])).toEqual([]);
});

test.each([
  [
    "throws on text",
    (values: readonly unknown[]) => (values as string[][]).map((v) => v.toSorted()),
  ],
  [
    "makes of text what no store holds",
    (values: readonly unknown[]) => values.map(() => undefined),
  ],
])("without a schema, one that %s is not tried, and that is said", async (_what, merged) => {
  const subject = await subjectWith(merge(merged));
  expect(tryLaws(subject)).toBeUndefined();
  const [caution] = lawCautions([subject], []);
  expect(caution).toMatchObject({ keyspace: "carts", code: "laws-not-tried" });
  expect(caution?.sentence).toMatch(/not tried: on text it throws \(.+\), and no schema tells/);
});

test("with a schema, one that throws on its values breaks its laws", async () => {
  const subject = await subjectWith(
    merge(() => {
      throw new Error("no merging today");
    }),
    CARTS,
  );
  const laws = tryLaws(subject) as NonNullable<ReturnType<typeof tryLaws>>;
  expect(laws.report.text).toContain("it throws Error: no merging today");
  expect(countBroken([laws])).toBe(1);
});

test("one that hangs on how versions are grouped is found out, with the smallest example", async () => {
  const subject = await subjectWith(merge((values) => values.join("+")));
  const laws = tryLaws(subject) as NonNullable<ReturnType<typeof tryLaws>>;
  expect(laws.report.ok).toBe(false);
  expect(laws.report.text).toContain("broken (seed");
  expect(describeLaws(laws)).toBe("VIOLATED: 1 of 6 laws");
  const [caution] = lawCautions([subject], [laws]);
  expect(caution).toMatchObject({ keyspace: "carts", code: "merge-breaks-laws" });
  expect(caution?.sentence).toContain(laws.report.broken[0]?.law);
});

test("resolvers of Capstan's own are not tried, nor is none", async () => {
  for (const resolver of [undefined, "lww"]) {
    expect(tryLaws(await subjectWith(resolver))).toBeUndefined();
  }
});

test("a CRDT's operations cannot be drawn, and that is said", async () => {
  const subject = await subjectWith(gSet());
  expect(tryLaws(subject)).toBeUndefined();
  expect(lawCautions([subject], [])).toMatchObject([{ code: "laws-not-tried" }]);
});
