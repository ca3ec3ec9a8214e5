import type {
  StandardSchema,
  StandardSchemaIssue,
  StandardSchemaResult,
} from "../contracts/standard-schema.ts";
import { describeValue, invalidConfiguration } from "../model/configuration-problems.ts";
import { CapstanError, isCapstanError } from "../model/errors.ts";

const TYPES_ALONE = "capstan.types-alone";

/**
 * A schema that types the values of a keyspace and checks nothing at run time:
 *
 * ```ts
 * keyspaces: { profiles: { strategy: "tunable", schema: valuesOf<Profile>() } }
 * ```
 */
export function valuesOf<Value>(): StandardSchema<Value, Value> {
  return {
    "~standard": {
      version: 1,
      vendor: TYPES_ALONE,
      validate: (value) => ({ value: value as Value }),
    },
  };
}

/** The schema that a keyspace checks values against; undefined if it has none that checks. */
export function checkingSchemaOf(schema: object | undefined, path: string) {
  if (schema === undefined) return undefined;
  const standard = (schema as Partial<StandardSchema>)["~standard"];
  if (typeof standard?.validate !== "function") {
    throw invalidConfiguration([
      {
        path,
        value: schema,
        allowed: ["a Standard Schema (https://standardschema.dev)"],
        reason: 'has no "~standard".validate',
      },
    ]);
  }
  return standard.vendor === TYPES_ALONE ? undefined : (schema as StandardSchema);
}

/**
 * What the schema makes of a value; a promise only if the schema is asynchronous.
 *
 * @throws CapstanError `INVALID_VALUE` with the schema's issues, or with what the schema itself has
 * thrown, which is no fault of ours; also as a rejection.
 */
export function validate(schema: StandardSchema, value: unknown): unknown {
  let result: ReturnType<StandardSchema["~standard"]["validate"]>;
  try {
    result = schema["~standard"].validate(value);
  } catch (error) {
    throw schemaFailed(error);
  }
  if (!isObject(result) || !("then" in result)) return valueOrThrow(result);
  // A promise of another realm, or a thenable, is made one of ours.
  return Promise.resolve(result).then(valueOrThrow, (error: unknown) => {
    throw schemaFailed(error);
  });
}

function valueOrThrow(result: StandardSchemaResult<unknown>): unknown {
  if (!isObject(result)) throw schemaFailed(`it gave ${describeValue(result)}`);
  if (result.issues === undefined) return result.value;
  if (!Array.isArray(result.issues)) throw schemaFailed("its issues are no list");
  const issues = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }));
  const listed = issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new CapstanError("INVALID_VALUE", `the keyspace's schema refuses the value: ${listed}`, {
    details: { issues },
  });
}

function schemaFailed(error: unknown): CapstanError {
  if (isCapstanError(error)) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new CapstanError("INVALID_VALUE", `the keyspace's schema failed on the value: ${why}`, {
    cause: error,
  });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function pathOf({ path = [] }: StandardSchemaIssue): string {
  return path.reduce<string>((text, segment) => {
    const key = typeof segment === "object" ? segment.key : segment;
    return typeof key === "number" ? `${text}[${key}]` : `${text}.${String(key)}`;
  }, "$");
}
