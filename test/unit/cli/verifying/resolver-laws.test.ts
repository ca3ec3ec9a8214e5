import { expect, test } from "vitest";
import { lawCautions, tryLaws } from "../../../../src/cli/verifying/resolver-laws.ts";
import { gSet } from "../../../../src/resolvers/crdt/g-set.ts";
import { merge } from "../../../../src/resolvers/merge.ts";
import type { Subject } from "../../../../src/simulation/verify/subject.ts";
import { drawsFor } from "../../../../src/simulation/verify/value-source.ts";

async function subjectWith(resolver: object | string | undefined): Promise<Subject> {
  const values = await drawsFor(undefined);
  return { keyspace: { name: "carts", resolver }, values } as unknown as Subject;
}

test("a merge function that keeps its laws is said to, and nothing more", async () => {
  const subject = await subjectWith(merge((values) => [...values].sort().at(-1)));
  const laws = tryLaws(subject);
  expect(laws).toMatchObject({ keyspace: "carts", report: { ok: true } });
  expect(lawCautions([subject], [laws as NonNullable<typeof laws>])).toEqual([]);
});

test("one that hangs on how versions are grouped is found out, with the smallest example", async () => {
  const subject = await subjectWith(merge((values) => values.join("+")));
  const laws = tryLaws(subject) as NonNullable<ReturnType<typeof tryLaws>>;
  expect(laws.report.ok).toBe(false);
  expect(laws.report.text).toContain("broken (seed");
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
