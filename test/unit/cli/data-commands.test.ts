import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { type FakeStore, withFakeServer } from "./fake-store.ts";
import { fakeSurroundings, type Ran, run, silentStream, streamOf } from "./fake-surroundings.ts";
import { receipt } from "./receipts.ts";

type Capstan = (...words: string[]) => Promise<Ran>;

/** Runs words against a fake server, whose address comes from the environment. */
function against<T>(use: (capstan: Capstan, store: FakeStore) => Promise<T>): Promise<T> {
  return withFakeServer((store, url) =>
    use((...words) => run(words, fakeSurroundings({ env: { CAPSTAN_URL: url } })), store),
  );
}

describe("put and get", () => {
  test("write JSON and give it back, and say how", () =>
    against(async (capstan, store) => {
      const put = await capstan("put", "user:1", '{"name":"Jo","tags":[1,null]}');
      expect(put).toEqual({
        exitCode: 0,
        stdout: "written (quorum: 2 of 3 replicas, 1.3 ms), version v-user:1\n",
        stderr: "",
      });
      expect(store.content.get("user:1")).toEqual({ name: "Jo", tags: [1, null] });
      expect(await capstan("get", "user:1")).toEqual({
        exitCode: 0,
        stdout: '{"name":"Jo","tags":[1,null]}\n',
        stderr: "",
      });
    }));

  test("take any key as it is", () =>
    against(async (capstan, store) => {
      for (const key of ["a/b c", "😀", "a%2Fb", "?x=1#y", "-", "__proto__", " "]) {
        expect(await capstan("put", key, "1"), key).toMatchObject({ exitCode: 0, stderr: "" });
        expect(await capstan("get", key), key).toMatchObject({ exitCode: 0, stdout: "1\n" });
      }
      expect(store.content.size).toBe(7);
    }));

  test("take a negative number for a value", () =>
    against(async (capstan) => {
      expect((await capstan("put", "k", "-5")).exitCode).toBe(0);
      expect((await capstan("get", "k")).stdout).toBe("-5\n");
    }));

  test("store text exactly as given, and give it back so", () =>
    against(async (capstan, store) => {
      await capstan("put", "k", '  {"not": parsed\n', "--text");
      expect(store.content.get("k")).toBe('  {"not": parsed\n');
      expect((await capstan("get", "k", "--text")).stdout).toBe('  {"not": parsed\n');
      expect((await capstan("get", "k")).stdout).toBe('"  {\\"not\\": parsed\\n"\n');
    }));

  test("say as JSON what the HTTP API says", () =>
    against(async (capstan) => {
      const put = await capstan("put", "k", "1", "--json");
      expect(JSON.parse(put.stdout)).toMatchObject({
        key: "k",
        ok: true,
        version: "v-k",
        consistency_achieved: "quorum",
        nodes_queried: 2,
      });
      const get = await capstan("get", "k", "--json");
      expect(JSON.parse(get.stdout)).toMatchObject({ key: "k", found: true, value: 1 });
    }));

  test("pass on what was asked for", () =>
    against(async (capstan, store) => {
      await capstan("put", "k", "1", "--consistency", "all", "--operation-id", "made-7");
      await capstan("put", "k", "1", "--if-absent", "--ttl", "2d");
      await capstan("get", "k", "--consistency", "local_quorum", "--keyspace", "other");
      expect(store.calls.map(({ options }) => options)).toEqual([
        expect.objectContaining({ consistency: "all", operationId: "made-7" }),
        expect.objectContaining({ ifAbsent: true, ttlMs: 172_800_000 }),
        expect.objectContaining({ consistency: "local-quorum" }),
      ]);
    }));

  test("never pass over a weaker level in silence", () =>
    against(async (capstan, store) => {
      store.receipt = { ...receipt, achieved: "one", consistent: false, warning: "only one copy" };
      const put = await capstan("put", "k", "1");
      expect(put).toMatchObject({ exitCode: 0 });
      expect(put.stderr).toMatch(/^warning: .+\n$/);
      expect((await capstan("get", "k")).stderr).toMatch(/^warning: .+\n$/);
    }));
});

