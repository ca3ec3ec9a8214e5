import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import type { UnservedShards } from "../../../src/core/model/shard-lack.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { HEALTH, listening, serveHealth } from "./fake-health.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

const store = new FakeStore();
let server: HttpServer;

beforeAll(async () => {
  server = await serveHttp(store, { port: 0 });
});
afterAll(() => server.close());
beforeEach(() => {
  store.replicas = ["n1", "n2", "n3"];
  store.changingTo = undefined;
  store.changes.length = 0;
  store.recoveries.length = 0;
  store.recoveryFaults.clear();
  store.unserved = undefined;
});

const members = (...words: string[]) =>
  run(["members", ...words], fakeSurroundings({ env: { CAPSTAN_URL: server.url } }));

test("members list shows who holds a shard, and what a change leads to", async () => {
  const { exitCode, stdout } = await members("list", "--keyspace", "accounts");
  expect(exitCode).toBe(0);
  expect(stdout).toBe("shard 0 of accounts: n1, n2, n3; n1 leads\n");
  store.changingTo = ["n1", "n4"];
  const changing = await members("list", "--keyspace", "accounts", "--shard", "2");
  expect(changing.stdout).toContain("shard 2 of accounts");
  expect(changing.stdout).toContain("changing to: n1, n4\n");
  const json = await members("list", "--keyspace", "accounts", "--json");
  expect(JSON.parse(json.stdout)).toMatchObject({ shard: 0, replicas: ["n1", "n2", "n3"] });
});

test("members add and remove ask for those who hold the shard, with the node or without", async () => {
  const added = await members("add", "--keyspace", "accounts", "--shard", "1", "n4");
  expect(added).toMatchObject({ exitCode: 0 });
  expect(added.stdout).toContain("n1, n2, n3, n4; n1 leads");
  await members("remove", "--keyspace", "accounts", "--shard", "1", "n2");
  expect(store.changes).toEqual([
    { keyspace: "accounts", shard: 1, replicas: ["n1", "n2", "n3", "n4"] },
    { keyspace: "accounts", shard: 1, replicas: ["n1", "n3", "n4"] },
  ]);
});

test("what would change nothing, or leave nobody, is refused with who holds the shard", async () => {
  const there = await members("add", "--keyspace", "accounts", "n2");
  expect(there.exitCode).toBe(2);
  expect(there.stderr).toContain("n2 holds the shard already; those that do: n1, n2, n3");
  const absent = await members("remove", "--keyspace", "accounts", "n9");
  expect(absent.stderr).toContain("n9 does not hold the shard; those that hold it: n1, n2, n3");
  store.replicas = ["n1"];
  const last = await members("remove", "--keyspace", "accounts", "n1");
  expect(last.stderr).toContain("nobody would hold the shard");
  expect(store.changes).toEqual([]);
});

test("members remove says where fewer copies are left than the keyspace asks for", async () => {
  store.replicasAsked = 3;
  const removed = await members("remove", "--keyspace", "accounts", "n2");
  expect(removed).toMatchObject({ exitCode: 0, stdout: "shard 0 of accounts: n1, n3; n1 leads\n" });
  expect(removed.stderr).toContain(
    "note: shard 0 has fewer copies now than the 3 that accounts asks for; capstan members add NODE",
  );
  expect((await members("add", "--keyspace", "accounts", "n2")).stderr).toBe("");
  store.replicas = ["n1", "n2", "n3", "n4"];
  expect((await members("remove", "--keyspace", "accounts", "n2")).stderr).toBe("");
  const several = await members("remove", "--keyspace", "accounts", "--shard", "0-2", "n3");
  store.replicasAsked = 1;
  expect(several.stderr).toContain("note: shards 0-2 have fewer copies now than the 3");
});

test("members drain gives a node's place to one that does not hold the shard", async () => {
  store.replicas = ["n3", "n1"];
  const drained = await members("drain", "n1", "--keyspace", "accounts");
  expect(drained).toMatchObject({ exitCode: 0, stdout: "shard 0 of accounts: n3, n2; n1 leads\n" });
  expect(drained.stderr).toContain("1 of 1 shards done");
  expect(store.changes).toEqual([{ keyspace: "accounts", shard: 0, replicas: ["n3", "n2"] }]);
  expect(await members("drain", "n1")).toMatchObject({ exitCode: 0 });
  expect(store.changes).toHaveLength(1);
});

