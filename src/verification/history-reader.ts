import { CapstanError, isCapstanError } from "../core/model/errors.ts";
import type { Outcome } from "../core/model/outcome.ts";
import { HISTORY_FORMAT, HISTORY_VERSION } from "./history-format.ts";
import { LineFields } from "./line-fields.ts";
import {
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  type KeyValueWrite,
  OPEN_ENDED,
} from "./operation.ts";

const OUTCOMES: readonly Outcome[] = Object.freeze(["applied", "not-applied", "unknown"]);
const TYPES = Object.freeze(["get", "put", "delete", "batch"] as const);

/**
 * Reads what `historyLines` wrote, line by line.
 *
 * Every method throws `CapstanError` `INVALID_ARGUMENT`, which names the line (from 1, blank ones
 * counted), the field, what is there and what is allowed. Nothing of a wrong line is kept.
 */
export class HistoryReader {
  readonly #operations: KeyValueOperation[] = [];
  #lines = 0;
  #hasHeader = false;

  /** The next line, without its end. */
  line(text: string): void {
    this.#lines += 1;
    if (text.trim() === "") return;
    try {
      const fields = LineFields.parse(text);
      if (this.#hasHeader) this.#operations.push(operationOf(fields));
      else checkHeader(fields);
      this.#hasHeader = true;
    } catch (error) {
      if (isCapstanError(error)) this.#refuse(error.message);
      throw error;
    }
  }

  /** What was read. */
  end(): readonly KeyValueOperation[] {
    if (this.#hasHeader) return this.#operations;
    this.#lines = 1;
    return this.#refuse(`the header ${HEADER} is missing; there is nothing`);
  }

  #refuse(problem: string): never {
    throw new CapstanError("INVALID_ARGUMENT", `line ${this.#lines}: ${problem}`, {
      details: { line: this.#lines },
    });
  }
}

/** All of it at once: `HistoryReader`. */
export function parseHistory(text: string): readonly KeyValueOperation[] {
  const reader = new HistoryReader();
  for (const line of text.split(/\r?\n/)) reader.line(line);
  return reader.end();
}

const HEADER = `{"format":"${HISTORY_FORMAT}","version":${HISTORY_VERSION}}`;

function checkHeader(fields: LineFields): void {
  if (!fields.has("format")) fields.refuse(`the header ${HEADER} is missing`);
  fields.oneOf("format", [HISTORY_FORMAT]);
  const version = fields.number("version");
  if (version !== HISTORY_VERSION) {
    fields.refuse(`"version" is ${version}; this reads version ${HISTORY_VERSION}`);
  }
  fields.end();
}

function operationOf(fields: LineFields): KeyValueOperation {
  const input = inputOf(fields);
  const outcome = fields.oneOf("outcome", OUTCOMES);
  const output = outputOf(fields, input, outcome);
  const span = spanOf(fields, outcome);
  const client = fields.text("client");
  const notes = {
    ...fields.optionalText("node"),
    ...fields.optionalText("level"),
    ...fields.optionalText("achieved"),
  };
  fields.end();
  return {
    client,
    ...notes,
    input,
    ...(output === undefined ? {} : { output }),
    outcome,
    ...span,
  };
}

function inputOf(fields: LineFields): KeyValueInput {
  const type = fields.oneOf("type", TYPES);
  if (type === "batch") return { type, writes: fields.list("writes").map(writeOf) };
  const key = fields.text("key");
  if (type !== "put") return { type, key };
  const value = fields.optionalValue("value");
  if (value === undefined) fields.refuse('"value" is missing; a put has one');
  return { type, key, value };
}

function writeOf(fields: LineFields): KeyValueWrite {
  const write = { key: fields.text("key"), value: fields.optionalValue("value") };
  fields.end();
  return write;
}

function outputOf(
  fields: LineFields,
  input: KeyValueInput,
  outcome: Outcome,
): KeyValueOutput | undefined {
  const nested = fields.optionalObject("output");
  if (nested === undefined) return undefined;
  if (outcome !== "applied") fields.refuse(`"output" is there, and the outcome is ${outcome}`);
  const value = input.type === "get" ? nested.optionalValue("value") : undefined;
  const siblings = input.type === "get" ? nested.optionalValues("siblings") : undefined;
  if (value !== undefined && siblings !== undefined) {
    nested.refuse('"value" and "siblings" are both there; a read finds one or the other');
  }
  const version = nested.optionalText("version");
  nested.end();
  return {
    ...(value === undefined ? {} : { value }),
    ...(siblings === undefined ? {} : { siblings }),
    ...version,
  };
}

function spanOf(fields: LineFields, outcome: Outcome) {
  const calledAt = fields.number("called_at");
  const returned = fields.numberOrNull("returned_at");
  if ((returned === null) !== (outcome === "unknown")) {
    fields.refuse(
      `"returned_at" is ${returned}, and the outcome is ${outcome}; it is null if that is unknown, and only then`,
    );
  }
  const returnedAt = returned ?? OPEN_ENDED;
  if (returnedAt < calledAt) {
    fields.refuse(`"returned_at" is ${returnedAt}, which is before "called_at" (${calledAt})`);
  }
  const calledAtMs = fields.optionalNumber("called_at_ms");
  const returnedAtMs = fields.optionalNumber("returned_at_ms");
  return {
    calledAt,
    returnedAt,
    ...(calledAtMs === undefined ? {} : { calledAtMs }),
    ...(returnedAtMs === undefined ? {} : { returnedAtMs }),
  };
}
