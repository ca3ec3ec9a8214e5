import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import {
  formatHistory,
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  recordKeyspace,
} from "../../src/verification/index.ts";
import {
  capstan,
  ensureBuilt,
  eventually,
  freePorts,
  MAIN,
  Running,
  startCapstan,
  temporaryFolder,
} from "../support/processes.ts";

// The command line by itself and with one node, as a user at a terminal meets it.

const folder = temporaryFolder();
const { path: directory } = folder;

beforeAll(() => ensureBuilt());
afterAll(() => folder.remove());

describe("where something around it is wrong", () => {
  const shell = (script: string) =>
    spawnSync("/bin/sh", ["-c", script, "sh", process.execPath, MAIN], {
      cwd: directory,
      encoding: "utf8",
    });

  test("a folder that is gone is said in a line", () => {
    const ran = shell('mkdir gone && cd gone && rmdir ../gone && exec "$1" "$2" status');
    expect(ran).toMatchObject({
      ...{ status: 2, stdout: "" },
      stderr: "error: the folder that this was started in does not exist any more.\n",
    });
  });

  test("a wait for what never comes does not pass for an end", async () => {
    await writeFile(join(directory, "never.mjs"), "await new Promise(() => {});\n");
    const ran = shell('exec "$1" "$2" start --config never.mjs --node n1');
    expect(ran).toMatchObject({ status: 5, stdout: "" });
    expect(ran.stderr).toMatch(/^error: this waits for what never comes[^\n]*\n$/);
  });

  test.runIf(existsSync("/dev/full"))("a full disk below the output is said in a line", () => {
    const ran = shell('exec "$1" "$2" --help > /dev/full');
    expect(ran.status).toBe(5);
    expect(ran.stderr).toMatch(/^error: the output cannot be written: ENOSPC[^\n]*\n$/);
  });
});

describe("without a server", () => {
  test("knows its version, and helps with every command", async () => {
    const manifest = JSON.parse(
      await readFile(new URL("../../package.json", import.meta.url), "utf8"),
    );
    const version = await capstan(["--version"], { directory });
    expect(version).toEqual({ exitCode: 0, stdout: `${manifest.version}\n`, stderr: "" });
    const help = await capstan(["--help"], { directory });
    const commands = [
      "cluster",
      "start",
      "get",
      "put",
      "update",
      "delete",
      "scan",
      "watch",
      "load",
      "status",
      "replications",
      "conflicts",
      "members",
      "check",
      "verify",
    ];
    const listed = help.stdout.matchAll(/^ {2}([a-z]+)(?:\|\w+)* .*$/gm);
    expect([...listed].map(([, name]) => name)).toEqual([...commands, "help"]);
    for (const command of commands) {
      expect(help.stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
      const own = await capstan([command, "--help"], { directory });
      expect(own, command).toMatchObject({ exitCode: 0, stderr: "" });
      expect(own.stdout, command).toContain(`$ capstan ${command}`);
    }
  });

  test.each([
    ["no command", [], /^Usage: capstan/],
    ["an unknown command", ["gett", "k"], /unknown command 'gett'[\s\S]*Did you mean get\?/],
    ["a misspelt option", ["get", "k", "--consistancy", "one"], /Did you mean --consistency\?/],
    [
      "an unknown level",
      ["get", "k", "--consistency", "most"],
      /'most' is invalid.*one, two, three/,
    ],
    ["a missing value", ["put", "k"], /missing required argument 'value'/],
    [
      "a value that is no JSON",
      ["put", "k", "{bad"],
      /VALUE is refused: not JSON: .*line 1, column 2.*--text/,
    ],
    ["too many words", ["put", "k", "{a:", "1}"], /too many arguments/],
    ["a bad URL", ["get", "k", "--url", "ftp://x"], /such as http:\/\/127\.0\.0\.1:8401/],
    ["a bad timeout", ["get", "k", "--timeout", "soon"], /from 1ms to 1h/],
    ["a bad limit", ["scan", "--limit", "0"], /whole number from 1/],
    [
      "a load without its file",
      ["load", "nowhere.ndjson"],
      /nowhere\.ndjson: there is no such file/,
    ],
    ["a load of a folder", ["load", "."], /is a folder/],
    ["a check of what is no history", ["check", "."], /is a folder/],
    ["a check by no model", ["check", "h", "--model", "x"], /Allowed choices are register/],
    ["a node without its file", ["start", "--config", "no.json", "--node", "n1"], /no such file/],
    ["a node without its name", ["start", "--config", "no.json"], /'--node <id>' not specified/],
  ])("%s is a usage error, with a way out", async (_case, words, message) => {
    const { exitCode, stdout, stderr } = await capstan(words, { directory });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test("usage errors are JSON too where that is asked for", async () => {
    const { exitCode, stdout, stderr } = await capstan(["get", "--json"], { directory });
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "USAGE", outcome: "not-applied" } });
  });

  test("says that there is no server", async () => {
    const url = `http://127.0.0.1:${await freePorts(1)}`;
    const { exitCode, stderr } = await capstan(["put", "k", "1", "--url", url], { directory });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: UNREACHABLE_SERVER \(not applied\): .+\n$/);
    const env = { CAPSTAN_URL: "not a url" };
    const wrong = await capstan(["status"], { directory, env });
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("CAPSTAN_URL is") });
  });
});