test("members drain goes on with a change that leads away from the node", async () => {
  [store.replicas, store.changingTo] = [
    ["n1", "n3"],
    ["n4", "n3"],
  ];
  await members("drain", "n1", "--keyspace", "accounts");
  expect(store.changes).toEqual([{ keyspace: "accounts", shard: 0, replicas: ["n4", "n3"] }]);
});

test("members drain leaves alone what nobody can take over, and says so", async () => {
  store.replicas = ["n1", "n2"];
  const nobody = await members("drain", "n1", "--keyspace", "accounts");
  expect(nobody.exitCode).toBe(1);
  expect(nobody.stderr).toContain("no active node is left to take the place of n1");
  store.replicas = ["n1", "n3"];
  store.side = "minority";
  const unreachable = await members("drain", "n1", "--keyspace", "accounts");
  store.side = "majority";
  expect(unreachable.stderr).toContain("those that hold the shard: n1, n3");
  expect(store.changes).toEqual([]);
  expect((await members("drain", "n7")).stderr).toContain(
    'no node "n7" is declared; there are: n1, n2',
  );
  expect(await members("drain", "n1", "--keyspace", "nope")).toMatchObject({ exitCode: 2 });
});

test("a keyspace has to be named, and be there", async () => {
  expect(await members("list")).toMatchObject({ exitCode: 2 });
  expect(await members("add", "--keyspace", "accounts")).toMatchObject({ exitCode: 2 });
  expect(await members("list", "--keyspace", "nowhere")).toMatchObject({ exitCode: 2 });
  expect(await members("list", "--keyspace", "a", "--shard", "x")).toMatchObject({ exitCode: 2 });
});

test("members recover goes on alone, and only where loss is accepted", async () => {
  const unsaid = await members("recover", "--keyspace", "accounts", "--shard", "1");
  expect(unsaid.exitCode).toBe(2);
  expect(unsaid.stderr).toContain("members recover needs --accept-loss");
  expect(store.recoveries).toEqual([]);
  const done = await members("recover", "--keyspace", "accounts", "--shard", "1", "--accept-loss");
  expect(done).toMatchObject({ exitCode: 0, stdout: "shard 1 of accounts: n1; n1 leads\n" });
  expect(store.recoveries).toEqual([{ keyspace: "accounts", shard: 1, acceptLoss: true }]);
});

/** Several are under way at once. */
function numbersOf(asked: readonly { readonly shard: number }[]): number[] {
  return asked.map(({ shard }) => shard).sort((a, b) => a - b);
}

const LACK: UnservedShards = {
  ...{ shards: [0, 1, 2, 5], reason: "quorum-lost", missing: ["n2"], isHeld: true },
  ...{ reads: ["strong"], writes: ["strong"] },
};

test("members recover of several shards says what became of each, and exits as the gravest fault", async () => {
  const fault = (code: "QUORUM_PRESENT" | "UNAVAILABLE" | "OUTCOME_UNKNOWN") =>
    new CapstanError(code, "as it is");
  const words = ["recover", "--keyspace", "accounts", "--shard", "1-3,7", "--accept-loss"];
  store.recoveryFaults.set(2, fault("QUORUM_PRESENT"));
  const whole = await members(...words);
  expect(whole.exitCode).toBe(0);
  expect(numbersOf(store.recoveries)).toEqual([1, 2, 3, 7]);
  expect(whole.stdout).toContain("shard 1 of accounts: n1; n1 leads\n");
  expect(whole.stdout).toContain("shard 2 of accounts: left as it is, a majority");
  expect(whole.stderr).toBe("3 of 4 shards done, 1 left as they are\n");

  store.recoveryFaults.set(3, fault("UNAVAILABLE"));
  const refused = await members(...words);
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toContain("shard 7 of accounts: n1; n1 leads\n");
  expect(refused.stderr).toContain("error: shard 3 of accounts: UNAVAILABLE (not applied)");
  expect(refused.stderr).toContain(
    "2 of 4 shards done, 1 left as they are, 1 failed: the same command",
  );

  store.recoveryFaults.set(7, fault("OUTCOME_UNKNOWN"));
  const unknown = await members(...words, "--json");
  expect(unknown.exitCode).toBe(5);
  const lines = unknown.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const outcomes = lines.sort((a, b) => a.shard - b.shard).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(["done", "not-needed", "failed", "failed"]);
  expect(lines[3].error).toMatchObject({ code: "OUTCOME_UNKNOWN" });
});

