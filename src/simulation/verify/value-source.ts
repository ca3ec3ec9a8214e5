import type { StandardSchema } from "../../core/contracts/standard-schema.ts";
import { isPlainObject } from "../../core/model/plain-object.ts";
import { encodeValue } from "../../core/model/values.ts";
import { sameValue } from "../../verification/register-values.ts";
import { drawFromJsonSchema } from "./draw-from-json-schema.ts";

/** Where the values come from that the simulated clients write. */
export interface ValueSource {
  /** `plain`: there is no schema; `schema`: drawn by it; `none`: nothing drawn passes it. */
  readonly kind: "plain" | "schema" | "none";
  /** 1, 2, 3, … pass. */
  readonly takesNumbers: boolean;
  /** The schema takes numbers and no text: perhaps something is counted. */
  readonly isNumeric: boolean;
  /** None of what was drawn passes the schema, so that the run does without it. */
  readonly isSchemaLeftOut: boolean;
  /** The values of write number `number`, from 1; another one each time where the schema allows. */
  readonly valueAt: (number: number) => unknown;
}

/** Each of these has to pass before a way of drawing is taken. */
const TRIED: readonly number[] = Object.freeze([1, 2, 3, 10, 57, 400, 1_999]);

type Drawing = (number: number) => unknown;

/** What schemas are tried with that do not say their shape. */
const GUESSES: readonly Drawing[] = Object.freeze<Drawing[]>([
  (number) => `v${number}`,
  (number) => number,
  (number) => ({ number }),
  (number) => [number],
  (number) => BigInt(number),
  (number) => new Date(number * 1_000),
  (number) => Uint8Array.of(number >>> 16, number >>> 8, number),
  (number) => number % 2 === 0,
]);

/**
 * Values for a keyspace with this schema: by the schema's own shape where it tells it (the Standard
 * JSON Schema interface, which zod, arktype and others have), else the first of a few plain forms
 * that passes. A value that the schema changes is taken as it comes out, if that comes out again.
 */
export async function drawsFor(schema: StandardSchema | undefined): Promise<ValueSource> {
  const plain: Drawing = (number) => `v${number}`;
  if (schema === undefined) {
    return {
      kind: "plain",
      takesNumbers: true,
      isNumeric: false,
      isSchemaLeftOut: false,
      valueAt: plain,
    };
  }
  const takesNumbers = await takesAll(schema, (number) => number);
  const isNumeric = takesNumbers && (await stableValue(schema, "v1")) === undefined;
  const shape = jsonSchemaOf(schema);
  const ways: readonly Drawing[] = [
    ...(shape === undefined ? [] : [(number: number) => drawFromJsonSchema(shape, number)]),
    ...GUESSES,
  ];
  for (const way of ways) {
    const shown = await Promise.all(TRIED.map((number) => stableValue(schema, way(number))));
    if (shown.some((value) => value === undefined)) continue;
    const changes = shown.some((value, at) => !sameValue(value, way(TRIED[at] as number)));
    const valueAt = changes ? await tabled(schema, way) : way;
    return { kind: "schema", takesNumbers, isNumeric, isSchemaLeftOut: false, valueAt };
  }
  return { kind: "none", takesNumbers, isNumeric, isSchemaLeftOut: true, valueAt: plain };
}

async function takesAll(schema: StandardSchema, way: Drawing): Promise<boolean> {
  const shown = await Promise.all(TRIED.map((number) => stableValue(schema, way(number))));
  return shown.every((value) => value !== undefined);
}

const TABLED = 2_000;

/** The schema's own form of each value, made before the run: it may be asynchronous. */
async function tabled(schema: StandardSchema, way: Drawing): Promise<Drawing> {
  const values: unknown[] = [];
  for (let number = 1; number <= TABLED; number += 1) {
    const value = await stableValue(schema, way(number));
    if (value !== undefined) values.push(value);
  }
  return (number) => values[number % values.length];
}

/** What the schema makes of it, if that passes as it is and can be stored; else undefined. */
async function stableValue(schema: StandardSchema, value: unknown): Promise<unknown> {
  if (value === undefined) return undefined;
  try {
    const first = await schema["~standard"].validate(value);
    if (first.issues !== undefined || first.value === undefined) return undefined;
    const again = await schema["~standard"].validate(first.value);
    if (again.issues !== undefined) return undefined;
    const [one, other] = [encodeValue(first.value), encodeValue(again.value)];
    return Buffer.compare(one, other) === 0 ? first.value : undefined;
  } catch {
    // It throws on what it does not expect, or makes what no store can hold: not drawn like this.
    return undefined;
  }
}

function jsonSchemaOf(schema: StandardSchema): Readonly<Record<string, unknown>> | undefined {
  const { jsonSchema } = schema["~standard"] as {
    readonly jsonSchema?: { readonly input?: (options: { readonly target: string }) => unknown };
  };
  try {
    const shape = jsonSchema?.input?.({ target: "draft-2020-12" });
    return isPlainObject(shape) ? shape : undefined;
  } catch {
    // Parts of it have no JSON form.
    return undefined;
  }
}
