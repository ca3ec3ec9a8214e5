import { encodeValue } from "../core/model/values.ts";
import { type KeyValueOperation, OPEN_ENDED } from "./operation.ts";

export const HISTORY_FORMAT = "capstan-history";
export const HISTORY_VERSION = 1;

/**
 * A history as lines of JSON, without their ends: first a header that names format and version,
 * then one line for each operation:
 *
 *     {"format":"capstan-history","version":1}
 *     {"client":"c1","node":"n1","level":"strong","type":"put","key":"k","value":"DAJ2MQ==",
 *      "output":{"version":"t…"},"outcome":"applied","called_at":0,"returned_at":3,
 *      "called_at_ms":1.5,"returned_at_ms":4}
 *
 * `type` is `get`, `put`, `delete` or `batch`; the last has `writes` with `key` and `value` each,
 * where no value is a deletion. Values are their canonical encoding in base64; who writes a file by
 * hand may put JSON into `value_json` instead. The `output` of a `get` has `value`, or `siblings`,
 * or neither of them if nothing was found. `returned_at` is null where the outcome is unknown.
 */
export function* historyLines(
  history: Iterable<KeyValueOperation>,
): Generator<string, void, undefined> {
  yield JSON.stringify({ format: HISTORY_FORMAT, version: HISTORY_VERSION });
  for (const operation of history) yield JSON.stringify(fieldsOf(operation));
}

/** The lines of a whole file, each with its end. */
export function formatHistory(history: Iterable<KeyValueOperation>): string {
  return [...historyLines(history)].map((line) => `${line}\n`).join("");
}

function fieldsOf(operation: KeyValueOperation): Readonly<Record<string, unknown>> {
  const { client, node, level, achieved, outcome, calledAt, returnedAt } = operation;
  return {
    client,
    node,
    level,
    achieved,
    ...inputFields(operation),
    output: outputFields(operation),
    outcome,
    called_at: calledAt,
    returned_at: returnedAt === OPEN_ENDED ? null : returnedAt,
    called_at_ms: operation.calledAtMs,
    returned_at_ms: operation.returnedAtMs,
  };
}

function inputFields({ input }: KeyValueOperation): Readonly<Record<string, unknown>> {
  const { type } = input;
  if (type === "batch") {
    const writes = input.writes.map(({ key, value }) => ({ key, value: encoded(value) }));
    return { type, writes };
  }
  return { type, key: input.key, value: type === "put" ? encoded(input.value) : undefined };
}

function outputFields({
  output,
}: KeyValueOperation): Readonly<Record<string, unknown>> | undefined {
  if (output === undefined) return undefined;
  const { value, siblings, version } = output;
  return { value: encoded(value), siblings: siblings?.map(encoded), version };
}

/** Left out of the line if there is none. */
function encoded(value: unknown): string | undefined {
  return value === undefined ? undefined : Buffer.from(encodeValue(value)).toString("base64");
}