test("members recover --all takes the shards that lack a majority, and tells before what is lost", async () => {
  store.unserved = [LACK, { ...LACK, shards: [4], reason: "no-leader" }];
  store.peer = { status: "unreachable", silentMs: 61_000 };
  try {
    const dry = await members("recover", "--all", "--dry-run");
    expect(dry.exitCode).toBe(0);
    expect(dry.stdout).toBe(
      "accounts, shards 0-2, 5: n1 would go on alone with what it has; lost would be what only " +
        "these had: n2 (last heard: 61 s ago)\n",
    );
    expect(dry.stderr).toContain("nothing was done");
    expect(store.recoveries).toEqual([]);
    const json = await members("recover", "--all", "--dry-run", "--json");
    expect(JSON.parse(json.stdout)).toEqual({
      ...{ keyspace: "accounts", strategy: "raft", shards: [0, 1, 2, 5], missing: ["n2"] },
      held_here: true,
    });
    const unsaid = await members("recover", "--all");
    expect(unsaid).toMatchObject({ exitCode: 2, stdout: "" });
    const done = await members("recover", "--all", "--accept-loss");
    expect(done).toMatchObject({ exitCode: 0, stderr: "4 of 4 shards done\n" });
    expect(numbersOf(store.recoveries)).toEqual([0, 1, 2, 5]);
    store.unserved = undefined;
    const again = await members("recover", "--all", "--accept-loss");
    expect(again).toMatchObject({ exitCode: 0, stdout: "", stderr: "0 of 0 shards done\n" });
  } finally {
    store.peer = {};
  }
});

/** n2 is there, and says this of `accounts`. */
async function besideN2<T>(lack: object, use: () => Promise<T>): Promise<T> {
  const unserved = [
    { shards: [0], reason: "quorum-lost", missing: ["n3"], held_here: true, reads: [], writes: [] },
  ].map((each) => ({ ...each, ...lack }));
  const keyspace = { ...HEALTH.keyspaces[0], name: "accounts", strategy: "raft", unserved };
  const body = { ...HEALTH, node: "n2", keyspaces: [keyspace] };
  return listening(serveHealth(body), async (port) => {
    store.peer = { http: `127.0.0.1:${port}` };
    try {
      return await use();
    } finally {
      store.peer = {};
    }
  });
}

test("members recover --dry-run says whose log is the latest, and where to recover", async () => {
  const ends = (...all: [shard: number, term: number, index: number][]) =>
    all.map(([shard, term, index]) => ({ shard, term, index }));
  const mine = ends([0, 5, 120], [1, 5, 120], [2, 5, 120]);
  store.unserved = [{ ...LACK, reason: "quorum-lost", shards: [0, 1, 2], logEnds: mine }];
  const log_ends = ends([0, 5, 121], [1, 5, 120], [2, 4, 900]);
  await besideN2({ shards: [0, 1, 2], log_ends }, async () => {
    const dry = await members("recover", "--all", "--keyspace", "accounts", "--dry-run");
    expect(dry.stdout.split("\n").slice(1)).toEqual([
      "  shard 0: logs end: n2's at term 5, index 121; n1's at term 5, index 120: recover it at n2, whose log is the latest",
      "  shard 1: logs end: n1's at term 5, index 120; n2's at term 5, index 120: n1's is as late as any, recover it here",
      "  shard 2: logs end: n1's at term 5, index 120; n2's at term 4, index 900: n1's is as late as any, recover it here",
      "",
    ]);
    const words = ["--keyspace", "accounts", "--shard", "0", "--dry-run", "--json"];
    const json = JSON.parse((await members("recover", ...words)).stdout);
    expect(json.log_ends).toEqual([
      { node: "n2", shard: 0, term: 5, index: 121 },
      { node: "n1", shard: 0, term: 5, index: 120 },
    ]);
  });
  const alone = await members("recover", "--all", "--keyspace", "accounts", "--dry-run");
  expect(alone.stdout).toContain("  shard 0: logs end: n1's at term 5, index 120\n");
  expect(alone.stderr).toContain("not asked how far their logs go: n2");
});

