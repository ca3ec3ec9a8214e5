import { describe, expect, test } from "vitest";
import { HEALTH, listening, serveHealth } from "./fake-health.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

const status = (port: number, ...words: string[]) =>
  run(["status", "--url", `127.0.0.1:${port}`, ...words]);

describe("capstan status", () => {
  test("shows nodes and keyspaces as the node that was asked sees them", () =>
    listening(serveHealth(), async (port) => {
      const { exitCode, stdout, stderr } = await status(port);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toContain(
        "cluster orders, as n7 sees it (ready, reaching no other): " +
          "1 of 3 nodes healthy, degraded",
      );
      expect(stdout).toMatch(/│ n7 \* +│ active +│ 127\.0\.0\.1:8407 +│.*│ itself +│/);
      expect(stdout).toMatch(/│ n9 +│ unknown: configuration-mismatch +│/);
      expect(stdout).toMatch(/│ n8 +│ unreachable +│ - +│.*│ 61 s ago +│/);
      expect(stdout).toMatch(/│ default +│ tunable +│ 2 +│ 16 +│ quorum +│ quorum +│/);
      expect(stdout).not.toContain("\u001b");
    }));

  test("tells a node that joins from one that is lost, also by its colour", () => {
    const nodes = [
      { node: "n7", status: "joining", datacenter: "default", silent_ms: 100 },
      { node: "n8", status: "unreachable", datacenter: "default", silent_ms: 61_200 },
    ];
    return listening(serveHealth({ ...HEALTH, nodes }), async (port) => {
      const surroundings = fakeSurroundings({ env: { FORCE_COLOR: "1" } });
      const { stdout } = await run(["status", "--url", `127.0.0.1:${port}`], surroundings);
      expect(stdout).toContain("\u001b[33mjoining\u001b[39m");
      expect(stdout).toContain("\u001b[31munreachable\u001b[39m");
    });
  });

  test("names the keyspaces that a node was not given, and only where there are some", () => {
    const nodes = [
      { node: "n7", status: "active", datacenter: "default" },
      { node: "n8", status: "active", datacenter: "default", lacking: ["audit"] },
      { node: "n9", status: "active", datacenter: "default", lacking: ["audit", "ledger"] },
    ];
    return listening(serveHealth({ ...HEALTH, nodes }), async (port) => {
      const { stdout } = await status(port);
      expect(stdout.trimEnd().split("\n").slice(-2)).toEqual([
        "n8 lacks a keyspace that others have: audit (not in its configuration)",
        "n9 lacks keyspaces that others have: audit, ledger (not in its configuration)",
      ]);
      expect(stdout).not.toContain("n7 lacks");
    });
  });

  test("as JSON gives all that the node says", () =>
    listening(serveHealth(), async (port) => {
      const { stdout } = await status(port, "--json");
      expect(JSON.parse(stdout)).toEqual(HEALTH);
    }));

  test("says so where something else answers", () =>
    listening(serveHealth({ status: "ok" }), async (port) => {
      const { exitCode, stderr } = await status(port);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`what answers at http://127.0.0.1:${port} is no Capstan node`);
    }));

  test("gives up on a node that does not answer", async () => {
    const { createServer } = await import("node:net");
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await listening(silent, async (port) => {
      const { exitCode, stdout } = await status(port, "--timeout", "50ms", "--json");
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        error: { code: "UNREACHABLE_SERVER", message: expect.stringContaining("within 50 ms") },
      });
    });
  });

  test("says so where fetch refuses the port, though a node may listen there", async () => {
    const { exitCode, stderr } = await run(["status", "--url", "127.0.0.1:6000"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      "http://127.0.0.1:6000 cannot be reached: fetch connects with no port",
    );
    expect(stderr).toContain("let the node serve HTTP at another one");
  });

  test("ends when the user has waited enough", async () => {
    const { createServer } = await import("node:net");
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await listening(silent, async (port) => {
      const surroundings = fakeSurroundings();
      const running = run(["status", "--url", `127.0.0.1:${port}`], surroundings);
      setTimeout(() => surroundings.interruption.request("SIGINT"), 20);
      expect(await running).toMatchObject({ exitCode: 130 });
    });
  });
});