describe("a value from standard input", () => {
  const put = (
    store: FakeStore,
    url: string,
    stdin: ReturnType<typeof streamOf>,
    ...more: string[]
  ) =>
    run(["put", "k", "-", ...more], fakeSurroundings({ stdin, env: { CAPSTAN_URL: url } })).then(
      (ran) => ({ ...ran, value: store.content.get("k") }),
    );

  test("is JSON, or with --text every byte of it", () =>
    withFakeServer(async (store, url) => {
      const json = await put(store, url, streamOf('{"a":', "1}\n"));
      expect(json).toMatchObject({ exitCode: 0, value: { a: 1 } });
      const text = await put(store, url, streamOf("line\n"), "--text");
      expect(text).toMatchObject({ exitCode: 0, value: "line\n" });
    }));

  test("that is not UTF-8 is refused", () =>
    withFakeServer(async (store, url) => {
      const ran = await put(store, url, streamOf(Uint8Array.of(0xff, 0x22)), "--text");
      expect(ran).toMatchObject({ exitCode: 2, value: undefined });
      expect(ran.stderr).toContain("Standard input is not UTF-8 text");
    }));

  test("that does not come is waited for until the user has enough", () =>
    withFakeServer(async (store, url) => {
      const stdin = silentStream();
      const surroundings = fakeSurroundings({ stdin, env: { CAPSTAN_URL: url } });
      const running = run(["put", "k", "-"], surroundings);
      setImmediate(() => surroundings.interruption.request("SIGINT"));
      const { exitCode, stderr } = await running;
      expect(exitCode).toBe(130);
      expect(stderr).toMatch(/^error: ABORTED \(not applied\): interrupted before standard input/);
      expect(store.calls).toEqual([]);
    }));

  test("that breaks off under the user's signal is not taken for the whole", () =>
    withFakeServer(async (store, url) => {
      const stdin = new PassThrough();
      stdin.write("12");
      const surroundings = fakeSurroundings({ stdin, env: { CAPSTAN_URL: url } });
      surroundings.interruption.request("SIGTERM");
      const { exitCode, stdout } = await run(["put", "k", "-", "--json"], surroundings);
      expect([exitCode, JSON.parse(stdout).error]).toMatchObject([
        130,
        { code: "ABORTED", outcome: "not-applied" },
      ]);
      expect(store.calls).toEqual([]);
    }));
});

describe("exit codes", () => {
  test("3: there is no such key", () =>
    against(async (capstan) => {
      const ran = await capstan("get", "nothing here");
      expect(ran).toMatchObject({ exitCode: 3, stdout: "" });
      expect(ran.stderr).toBe('not found: "nothing here" in keyspace default\n');
      const json = await capstan("get", "nothing", "--json");
      expect(json).toMatchObject({ exitCode: 3, stderr: "" });
      expect(JSON.parse(json.stdout)).toMatchObject({ key: "nothing", found: false });
    }));

  test("4: the key is in another version", () =>
    against(async (capstan, store) => {
      store.content.set("k", 1);
      const ran = await capstan("put", "k", "2", "--if-version", "v-old");
      expect(ran).toMatchObject({ exitCode: 4, stdout: "" });
      expect(ran.stderr).toBe("not written (version-mismatch): the key is in version v-k: 1\n");
      expect(store.content.get("k")).toBe(1);
      const json = await capstan("delete", "k", "--if-version", "v-old", "--json");
      expect(json.exitCode).toBe(4);
      expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, current: { value: 1 } });
      expect((await capstan("put", "k", "2", "--if-version", "v-k")).exitCode).toBe(0);
    }));

  test("1: nothing was applied", () =>
    against(async (capstan, store) => {
      const fault = new CapstanError("UNAVAILABLE", "1 of 3 replicas can be reached");
      store.faults.push(...Array.from({ length: 10 }, () => fault));
      const ran = await capstan("put", "k", "1", "--consistency", "all");
      expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
      expect(ran.stderr).toMatch(
        /^error: UNAVAILABLE \(not applied\): 1 of 3 replicas can be reached\. .*safe\.\n$/,
      );
    }));

  test("5: the outcome is unknown, with the id that makes a retry the same write", () =>
    against(async (capstan, store) => {
      const fault = new CapstanError("OUTCOME_UNKNOWN", "1 of 2 answered", { operationId: "op-9" });
      store.faults.push(...Array.from({ length: 10 }, () => fault));
      const ran = await capstan("put", "k", "1");
      expect(ran).toMatchObject({ exitCode: 5, stdout: "" });
      expect(ran.stderr).toContain("OUTCOME_UNKNOWN (outcome unknown)");
      expect(ran.stderr).toContain("--operation-id op-9");
      const json = await capstan("delete", "k", "--json");
      expect(json.exitCode).toBe(5);
      expect(JSON.parse(json.stdout)).toMatchObject({
        error: { code: "OUTCOME_UNKNOWN", outcome: "unknown", operation_id: "op-9" },
      });
    }));

  test("1: there is no server, and it is said where one could come from", async () => {
    const ran = await run(["get", "k", "--url", "http://127.0.0.1:1"]);
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("UNREACHABLE_SERVER (not applied)");
    expect(ran.stderr).toContain("`capstan cluster`");
    expect(ran.stderr.trimEnd()).not.toContain("\n");
  });

  test("2: what the server refuses as input", () =>
    against(async (capstan) => {
      expect(await capstan("get", "k", "--keyspace", "nope")).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining("default, other"),
      });
      expect((await capstan("get", "")).exitCode).toBe(2);
      expect((await capstan("put", ".", "1")).exitCode).toBe(2);
    }));

  test("0: what was deleted, there or not", () =>
    against(async (capstan, store) => {
      store.content.set("k", 1);
      const ran = await capstan("delete", "k");
      expect(ran).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^deleted \(/) });
      expect(store.content.size).toBe(0);
    }));
});