describe("one node in the foreground", () => {
  let node: Running;
  let url = "";

  beforeAll(async () => {
    const port = await freePorts(2);
    url = `http://127.0.0.1:${port}`;
    const nodes = `{ solo: { peer: "127.0.0.1:${port + 1}", http: "127.0.0.1:${port}" } }`;
    await writeFile(
      join(directory, "capstan.config.ts"),
      `const nodes: Record<string, object> = ${nodes};
       export default { cluster: { name: "one", nodes }, transport: { type: "tcp" } };`,
    );
    const words = ["start", "--config", "capstan.config.ts", "--node", "solo", "--json-logs"];
    node = startCapstan(words, { directory });
    await eventually("the node serves", async () => (await on(["status"])).exitCode === 0);
  });

  afterAll(() => node?.end());

  const on = (words: readonly string[], input?: string) =>
    capstan([...words, "--url", url], { directory, ...(input === undefined ? {} : { input }) });

  test("starts from a TypeScript file, and logs JSON", async () => {
    const [line = ""] = node.stdout.split("\n").filter((each) => each.includes("is up"));
    expect(JSON.parse(line)).toMatchObject({ level: "info", node: "solo", http: url });
    expect(node.stderr).toBe("");
  });

  test("keeps what it promises to clients that are recorded, as capstan check says", async () => {
    const environment = new SystemEnvironment();
    const now = () => environment.monotonicMs();
    const recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>({ now });
    const connection = connect({ url });
    const drive = async (client: string) => {
      const keyspace = recordKeyspace(connection.keyspace("default"), recorder, { client });
      for (let number = 0; number < 25; number++) {
        // That another client's write was newer is an answer like any other.
        await keyspace.put(`checked/${number % 2}`, { client, number }).catch((error: unknown) => {
          if (!isCapstanError(error) || error.code !== "SUPERSEDED") throw error;
        });
        await keyspace.get(`checked/${(number + 1) % 2}`);
      }
    };
    await Promise.all(["c1", "c2", "c3", "c4"].map(drive));
    // Others look at all keys.
    for (const key of ["checked/0", "checked/1"]) await connection.keyspace("default").delete(key);
    await connection.close();
    await writeFile(join(directory, "history.ndjson"), formatHistory(recorder.operations()));
    const legal = await capstan(["check", "history.ndjson"], { directory });
    expect(legal).toMatchObject({ exitCode: 0, stderr: "" });
    expect(legal.stdout).toMatch(
      /^legal: \d+ of 200 operations were judged: .*2 independent parts/,
    );
    const lines = formatHistory(recorder.operations()).trimEnd().split("\n");
    const last = JSON.parse(lines.at(-1) as string);
    const late = { ...last, called_at: 9_000, returned_at: 9_001, output: {} };
    await writeFile(join(directory, "bad.ndjson"), [...lines, JSON.stringify(late)].join("\n"));
    const illegal = await capstan(["check", "bad.ndjson"], { directory });
    expect(illegal).toMatchObject({ exitCode: 1, stderr: "" });
    expect(illegal.stdout).toContain("-> nothing| <==");
  });

  test("keeps every kind of key apart", async () => {
    const keys = [
      "a b",
      "a/b",
      "a%2Fb",
      "😀",
      "a\tb",
      "?q=1&r#f",
      "\u00e9",
      "e\u0301",
      "__proto__",
      "-",
    ];
    for (const [number, key] of keys.entries()) {
      expect(await on(["put", key, `${number}`]), key).toMatchObject({ exitCode: 0 });
    }
    for (const [number, key] of keys.entries()) {
      expect(await on(["get", key]), key).toMatchObject({ exitCode: 0, stdout: `${number}\n` });
    }
    const all = await on(["scan", "--json"]);
    const scanned = all.stdout.trimEnd().split("\n");
    expect(scanned.map((line) => JSON.parse(line).key).sort()).toEqual([...keys].sort());
  });

  test("takes a value of a mebibyte less its frame, and refuses a larger one", async () => {
    const put = (length: number) => on(["put", "huge", "-", "--text"], "x".repeat(length));
    expect(await put(1_000_000)).toMatchObject({ exitCode: 0 });
    const tooLarge = await put(1_100_000);
    expect(tooLarge).toMatchObject({ exitCode: 2, stdout: "" });
    expect(tooLarge.stderr).toMatch(/^error: VALUE_TOO_LARGE \(not applied\): .*1048576.*\n$/);
    expect((await on(["get", "huge", "--text"])).stdout).toHaveLength(1_000_000);
  });

  test("refuses what cannot be a key, and stores nothing", async () => {
    for (const key of ["", ".", "..", "x".repeat(1_025)]) {
      const ran = await on(["put", key, "1"]);
      expect(ran, key).toMatchObject({ exitCode: 2, stdout: "" });
      expect(ran.stderr, key).toMatch(/^error: \w+ \(not applied\): .+\n$/);
    }
    expect(await on(["put", "x".repeat(1_024), "1"])).toMatchObject({ exitCode: 0 });
  });

  test("lets a reader go that has seen enough", async () => {
    const lines = Array.from({ length: 3_000 }, (_, number) => {
      return JSON.stringify({ key: `many/${number}`, value: "x".repeat(200) });
    });
    expect(await on(["load", "-"], lines.join("\n"))).toMatchObject({ exitCode: 0 });
    const command = `"${process.execPath}" "${MAIN}" scan --url ${url} | head -n 1; wait`;
    const { stdout, stderr } = await new Running("sh", ["-c", command], { directory }).ended;
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toBe("");
  });

  test("shows what changes until Ctrl-C, and goes on from there", async () => {
    const watch = startCapstan(["watch", "--prefix", "seen/", "--url", url], { directory });
    await watch.says(/in step with every shard/);
    await on(["put", "unseen", "0"]);
    await on(["put", "seen/1", '{"a":1}']);
    await watch.says(/^put\tseen\/1\t\{"a":1\}$/m);
    watch.signal("SIGINT");
    const { exitCode, stdout, stderr } = await watch.ended;
    expect([exitCode, stdout]).toEqual([130, 'put\tseen/1\t{"a":1}\n']);
    const cursor = /Go on with --from (\S+)\n$/.exec(stderr)?.[1] as string;
    await on(["delete", "seen/1"]);
    const rest = await on(["watch", "--prefix", "seen/", "--from", cursor, "--limit", "1"]);
    expect(rest).toMatchObject({ exitCode: 0, stdout: "delete\tseen/1\n" });
    expect(rest.stderr).not.toContain("gap");
  });

  test("refuses to start twice, and says what holds its place", async () => {
    const words = ["start", "--config", "capstan.config.ts", "--node", "solo"];
    const { exitCode, stdout, stderr } = await capstan(words, { directory });
    expect(exitCode).toBe(1);
    expect(stdout + stderr).toContain("PORT_IN_USE");
    expect(await on(["get", "a b"])).toMatchObject({ exitCode: 0 });
  });

  test("ends with code 0 when a service manager ends it", async () => {
    node.signal("SIGTERM");
    const { exitCode, stdout, stderr } = await node.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain('"msg":"stopped"');
  });
});
