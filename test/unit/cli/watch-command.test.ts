import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import type { WatchEvent } from "../../../src/core/store/api.ts";
import { type FakeStore, withFakeServer } from "./fake-store.ts";
import { type FakeSurroundings, fakeSurroundings, type Ran, run } from "./fake-surroundings.ts";

const EVENTS: readonly WatchEvent<unknown>[] = [
  { type: "synced", cursor: "c0" },
  { type: "put", key: "a", value: { n: 1 }, version: "v1", cursor: "c1" },
  { type: "put", key: "b c", value: null, version: "v2", cursor: "c2" },
  { type: "delete", key: "a", version: "v3", cursor: "c3" },
  { type: "gap", reason: "the reader was slow", cursor: "c4" },
  { type: "conflict", key: "k", siblings: [1, new Date(0)], version: "v5", cursor: "c5" },
  { type: "expire", key: "l", version: "v6", cursor: "c6" },
];

/** Runs `watch` until it has ended by itself, or, without `--limit`, is interrupted. */
async function watch(
  words: readonly string[],
  prepare: (store: FakeStore) => void = (store) => store.events.push(...EVENTS),
  until?: (surroundings: FakeSurroundings) => boolean,
): Promise<Ran & { readonly store: FakeStore }> {
  return withFakeServer(async (store, url) => {
    prepare(store);
    const surroundings = fakeSurroundings({ env: { CAPSTAN_URL: url } });
    const running = run(["watch", ...words], surroundings);
    if (until !== undefined) {
      for (let tries = 0; !until(surroundings) && tries < 1_000; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
      surroundings.interruption.request("SIGINT");
    }
    return { ...(await running), store };
  });
}

describe("watch", () => {
  test("prints a line for each change, and the rest on standard error", async () => {
    const ran = await watch(["--limit", "5"]);
    expect(ran).toMatchObject({
      exitCode: 0,
      stdout:
        'put\ta\t{"n":1}\nput\t"b c"\tnull\ndelete\ta\n' +
        'conflict\tk\t1 | {"$date":"1970-01-01T00:00:00.000Z"}\nexpire\tl\n',
      stderr:
        "watching: in step with every shard\n" +
        "gap: the reader was slow; read again what you keep a copy of\n" +
        "Go on with --from c6\n",
    });
  });

  test("ends with 130 when it is interrupted, and says where to go on", async () => {
    const ran = await watch([], undefined, ({ stdout }) => stdout.text.includes("expire"));
    expect(ran.exitCode).toBe(130);
    expect(ran.stderr).toMatch(/Go on with --from c6\n$/);
  });

  test("has nothing to go on with before the first event, but what it was given", async () => {
    const nothing = (store: FakeStore): void => void store;
    let waits = 0;
    const soon = (): boolean => waits++ > 20;
    expect(await watch([], nothing, soon)).toMatchObject({ exitCode: 130, stderr: "" });
    waits = 0;
    const resumed = await watch(["--from", "c9"], nothing, soon);
    expect(resumed).toMatchObject({ exitCode: 130, stderr: "Go on with --from c9\n" });
  });

  test("as JSON prints every event, each with its cursor", async () => {
    const ran = await watch(["--json", "--limit", "5"]);
    expect(ran.stderr).toBe("");
    const lines = ran.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(EVENTS.length);
    expect(lines[1]).toEqual({
      type: "put",
      key: "a",
      value: { n: 1 },
      version: "v1",
      cursor: "c1",
    });
    expect(lines[4]).toEqual(EVENTS[4]);
    expect(lines[5].siblings[1]).toEqual({ $date: "1970-01-01T00:00:00.000Z" });
  });

  test("passes on what was asked for", async () => {
    const { store } = await watch([
      ...["--keyspace", "other", "--prefix", "user:", "--from", "c0"],
      ...["--timeout", "2s", "--limit", "1"],
    ]);
    expect(store.calls).toEqual([
      { method: "watch", options: { prefix: "user:", cursor: "c0", timeoutMs: 2_000 } },
    ]);
  });

  test("fails with the server's word, and with what is wrong with its own", async () => {
    const refusing = (store: FakeStore): void => {
      store.faults.push(new CapstanError("INVALID_CURSOR", "the cursor is damaged"));
    };
    const refused = await watch(["--from", "x", "--json"], refusing);
    expect(refused.exitCode).toBe(2);
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: "INVALID_CURSOR" } });
    const told = await watch(["--from", "x"], refusing);
    expect(told.stderr).toContain("INVALID_CURSOR");
    expect(told.stderr).not.toContain("Go on");
    const wrong = await watch(["--limit", "none"]);
    expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
    const nobody = await run(["watch", "--url", "http://127.0.0.1:1"]);
    expect(nobody.exitCode).toBe(1);
    expect(nobody.stderr).toContain("UNREACHABLE_SERVER");
  });
});

describe("how long a key lives", () => {
  test("is refused when it is no time", async () => {
    const ran = await run(["put", "k", "1", "--ttl", "soon"]);
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ran.stderr).toContain("500ms, 30s or 7d");
  });
});