describe("scan", () => {
  test("prints keys, quoted where they must be, and values", () =>
    against(async (capstan, store) => {
      for (const key of ["a", "b c", "tab\there", "ü"]) store.content.set(key, { k: key });
      expect((await capstan("scan")).stdout).toBe(
        'a\t{"k":"a"}\n"b c"\t{"k":"b c"}\n"tab\\there"\t{"k":"tab\\there"}\nü\t{"k":"ü"}\n',
      );
      expect((await capstan("scan", "--prefix", "nothing")).stdout).toBe("");
    }));

  test("goes on where its limit ended it", () =>
    against(async (capstan, store) => {
      for (const key of ["a", "b", "c"]) store.content.set(key, 1);
      const first = await capstan("scan", "--limit", "2");
      expect(first.stdout).toBe("a\t1\nb\t1\n");
      const cursor = /--cursor (\S+)/.exec(first.stderr)?.[1] ?? "";
      expect((await capstan("scan", "--cursor", cursor)).stdout).toBe("c\t1\n");
      expect((await capstan("scan", "--limit", "2", "--json")).stderr).toBe(first.stderr);
    }));

  test("as JSON prints lines that load takes", () =>
    withFakeServer(async (store, url) => {
      const values = {
        bigint: 2n ** 70n,
        bytes: new Uint8Array([1, 2, 255]),
        date: new Date(5),
        json: { x: [1, -0.5, null, true], y: JSON.parse('{"__proto__":{"a":1}}') },
        large: 2 ** 60,
        nested: { list: [new Date(0)], $date: "1970-01-01T00:00:00.000Z" },
        "of JSON": { $date: "1970-01-01T00:00:00.000Z" },
        text: "text",
      };
      for (const [key, value] of Object.entries(values)) store.content.set(key, value);
      const env = { CAPSTAN_URL: url };
      const { stdout } = await run(["scan", "--json"], fakeSurroundings({ env }));
      const encoded = stdout.split("\n").filter((line) => line.includes('"encoded"'));
      expect(encoded.map((line) => JSON.parse(line).key)).toEqual([
        ...["bigint", "bytes", "date", "large", "nested"],
      ]);
      store.content.clear();
      const loading = fakeSurroundings({ env, stdin: streamOf(stdout) });
      expect(await run(["load", "-"], loading)).toMatchObject({ exitCode: 0, stderr: "" });
      expect(Object.fromEntries(store.content)).toEqual(values);
    }));
});