test("members recover --dry-run at a node without a copy says who has one", async () => {
  await besideN2({ log_ends: [{ shard: 0, term: 2, index: 7 }] }, async () => {
    const dry = await members("recover", "--all", "--keyspace", "accounts", "--dry-run");
    expect(dry.stdout).toContain("accounts, shard 0: not from n1, which has no copy");
    expect(dry.stdout).toContain(
      "  shard 0: logs end: n2's at term 2, index 7: recover it at n2, whose log is the latest\n",
    );
  });
});

test("members recover --all takes of other strategies those that wait for a node which is away", async () => {
  const waits = { ...LACK, reason: "lowered", missing: ["n1", "n2"] } as const;
  store.unserved = [waits, { ...waits, reason: "too-few-replicas" }, { ...LACK, shards: [9] }];
  // It is there, and is being rebuilt itself: it is waited for.
  const there = await members("recover", "--all", "--keyspace", "default", "--dry-run");
  expect(there.stdout).toBe("");
  store.peer = { status: "unreachable", silentMs: 61_000 };
  const one = await members("recover", "--all", "--keyspace", "default", "--dry-run");
  store.peer = {};
  expect(one.stdout).toBe(
    "default, shards 0-2, 5: n1 would serve with what it can get, waiting for nobody else; lost " +
      "would be what only these had: n2 (last heard: 61 s ago)\n",
  );
  store.unserved = [{ ...waits, missing: ["n1"] }];
  const alone = await members("recover", "--all", "--keyspace", "default", "--dry-run");
  expect(alone).toMatchObject({ exitCode: 0, stdout: "" });
  expect(alone.stderr).toContain("nothing to recover, as n1 sees it");
});

test("members recover --all names the shards that the node has no copy of, and leaves them", async () => {
  store.unserved = [{ ...LACK, isHeld: false }];
  const done = await members("recover", "--all", "--keyspace", "accounts", "--accept-loss");
  expect(done.exitCode).toBe(0);
  expect(done.stderr).toContain("accounts, shards 0-2, 5: not from n1, which has no copy");
  expect(store.recoveries).toEqual([]);
});

test("members recover says what contradicts itself, and what is no shard or keyspace", async () => {
  const both = await members("recover", "--all", "--shard", "1", "--accept-loss");
  expect(both).toMatchObject({ exitCode: 2 });
  expect(both.stderr).toContain("--all and --shard contradict each other");
  const neither = await members("recover", "--accept-loss");
  expect(neither.stderr).toContain("members recover needs --keyspace, or --all");
  const nowhere = await members("recover", "--all", "--keyspace", "nowhere", "--dry-run");
  expect(nowhere).toMatchObject({ exitCode: 2 });
  for (const wrong of ["3-1", "x", "", "1,,2", "70000"]) {
    const refused = await members("list", "--keyspace", "accounts", "--shard", wrong);
    expect([wrong, refused.exitCode]).toEqual([wrong, 2]);
    expect(refused.stderr).toContain("such as 0-15 or 0-3,7");
  }
});

test("members recover begins no more shards once it is interrupted", async () => {
  const surroundings = fakeSurroundings({ env: { CAPSTAN_URL: server.url } });
  store.onRecovery = () => surroundings.interruption.request("SIGINT");
  try {
    const words = ["--keyspace", "accounts", "--shard", "0-15", "--accept-loss"];
    const { exitCode, stderr } = await run(["members", "recover", ...words], surroundings);
    expect(exitCode).toBe(130);
    expect(stderr).toContain("of 16 shards done");
    expect(stderr).toMatch(/\d+ not begun: the same command again goes on with the rest/);
    expect(store.recoveries.length).toBeLessThan(16);
  } finally {
    store.onRecovery = undefined;
  }
});

test("members add gives several shards a node, and leaves those that it holds already", async () => {
  const added = await members("add", "--keyspace", "accounts", "--shard", "0-2", "n4");
  expect(added).toMatchObject({ exitCode: 0, stderr: "3 of 3 shards done\n" });
  expect(numbersOf(store.changes)).toEqual([0, 1, 2]);
  store.changes.length = 0;
  store.replicas = ["n1", "n4"];
  const again = await members("add", "--keyspace", "accounts", "--shard", "0-2", "n4");
  expect(again).toMatchObject({ exitCode: 0, stderr: "3 of 3 shards done\n" });
  expect(store.changes).toEqual([]);
});
