import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { resolveConfiguration } from "../src/core/model/configuration.ts";
import { parseDiskOptions } from "../src/storage/disk/disk-options.ts";
import { dynamoStrategy } from "../src/strategies/dynamo/dynamo-strategy.ts";
import { raftStrategy } from "../src/strategies/raft/raft-strategy.ts";
import { tunableStrategy } from "../src/strategies/tunable/tunable-strategy.ts";
import { parseNatsOptions } from "../src/transports/nats/nats-options.ts";
import { parseTcpOptions } from "../src/transports/tcp/tcp-options.ts";

// docs/configuration.md, row by row against the code that reads a configuration.

const PAGE = readFileSync("docs/configuration.md", "utf8");

type Options = Readonly<Record<string, unknown>>;

interface Row {
  readonly field: string;
  readonly fallback: unknown;
  readonly allowed: string;
}

/** Who reads a field whose path begins with this word; all others are the configuration's own. */
const READERS: Readonly<Record<string, (options: Options) => unknown>> = Object.freeze({
  disk: parseDiskOptions,
  dynamo: (options) => dynamoStrategy.parseSettings(options, "keyspaces.a", 3, 1),
  nats: parseNatsOptions,
  raft: (options) => raftStrategy.parseSettings(options, "keyspaces.a", 3, 1),
  tcp: parseTcpOptions,
  tunable: (options) => tunableStrategy.parseSettings(options, "keyspaces.a", 3, 1),
});

/** No field takes it. */
const NEVER_RIGHT = Number.NaN;

const ROWS: readonly Row[] = [...PAGE.matchAll(/^\| `([\w.]+)` \| (.+?) \| (.+?) \|/gm)].map(
  ([, field = "", fallback = "", allowed = ""]) => ({
    field,
    fallback: plainOf(fallback),
    allowed: allowed.replaceAll("`", ""),
  }),
);

/** What the page gives as code is the value itself: a number or a word of JSON, else text. */
function plainOf(cell: string): unknown {
  const [, code] = /^`([^`]+)`$/.exec(cell) ?? [];
  if (code === undefined) return undefined;
  return /^(\d+|true|false)$/.test(code) ? JSON.parse(code) : code;
}

/** What the field's reader makes of the value; without one, of nothing. */
function read(field: string, ...values: readonly unknown[]): unknown {
  const [owner = "", ...path] = field.split(".");
  const reader = READERS[owner];
  if (reader !== undefined)
    return reader(values.reduce<Options>((_, value) => nested(path, value), {}));
  // A field of a node or of a keyspace belongs to one that is there.
  const cluster: Options = { nodes: { n1: {} } };
  const given = values.reduce<Options>((_, value) => nested(field.split("."), value), {});
  const resolved = resolveConfiguration({
    keyspaces: { a: {} },
    ...given,
    cluster: { ...cluster, ...(given.cluster as Options | undefined) },
  });
  return { ...resolved, digest: undefined, outline: undefined };
}

function nested(path: readonly string[], value: unknown): Options {
  const [name = "", ...rest] = path;
  return { [name]: rest.length === 0 ? value : nested(rest, value) };
}

test("the page has the rows", () => {
  expect(ROWS.length).toBeGreaterThan(60);
});

/** Others have none, or one that the page tells in words. */
const WITH_DEFAULT = ROWS.filter(({ fallback }) => fallback !== undefined);

test.each(WITH_DEFAULT)("$field has the default that the page gives", ({ field, fallback }) => {
  expect(read(field, fallback)).toEqual(read(field));
});

describe.each(ROWS)("$field", ({ field, allowed }) => {
  test("is refused with what the page says is allowed", () => {
    expect(() => read(field, NEVER_RIGHT)).toThrow(
      expect.objectContaining({
        code: "INVALID_CONFIGURATION",
        message: expect.stringContaining(allowed),
      }),
    );
  });
});

/** The names that a refusal of one that there is not lists. */
function fieldsOf(field: string): readonly string[] {
  try {
    read(field, 1);
  } catch (error) {
    const [, names = ""] = /; allowed: (.+)$/.exec((error as Error).message) ?? [];
    return names.split(", ").sort();
  }
  throw new Error(`${field} was taken`);
}

describe("has every field of", () => {
  test.each<[where: string, but: readonly string[]]>([
    ["cluster", []],
    ["cluster.nodes.n1", []],
    ["clock", []],
    ["detector", []],
    ["limits", []],
    ["tunable", []],
    ["tunable.repair", []],
    // The two stand once, for both strategies.
    ["dynamo", ["deadlines", "repair", "hedge", "digestAbove", "resolver"]],
    ["raft", []],
    ["tcp", []],
    ["nats", ["pass"]],
    ["disk", []],
    ["http", []],
  ])("%s", (where, but) => {
    const depth = where.split(".").length;
    const onPage = ROWS.filter(({ field }) => field.startsWith(`${where}.`)).map(
      ({ field }) => field.split(".")[depth] as string,
    );
    const known = fieldsOf(`${where}.noSuchField`).filter((name) => !but.includes(name));
    expect([...new Set(onPage)].sort()).toEqual(known);
  });
});
