import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCapstanError } from "../../../src/core/model/errors.ts";
import {
  formatHistory,
  type KeyValueInput,
  type KeyValueOperation,
  OPEN_ENDED,
  parseHistory,
} from "../../../src/verification/index.ts";

const HEADER = '{"format":"capstan-history","version":1}';

/** A whole line, with some fields replaced; `undefined` leaves one out. */
function line(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    client: "c1",
    type: "put",
    key: "k",
    value: "AYE=",
    outcome: "applied",
    called_at: 0,
    returned_at: 1,
    ...fields,
  });
}

function problemOf(...lines: readonly string[]): string {
  try {
    parseHistory(lines.join("\n"));
  } catch (error) {
    if (!isCapstanError(error)) throw error;
    expect(error.code).toBe("INVALID_ARGUMENT");
    return error.message;
  }
  return "nothing";
}

const arbitraryValue = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.uint8Array({ maxLength: 5 }).map((bytes) => new Uint8Array(bytes)),
  fc.dictionary(fc.string({ maxLength: 3 }), fc.integer(), { maxKeys: 3, noNullPrototype: true }),
);

const arbitraryOperation: fc.Arbitrary<KeyValueOperation> = fc
  .record({
    type: fc.constantFrom("get", "put", "delete", "batch"),
    client: fc.string(),
    node: fc.option(fc.string(), { nil: undefined }),
    level: fc.option(fc.constantFrom("strong", "one"), { nil: undefined }),
    achieved: fc.option(fc.constant("one"), { nil: undefined }),
    key: fc.string({ unit: "binary" }),
    value: arbitraryValue,
    version: fc.option(fc.string(), { nil: undefined }),
    siblings: fc.option(fc.array(arbitraryValue, { maxLength: 3 }), { nil: undefined }),
    outcome: fc.constantFrom("applied" as const, "not-applied" as const, "unknown" as const),
    calledAt: fc.nat(),
    lastsFor: fc.nat(),
    calledAtMs: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }), {
      nil: undefined,
    }),
  })
  .map((drawn) => {
    const { type, key, value, outcome, calledAt, version, siblings } = drawn;
    const inputs: Readonly<Record<string, KeyValueInput>> = {
      get: { type: "get", key },
      put: { type: "put", key, value },
      delete: { type: "delete", key },
      batch: {
        type: "batch",
        writes: [
          { key, value },
          { key: "gone", value: undefined },
        ],
      },
    };
    const found = type !== "get" ? {} : siblings === undefined ? { value } : { siblings };
    const output = { ...found, ...(version === undefined ? {} : { version }) };
    return {
      client: drawn.client,
      ...(drawn.node === undefined ? {} : { node: drawn.node }),
      ...(drawn.level === undefined ? {} : { level: drawn.level }),
      ...(drawn.achieved === undefined ? {} : { achieved: drawn.achieved }),
      input: inputs[type] as KeyValueInput,
      ...(outcome === "applied" ? { output } : {}),
      outcome,
      calledAt,
      returnedAt: outcome === "unknown" ? OPEN_ENDED : calledAt + drawn.lastsFor,
      ...(drawn.calledAtMs === undefined ? {} : { calledAtMs: drawn.calledAtMs }),
    };
  });

test("what was written is read again, whatever it holds", () => {
  fc.assert(
    fc.property(fc.array(arbitraryOperation, { maxLength: 8 }), (history) => {
      // -0 is 0 in JSON and in the store alike.
      expect(parseHistory(formatHistory(history))).toEqual(
        history.map((each) => (each.calledAtMs === 0 ? { ...each, calledAtMs: 0 } : each)),
      );
    }),
    { numRuns: 300, seed: 1 },
  );
});

test("lines look as the documentation says", () => {
  const operation: KeyValueOperation = {
    client: "c1",
    node: "n1",
    level: "strong",
    input: { type: "put", key: "k", value: "v1" },
    output: { version: "t1" },
    outcome: "applied",
    calledAt: 0,
    returnedAt: 3,
    calledAtMs: 1.5,
    returnedAtMs: 4,
  };
  expect(formatHistory([operation])).toBe(
    `${HEADER}\n{"client":"c1","node":"n1","level":"strong","type":"put","key":"k","value":"AQoCdjE=",` +
      '"output":{"version":"t1"},"outcome":"applied","called_at":0,"returned_at":3,' +
      '"called_at_ms":1.5,"returned_at_ms":4}\n',
  );
});

test("who writes by hand may write plain JSON, CRLF and blank lines", () => {
  const put = line({ value: undefined, value_json: { b: 1, a: [null] } });
  const get = line({ type: "get", value: undefined, output: { value_json: "x" } });
  const history = parseHistory(`${HEADER}\r\n\r\n${put}\r\n${get}\r\n`);
  expect(history.map(({ input, output }) => ({ input, output }))).toEqual([
    { input: { type: "put", key: "k", value: { a: [null], b: 1 } }, output: undefined },
    { input: { type: "get", key: "k" }, output: { value: "x" } },
  ]);
});

