import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { type FakeStore, withFakeServer } from "./fake-store.ts";
import {
  type FakeSurroundings,
  fakeSurroundings,
  type Ran,
  run,
  silentStream,
} from "./fake-surroundings.ts";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "capstan-load-"));
});

afterAll(() => rmSync(directory, { recursive: true }));

type Load = (content: string, words?: readonly string[]) => Promise<Ran>;

function against<T>(
  use: (load: Load, store: FakeStore, surroundings: FakeSurroundings) => Promise<T>,
): Promise<T> {
  return withFakeServer((store, url) => {
    const surroundings = fakeSurroundings({ directory, env: { CAPSTAN_URL: url } });
    const load: Load = (content, words = []) => {
      writeFileSync(join(directory, "lines.ndjson"), content);
      return run(["load", "lines.ndjson", ...words], surroundings);
    };
    return use(load, store, surroundings);
  });
}

const lines = (count: number): string =>
  Array.from({ length: count }, (_, n) => `${JSON.stringify({ key: `k${n}`, value: n })}\n`).join(
    "",
  );

describe("capstan load", () => {
  test("writes, reads back at quorum, and counts", () =>
    against(async (load, store) => {
      const ran = await load(`${lines(200)}{"key":"k0","value":"again"}\n`);
      expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
      expect(ran.stdout).toMatch(
        /^loaded: 201 lines written, 1 replaced by a later line of the same key, 200 verified at quorum, /,
      );
      expect([store.content.size, store.content.get("k0")]).toEqual([200, "again"]);
      const reads = store.calls.filter(({ method }) => method === "get");
      expect(new Set(reads.map(({ options }) => options.consistency))).toEqual(new Set(["quorum"]));
    }));

  test("does not read back where that is not wanted", () =>
    against(async (load, store) => {
      expect((await load(lines(3), ["--no-verify"])).stdout).toMatch(
        /^loaded: 3 lines written, \d/,
      );
      expect(store.calls.every(({ method }) => method === "put")).toBe(true);
    }));

  test("notices what is not as it was written, and names the line", () =>
    against(async (load, store) => {
      const set = store.content.set.bind(store.content);
      store.content.set = (key, value) => set(key, key === "k1" ? "somebody else's" : value);
      const ran = await load(lines(3));
      expect(ran).toMatchObject({ exitCode: 1 });
      expect(ran.stdout).toContain("2 verified at quorum, 1 NOT equal");
      expect(ran.stderr).toMatch(/^error: line 2 \(key "k1"\): another value read back from http/);
    }));

  test("writes every line at the level that was asked for", () =>
    against(async (load, store) => {
      await load(lines(2), ["--consistency", "all", "--no-verify"]);
      expect(store.calls.map(({ options }) => options.consistency)).toEqual(["all", "all"]);
    }));

  test("ends with code 1 and the truth where a line was not applied", () =>
    against(async (load, store) => {
      store.faults.push(undefined, new CapstanError("STORE_CLOSED", "closing"));
      const ran = await load(lines(3), ["--concurrency", "1"]);
      expect(ran.exitCode).toBe(1);
      expect(ran.stderr).toContain('error: line 2 (key "k1"): STORE_CLOSED (not applied): closing');
      expect(ran.stdout).toMatch(/^stopped: 1 lines written, 1 not applied, not verified/);
    }));

  test("ends with code 2 where it is the command that is wrong, whatever lines it may skip", () =>
    against(async (load) => {
      const ran = await load(lines(3), ["--skip-bad", "--keyspace", "nope"]);
      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toContain('UNKNOWN_KEYSPACE (not applied): no keyspace "nope"');
      expect(ran.stderr).not.toContain("skip");
      expect(ran.stdout).toMatch(/^stopped: 0 lines written, 0 bad lines skipped, 3 not applied,/);
    }));

  test("ends with code 5 and the operation id where a line's outcome is unknown", () =>
    against(async (load, store) => {
      const fault = new CapstanError("OUTCOME_UNKNOWN", "no answer", {
        operationId: "op-3",
        retry: "never",
      });
      store.faults.push(...Array.from({ length: 50 }, () => fault));
      const ran = await load(lines(1), ["--json"]);
      expect(ran.exitCode).toBe(5);
      expect(JSON.parse(ran.stdout)).toMatchObject({
        complete: false,
        written: 0,
        unknown: 1,
        error: { line: 1, key: "k0", code: "OUTCOME_UNKNOWN", operation_id: "op-3" },
      });
    }));

  test("that is interrupted says how far it came", () =>
    against(async (load, store, { interruption }) => {
      const set = store.content.set.bind(store.content);
      store.content.set = (key, value) => {
        if (key === "k5") interruption.request("SIGINT");
        return set(key, value);
      };
      const ran = await load(lines(1_000), ["--concurrency", "1"]);
      expect(ran).toMatchObject({ exitCode: 130, stderr: "" });
      expect(ran.stdout).toMatch(/^interrupted: 6 lines written, not verified/);
      expect(store.content.size).toBe(6);
    }));

  test("of a pipe that is interrupted takes no half line for a bad one", () =>
    withFakeServer(async (store, url) => {
      const stdin = silentStream();
      const surroundings = fakeSurroundings({ stdin, env: { CAPSTAN_URL: url } });
      const running = run(["load", "-"], surroundings);
      stdin.push('{"key":"a","value":1}\n{"key":"b","va');
      while (store.content.size === 0) await new Promise((resolve) => setImmediate(resolve));
      surroundings.interruption.request("SIGINT");
      expect(await running).toMatchObject({
        exitCode: 130,
        stdout: expect.stringMatching(/^interrupted: 1 lines written, not verified/),
        stderr: "",
      });
    }));

  test("of an empty file is done at once", () =>
    against(async (load) => {
      expect(await load("")).toMatchObject({
        exitCode: 0,
        stdout: expect.stringMatching(/^loaded: 0 lines written, 0 verified/),
      });
    }));
});
