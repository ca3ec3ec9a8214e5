import { z } from "zod";
import { problemAnswer, writtenAnswer } from "./schemas.ts";

/** The shapes of `POST …/batch`. */
const PUT_FIELDS = "put,value";
const DELETE_FIELDS = "delete";

/** As JSON Schema says it, for the description of the API. */
const WRITE_FORMS = Object.freeze(
  [
    { key: "put", others: ["value"] },
    { key: "delete", others: [] },
  ].map(({ key, others }) => ({
    type: "object",
    properties: {
      [key]: { type: "string", description: "The key" },
      ...Object.fromEntries(others.map((name) => [name, { description: "Any JSON" }])),
      operation_id: { type: "string", description: "Of this write, where each is on its own" },
    },
    required: [key, ...others],
    additionalProperties: false,
  })),
);

/** One write as it came in; a value is still as the content type has it. */
export type WriteInBody = (
  | { readonly put: string; readonly value: unknown }
  | { readonly delete: string }
) & { readonly operation_id?: string };

/** Told by hand: zod passes over `__proto__`, and says of a union only that nothing fits. */
function isWrite(write: unknown): write is WriteInBody {
  if (typeof write !== "object" || write === null) return false;
  const { operation_id: operationId, ...rest } = write as Record<string, unknown>;
  if (operationId !== undefined && typeof operationId !== "string") return false;
  const fields = Object.keys(rest).sort().join();
  if (fields === PUT_FIELDS) return typeof rest.put === "string";
  return fields === DELETE_FIELDS && typeof rest.delete === "string";
}

export const batchBody = z.strictObject({
  writes: z
    .array(
      z
        .unknown()
        .refine(
          isWrite,
          'a write has to be { "put": key, "value" } or { "delete": key }, with an operation_id or without',
        )
        .meta({ oneOf: WRITE_FORMS }),
    )
    .describe("All or none where the keyspace has one order (raft), else each key on its own"),
  ttl_ms: z.int().positive().describe("Life of the values, in milliseconds").optional(),
});

export const batchAnswer = z.strictObject({
  results: z
    .array(
      z.union([
        writtenAnswer.extend({ ok: z.literal(true), outcome: z.literal("applied") }),
        z.strictObject({
          key: z.string(),
          ok: z.literal(false),
          outcome: problemAnswer.shape.outcome,
          problem: problemAnswer.describe("What the write alone would have been answered"),
        }),
      ]),
    )
    .describe("In the order of the writes"),
});