describe("what is refused, by line and reason", () => {
  test.each<[string, string[], string]>([
    ["an empty file", [""], `line 1: the header ${HEADER} is missing; there is nothing`],
    ["no header", [line()], `line 1: the header ${HEADER} is missing`],
    [
      "another format",
      ['{"format":"other","version":1}'],
      'line 1: "format" is "other"; "capstan-history" is wanted',
    ],
    [
      "a later version",
      ['{"format":"capstan-history","version":2}'],
      'line 1: "version" is 2; this reads version 1',
    ],
    ["what is no JSON", [HEADER, "{", line()], "line 2: it is not JSON: "],
    ["a line cut short", [HEADER, line(), line().slice(0, -9)], "line 3: it is not JSON: "],
    ["an array", [HEADER, "[1]"], 'line 2: it is [1]; an object {"name": ...} is wanted'],
    ["null", [HEADER, "null"], "line 2: it is null; an object"],
    ["blank lines count", [HEADER, "", " ", "7"], "line 4: it is 7;"],
    ["a missing field", [HEADER, line({ client: undefined })], 'line 2: "client" is missing; text'],
    ["a client of another kind", [HEADER, line({ client: 5 })], 'line 2: "client" is 5; text is'],
    ["a node of another kind", [HEADER, line({ node: {} })], 'line 2: "node" is {}; text is'],
    [
      "an unknown type",
      [HEADER, line({ type: "cas" })],
      'line 2: "type" is "cas"; "get" or "put" or "delete" or "batch" is wanted',
    ],
    [
      "an unknown outcome",
      [HEADER, line({ outcome: "ok" })],
      'line 2: "outcome" is "ok"; "applied" or "not-applied" or "unknown" is wanted',
    ],
    ["a place that is text", [HEADER, line({ called_at: "0" })], '"called_at" is "0"; a number'],
    [
      "a place beyond all numbers",
      [HEADER, line().replace('"called_at":0', '"called_at":-1e999')],
      'line 2: "called_at" is null; a number is wanted',
    ],
    ["a return of text", [HEADER, line({ returned_at: "x" })], '"returned_at" is "x"; a number or'],
    [
      "a return before the call",
      [HEADER, line({ called_at: 5, returned_at: 4 })],
      'line 2: "returned_at" is 4, which is before "called_at" (5)',
    ],
    [
      "an unknown outcome with a return",
      [HEADER, line({ outcome: "unknown" })],
      'line 2: "returned_at" is 1, and the outcome is unknown; it is null if',
    ],
    [
      "a known outcome without a return",
      [HEADER, line({ returned_at: null })],
      'line 2: "returned_at" is null, and the outcome is applied;',
    ],
    [
      "an answer to what was not applied",
      [HEADER, line({ outcome: "not-applied", output: {} })],
      'line 2: "output" is there, and the outcome is not-applied',
    ],
    ["an answer of another kind", [HEADER, line({ output: [] })], '"output" is []; an object is'],
    ["a put of nothing", [HEADER, line({ value: undefined })], '"value" is missing; a put has one'],
    ["a value of another kind", [HEADER, line({ value: 7 })], '"value" is 7; the canonical'],
    ["no base64", [HEADER, line({ value: "A?" })], '"value" is "A?"; the canonical encoding'],
    ["no encoding", [HEADER, line({ value: "AQ==" })], '"value" is "AQ=="; the canonical encoding'],
    [
      "a value twice",
      [HEADER, line({ value_json: 1 })],
      'line 2: "value" and "value_json" are both there',
    ],
    [
      "value and siblings",
      [HEADER, line({ type: "get", value: undefined, output: { value: "AYE=", siblings: [] } })],
      'line 2: "value" and "siblings" are both there',
    ],
    [
      "siblings of another kind",
      [HEADER, line({ type: "get", value: undefined, output: { siblings: 1 } })],
      'line 2: "output.siblings" is 1; an array of values',
    ],
    ["a field too many", [HEADER, line({ colour: 1 })], 'line 2: there is a field "colour"; known'],
    ["a value of a get", [HEADER, line({ type: "get" })], 'there is a field "value"; known here'],
    [
      "an answer with a field too many",
      [HEADER, line({ output: { value: "AYE=" } })],
      'line 2: there is a field "output.value"; known here are version',
    ],
    [
      "writes of another kind",
      [HEADER, line({ type: "batch", key: undefined, value: undefined, writes: [1] })],
      'line 2: "writes" is [1]; an array of objects is wanted',
    ],
    [
      "a write without a key",
      [HEADER, line({ type: "batch", key: undefined, value: undefined, writes: [{}] })],
      'line 2: "writes[0].key" is missing; text is wanted',
    ],
    [
      "a write with a field too many",
      [
        HEADER,
        line({ type: "batch", key: undefined, value: undefined, writes: [{ key: "k", x: 1 }] }),
      ],
      'line 2: there is a field "writes[0].x"; known here are key',
    ],
    [
      "a long field is cut in the message",
      [HEADER, line({ client: Array.from({ length: 99 }, () => 1) })],
      '"client" is [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,...; text',
    ],
  ])("%s", (_what, lines, problem) => {
    expect(problemOf(...lines)).toContain(problem);
  });
});