describe("capstan status, where shards do not serve", () => {
  const KEYSPACE = HEALTH.keyspaces[0];
  const nodes = [
    { node: "n7", status: "active", datacenter: "default" },
    { node: "n8", status: "unreachable", datacenter: "default", silent_ms: 61_200 },
    { node: "n9", status: "active", datacenter: "default", silent_ms: 20 },
  ];
  const lack = {
    ...{ shards: [0, 1, 2, 7], reason: "too-few-replicas", missing: ["n8", "n9"] },
    ...{ reads: ["quorum"], writes: ["quorum"], held_here: true },
  };
  const statusOf = (unserved: object, ...words: string[]) => {
    const keyspaces = [{ ...KEYSPACE, unserved: [{ ...lack, ...unserved }] }];
    return listening(serveHealth({ ...HEALTH, nodes, keyspaces }), (port) =>
      status(port, ...words),
    );
  };

  test("says which, at which levels, why and without whom, and exits with 6", async () => {
    const { exitCode, stdout } = await statusOf({ missing: ["n8"] });
    expect(exitCode).toBe(6);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(
      "default: shards 0-2, 7 of 16 do not serve reads and writes at quorum: too few replicas are " +
        "there; without n8 (last heard: 61 s ago)",
    );
  });

  test("exits with 6 also as JSON, with the words of the node", async () => {
    const { exitCode, stdout } = await statusOf({}, "--json");
    expect(exitCode).toBe(6);
    expect(JSON.parse(stdout).keyspaces[0].unserved).toEqual([lack]);
  });

  test("tells lost stores from nodes that are away, and a copy that is being rebuilt", async () => {
    const { stdout } = await statusOf({ reason: "quorum-lost", missing: ["n7", "n8", "n9"] });
    expect(stdout).toContain("capstan members recover");
    expect(stdout).toContain(
      "without n7 (its copy is being rebuilt), n8 (last heard: 61 s ago), n9 (its store is lost)",
    );
  });

  test("tells a peer's copy that is being rebuilt from a store that is lost", async () => {
    const { stdout } = await statusOf({ missing: ["n8", "n9"] });
    expect(stdout).toContain("without n8 (last heard: 61 s ago), n9 (its copy is being rebuilt)");
  });

  test("asks those who hold a raft shard whether its majority is lost", async () => {
    const raft = { ...KEYSPACE, strategy: "raft" };
    const lost = { ...lack, reason: "quorum-lost", missing: ["n9"], shards: [0, 1], log_ends: [] };
    const theirs = { ...HEALTH, node: "n8", keyspaces: [{ ...raft, unserved: [lost] }] };
    await listening(serveHealth(theirs), async (peer) => {
      const http = `127.0.0.1:${peer}`;
      const there = nodes.map((each) =>
        each.node === "n8" ? { ...each, status: "active", http } : each,
      );
      // Of shard 0 the node that is asked has noticed itself that it has no leader.
      const own = { ...lack, reason: "no-leader", missing: [], shards: [0, 3], held_here: false };
      const body = { ...HEALTH, nodes: there, keyspaces: [{ ...raft, unserved: [own] }] };
      const asked = await listening(serveHealth(body), (port) => status(port));
      expect(asked.exitCode).toBe(6);
      const [before, last] = asked.stdout.trimEnd().split("\n").slice(-2);
      expect(before).toContain("default: shard 3 of 16 does not serve");
      expect(last).toContain("default: shards 0-1 of 16 do not serve");
      expect(last).toContain("without n9 (its store is lost) (as n8 says)");
      const json = await listening(serveHealth(body), (port) => status(port, "--json"));
      const [, told] = JSON.parse(json.stdout).keyspaces[0].unserved;
      expect(told).toMatchObject({ shards: [0, 1], told_by: "n8", held_here: false });
    });
  });

  test("exits with 0 where only other levels than the keyspace's own are not served", async () => {
    const { exitCode, stdout } = await statusOf({ reads: ["all"], writes: [], shards: [3] });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("default: shard 3 of 16 does not serve reads at all");
  });

  test("exits with 0 where operations succeed below their level", async () => {
    const { exitCode, stdout } = await statusOf({ reason: "lowered" });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("do not reach reads and writes at quorum");
    expect(stdout).toContain("`consistent: false`");
  });

  test("names a reason that a newer node gives and this version does not know", async () => {
    const shards = Array.from({ length: 16 }, (_, shard) => shard);
    const { stdout } = await statusOf({ reason: "asleep", shards, missing: [] });
    expect(stdout).toContain(
      "default: all 16 shards do not serve reads and writes at quorum: asleep\n",
    );
  });

  test("says in its help what the exit code means", async () => {
    const { stdout } = await run(["status", "--help"]);
    expect(stdout).toContain("Exit codes: 0");
    expect(stdout).toContain("6 one or more do not");
  });
});
