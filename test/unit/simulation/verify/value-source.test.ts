import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { StandardSchema } from "../../../../src/core/contracts/standard-schema.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { drawsFor } from "../../../../src/simulation/verify/value-source.ts";

const NUMBERS = Array.from({ length: 50 }, (_, index) => index + 1);

function distinct(values: readonly unknown[]): number {
  return new Set(values.map((value) => Buffer.from(encodeValue(value)).toString("hex"))).size;
}

/** A schema that tells nothing of its shape. */
function opaque(takes: (value: unknown) => boolean): StandardSchema {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) =>
        takes(value) ? { value } : { issues: [{ message: "not taken", path: [] }] },
    },
  };
}

const TREE = z.object({
  name: z.string(),
  get parts(): z.ZodArray<typeof TREE> {
    return z.array(TREE);
  },
});

const SHAPES: readonly (readonly [string, z.ZodType])[] = [
  ["text", z.string()],
  ["long text", z.string().min(40)],
  ["whole numbers within bounds", z.int().min(100).max(100_000)],
  ["an address", z.email()],
  ["an object", z.object({ name: z.string(), age: z.int().optional() })],
  ["nested objects", z.object({ at: z.object({ x: z.number(), y: z.number() }) })],
  ["a list", z.array(z.string()).min(2)],
  ["a tuple", z.tuple([z.string(), z.number()])],
  ["one of two shapes", z.union([z.string(), z.object({ id: z.int() })])],
  ["a record", z.record(z.string(), z.int())],
  ["what is defined by itself", TREE],
];

describe("values by the schema's own shape", () => {
  test.each(SHAPES)("%s", async (_name, schema) => {
    const source = await drawsFor(schema);
    expect(source).toMatchObject({ kind: "schema", isSchemaLeftOut: false });
    const values = NUMBERS.map((number) => source.valueAt(number));
    for (const value of values) expect(schema.safeParse(value)).toMatchObject({ success: true });
    expect(distinct(values)).toBe(NUMBERS.length);
  });

  test("of few values, all of them", async () => {
    const source = await drawsFor(z.enum(["red", "green", "blue"]));
    const values = NUMBERS.map((number) => source.valueAt(number));
    expect(new Set(values)).toEqual(new Set(["red", "green", "blue"]));
  });

  test("what the schema makes of a value is what is written", async () => {
    const schema = z.object({ name: z.string(), role: z.string().default("guest") });
    const source = await drawsFor(schema);
    for (const number of NUMBERS) {
      const value = source.valueAt(number);
      expect(schema.parse(value)).toEqual(value);
    }
  });
});

describe("schemas without a shape", () => {
  test("the first plain form that passes is taken", async () => {
    const objects = await drawsFor(opaque((value) => typeof value === "object"));
    expect(objects.valueAt(7)).toEqual({ number: 7 });
    const bigints = await drawsFor(opaque((value) => typeof value === "bigint"));
    expect(bigints.valueAt(7)).toBe(7n);
  });

  test("one that takes nothing of it is left out, and says so", async () => {
    const source = await drawsFor(opaque(() => false));
    expect(source).toMatchObject({ kind: "none", isSchemaLeftOut: true });
    expect(source.valueAt(7)).toBe("v7");
  });

  test("so is one that throws", async () => {
    const source = await drawsFor(
      opaque(() => {
        throw new Error("not prepared for that");
      }),
    );
    expect(source.kind).toBe("none");
  });

  test("an asynchronous one is asked all the same", async () => {
    const schema: StandardSchema = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          Promise.resolve(
            Array.isArray(value) ? { value } : { issues: [{ message: "no", path: [] }] },
          ),
      },
    };
    expect((await drawsFor(schema)).valueAt(7)).toEqual([7]);
  });

  test("without a schema values are plain text", async () => {
    const source = await drawsFor(undefined);
    expect(source).toMatchObject({ kind: "plain", isNumeric: false });
    expect(source.valueAt(7)).toBe("v7");
  });
});

test("a schema of numbers alone is known for one", async () => {
  expect((await drawsFor(z.number())).isNumeric).toBe(true);
  expect((await drawsFor(z.int().min(0))).isNumeric).toBe(true);
  expect((await drawsFor(z.union([z.number(), z.string()]))).isNumeric).toBe(false);
  expect((await drawsFor(z.object({ count: z.number() }))).isNumeric).toBe(false);
});
