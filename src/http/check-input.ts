import type { FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { CapstanError } from "../core/model/errors.ts";
import { formatPath } from "../core/model/value-path.ts";

/**
 * Checks a query, headers or a body against its zod schema; the refusal names the field and what is
 * allowed. Unknown fields are looked for here: zod passes over `__proto__`, which is a misspelt
 * field like any other.
 */
export const inputValidator: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const part = httpPart === "querystring" ? "query" : (httpPart ?? "request");
  const fields = strictFieldsOf(schema);
  return (data: unknown) => {
    const unknown =
      fields && typeof data === "object" && data !== null && unknownField(data, fields);
    if (typeof unknown === "string")
      return { error: unknownFieldFault(part, unknown, fields ?? []) };
    const result = schema.safeParse(data ?? undefined, { reportInput: true });
    if (result.success) return { value: result.data };
    return { error: data === null ? missing(part, fields) : faultOf(part, result.error) };
  };
};

function unknownField(data: object, fields: readonly string[]): string | undefined {
  if (Array.isArray(data)) return undefined;
  return Object.keys(data).find((name) => !fields.includes(name));
}

function unknownFieldFault(part: string, name: string, fields: readonly string[]): CapstanError {
  const allowed = fields.length === 0 ? "none is allowed" : `allowed are ${fields.join(", ")}`;
  return new CapstanError(
    "INVALID_ARGUMENT",
    `the ${part} has an unknown field ${JSON.stringify(name.slice(0, 60))}; ${allowed}`,
    { allowed: fields },
  );
}

/** Fastify says null of what was not sent; a body that is null has been refused before. */
function missing(part: string, fields: readonly string[] | undefined): CapstanError {
  const needed = fields === undefined ? "" : `; it has to be an object with ${fields.join(", ")}`;
  return new CapstanError("INVALID_ARGUMENT", `the ${part} is missing${needed}`);
}

function faultOf(part: string, error: z.ZodError): CapstanError {
  const [issue] = error.issues;
  const segments = issue?.path ?? [];
  const path = formatPath(
    segments.map((each) => (typeof each === "number" ? each : String(each))),
    "",
  );
  if (path !== "" && issue?.input === undefined) {
    return new CapstanError("INVALID_ARGUMENT", `the ${part} has no ${path}, which is needed`);
  }
  const input = issue?.input === undefined ? "" : ` (it is ${shown(issue.input)})`;
  return new CapstanError(
    "INVALID_ARGUMENT",
    `the ${part}${path === "" ? "" : `'s ${path}`} is refused: ${issue?.message}${input}`,
  );
}

/** Names of a strict object's fields; undefined for what takes any. */
function strictFieldsOf(schema: z.ZodType): readonly string[] | undefined {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  if (!(inner instanceof z.ZodObject)) return undefined;
  return inner.def.catchall instanceof z.ZodNever ? Object.keys(inner.shape) : undefined;
}

function shown(input: unknown): string {
  if (typeof input === "object" && input !== null)
    return Array.isArray(input) ? "an array" : "an object";
  return JSON.stringify(typeof input === "string" ? input.slice(0, 60) : input) ?? String(input);
}
