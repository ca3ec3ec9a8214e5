import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { versionTokenOf } from "../../../src/core/model/version-token.ts";
import { encodeRevision } from "../../../src/strategies/raft/version.ts";
import { formatHistory, type KeyValueOperation } from "../../../src/verification/index.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { batch, legalHistory, read, write } from "../verification/histories.ts";
import { fakeSurroundings, type Ran, run, silentStream, streamOf } from "./fake-surroundings.ts";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "capstan-check-"));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function check(history: readonly KeyValueOperation[] | string, ...words: string[]): Promise<Ran> {
  const text = typeof history === "string" ? history : formatHistory(history);
  writeFileSync(join(directory, "history.ndjson"), text);
  return run(["check", "history.ndjson", ...words], fakeSurroundings({ directory }));
}

const stale: KeyValueOperation[] = [
  { ...write("a", 0, 1), level: "strong" },
  { ...write("b", 2, 3), level: "strong" },
  { ...read("a", 4, 5), level: "one" },
];

describe("capstan check", () => {
  test("says that a legal history is legal, with code 0", async () => {
    expect(await check([write("a", 0, 1), read("a", 2, 3)])).toEqual({
      exitCode: 0,
      stdout:
        "legal: 2 of 2 operations were judged: there is an order that explains every answer (1 independent part, 2 steps).\n",
      stderr: "",
    });
  });

  test("shows why one is not, with code 1", async () => {
    const ran = await check([...stale, write("x", 6, 7, "other")]);
    expect(ran).toEqual({
      exitCode: 1,
      stdout: `illegal: 4 of 4 operations were judged: no order of the operations on key "k" explains every answer.

get "k" -> "a" by r fits nowhere among these operations, none of which can be left out.

w  |1 put "k" = "a"| |2 put "k" = "b"|
r                                      |3 get "k" -> "a"| <==

w  1 put "k" = "a"   called 0, returned 1 at strong
w  2 put "k" = "b"   called 2, returned 3 at strong
r  3 get "k" -> "a"  called 4, returned 5 at one <==
`,
      stderr: "",
    });
  });

  test("gives the same as one JSON object", async () => {
    const ran = await check(stale, "--json");
    expect(ran.exitCode).toBe(1);
    expect(JSON.parse(ran.stdout)).toEqual({
      verdict: "illegal",
      model: "register",
      judged: 3,
      steps: 3,
      sentence: 'no order of the operations on key "k" explains every answer.',
      counterexample: {
        sentence:
          'get "k" -> "a" by r fits nowhere among these operations, none of which can be left out.',
        operations: [
          expect.objectContaining({ type: "put", called_at: 0 }),
          expect.objectContaining({ type: "put", called_at: 2 }),
          expect.objectContaining({ type: "get", called_at: 4 }),
        ],
        violated: {
          client: "r",
          level: "one",
          type: "get",
          key: "k",
          output: { value: "AQoBYQ==" },
          outcome: "applied",
          called_at: 4,
          returned_at: 5,
        },
      },
    });
  });

  test("with --level leaves out what was asked at others", async () => {
    expect(await check(stale, "--level", "strong")).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^legal: 2 of 2 operations were judged/),
    });
  });

  test("ends with code 5 where nothing was answered at the level, and says at which something was", async () => {
    const sentence = "no operation was answered at level quorum; the history has: strong, one.";
    const { exitCode, stdout, stderr } = await check(stale, "--level", "quorum");
    expect({ exitCode, stderr }).toEqual({ exitCode: 5, stderr: "" });
    expect(stdout).toBe(`unknown: 0 of 3 operations were judged: ${sentence}\n`);
    const json = await check(stale, "--level", "quorum", "--json");
    expect(json.exitCode).toBe(5);
    expect(JSON.parse(json.stdout)).toMatchObject({ verdict: "unknown", judged: 0, sentence });
  });

  test("ends with code 5 where the bound was reached", async () => {
    const random = new SeededRandom(1, "check");
    const history = legalHistory(random, { length: 300, spread: 200, unknownOneIn: 5 });
    const batched = [...history, batch([{ key: "k", value: "z" }], 0, 1)];
    const ran = await check(batched, "--model", "batch-register", "--max-steps", "100");
    expect(ran.exitCode).toBe(5);
    expect(ran.stdout).toMatch(
      /^unknown: 301 of 301 operations .* the bound of 100 steps was reached before any answer \(key "k"\); a greater --max-steps may decide\.\n$/,
    );
  });

  test.each<[string, KeyValueOperation[], string]>([
    ["nothing at all", [], "register"],
    [
      "nothing that was applied",
      [{ ...write("a", 0, 1), outcome: "not-applied" } as KeyValueOperation],
      "register",
    ],
    ["no read", [write("a", 0, 1)], "regular"],
    ["nothing at all, for sessions", [], "monotonic-reads"],
  ])("ends with code 5 where the history has %s", async (_what, history, model) => {
    const ran = await check(history, "--model", model);
    expect(ran).toMatchObject({ exitCode: 5, stderr: "" });
    expect(ran.stdout).toMatch(/^unknown: 0 of [01] operations were judged: /);
  });

  test("judges batches by their own model, and names it otherwise", async () => {
    const writes = [
      { key: "a", value: "x" },
      { key: "b", value: "x" },
    ];
    const torn = [batch(writes, 0, 9), read("x", 1, 2, "a"), read(undefined, 3, 4, "b")];
    const ran = await check(torn, "--model", "batch-register");
    expect(ran.exitCode).toBe(1);
    expect(ran.stdout).toContain('the operations on keys "a", "b" explains');
    expect(await check(torn)).toMatchObject({
      exitCode: 2,
      stderr: "error: the history holds batches; --model batch-register judges those.\n",
    });
  });

  test("judges a regular register, and says what overwrote what", async () => {
    expect(await check([write("a", 0, 1), read("a", 2, 3)], "--model", "regular")).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("each of 1 read finds what was written last, or beside it."),
    });
    const ran = await check([...stale, read("never", 6, 7)], "--model", "regular");
    expect(ran.exitCode).toBe(1);
    expect(ran.stdout).toContain("2 of 2 reads found what could not be there. The first:");
    expect(ran.stdout).toContain(
      'get "k" -> "a" by r finds what put "k" = "b" by w had overwritten.',
    );
    const invented = await check([read("never", 6, 7)], "--model", "regular");
    expect(invented.stdout).toContain('get "k" -> "never" by r finds what nobody had written.');
    const nothing = await check([write("a", 0, 1), read(undefined, 2, 3)], "--model", "regular");
    expect(nothing.stdout).toContain('finds what put "k" = "a" by w had overwritten.');
  });

  test("judges sessions by versions", async () => {
    const version = (time: number) => versionTokenOf({ time, actorHigh: 0, actorLow: 0 });
    const session = (found: number) => [
      { ...write("a", 0, 1), client: "c", output: { version: version(5) } },
      { ...read("b", 2, 3), client: "c", output: { value: "b", version: version(found) } },
    ];
    expect(await check(session(5), "--model", "read-your-writes")).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("read-your-writes holds for 1 operation (0 without"),
    });
    const ran = await check(session(4), "--model", "read-your-writes");
    expect(ran.exitCode).toBe(1);
    expect(ran.stdout).toContain("read-your-writes is broken by 1 of 1 operation. The first:");
    expect(ran.stdout).toContain(
      'get "k" -> "b" by c is not as new as put "k" = "a" by c, which its client had done before.',
    );
    expect(await check(session(4), "--model", "monotonic-reads")).toMatchObject({ exitCode: 0 });
    const bare = await check([write("a", 0, 1)], "--model", "monotonic-writes");
    expect(bare).toMatchObject({
      exitCode: 5,
      stdout: expect.stringContaining("none of 1 operation carries a version."),
    });
  });

  test("judges sessions of raft by the places of their versions in the log", async () => {
    const version = (revision: number, life = 7) => encodeRevision(1, life, revision);
    const session = (found: string) => [
      { ...write("a", 0, 1), client: "c", output: { version: version(300) } },
      { ...read("b", 2, 3), client: "c", output: { value: "b", version: found } },
    ];
    expect(await check(session(version(300)), "--model", "read-your-writes")).toMatchObject({
      exitCode: 0,
    });
    const ran = await check(session(version(299)), "--model", "read-your-writes");
    expect(ran.exitCode).toBe(1);
    // A shard that began anew: neither version knows of the other.
    expect(await check(session(version(299, 8)), "--model", "read-your-writes")).not.toMatchObject({
      exitCode: 0,
    });
  });

  test("refuses versions whose order it does not know", async () => {
    const odd = [0, 2].map((at) => ({ ...write("a", at, at + 1), output: { version: `x${at}` } }));
    expect(await check(odd, "--model", "monotonic-writes")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("is no stamped version"),
    });
  });

  test.each<[string, string, RegExp]>([
    ["an empty file", "", /^error: history.ndjson: line 1: the header .* is missing/],
    [
      "a malformed line",
      `${formatHistory(stale)}{"client":1}\n`,
      /^error: history.ndjson: line 5: "type" is missing/,
    ],
  ])("refuses %s with code 2", async (_what, text, problem) => {
    const ran = await check(text);
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ran.stderr).toMatch(problem);
    const json = await check(text, "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: "USAGE" } });
  });

  test.each<[string[], RegExp]>([
    [["nowhere.ndjson"], /nowhere.ndjson: there is no such file/],
    [["."], /\. is a folder; a file is wanted/],
    [["history.ndjson", "--model", "raft"], /Allowed choices are register, batch-register/],
    [["history.ndjson", "--level", "any"], /It is one of one, two/],
    [["history.ndjson", "--max-steps", "0"], /It is a whole number from 1/],
    [[], /missing required argument 'file'/],
  ])("refuses %j with code 2", async (words, problem) => {
    const ran = await run(["check", ...words], fakeSurroundings({ directory }));
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toMatch(problem);
  });

  test("refuses bytes that are no text, by their line", async () => {
    const stdin = streamOf(formatHistory(stale), new Uint8Array([0xff, 0x0a]));
    expect(await run(["check", "-"], fakeSurroundings({ stdin }))).toMatchObject({
      exitCode: 2,
      stderr: "error: -: line 5: it is not UTF-8 text\n",
    });
  });

  test("reads standard input", async () => {
    const stdin = streamOf(formatHistory([write("a", 0, 1)]));
    expect(await run(["check", "-"], fakeSurroundings({ stdin }))).toMatchObject({ exitCode: 0 });
  });

  test("that is interrupted while it reads says no verdict", async () => {
    const stdin = silentStream();
    const surroundings = fakeSurroundings({ stdin });
    const running = run(["check", "-"], surroundings);
    stdin.push(formatHistory(stale));
    await new Promise((resolve) => setImmediate(resolve));
    surroundings.interruption.request("SIGINT");
    expect(await running).toMatchObject({ exitCode: 130, stdout: "" });
  });

  test("has help with examples", async () => {
    const ran = await run(["check", "--help"]);
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout).toContain("$ capstan check history.ndjson --model regular");
    expect(ran.stdout).toContain("Exit codes: 0 no violation, 1 violation");
  });
});
