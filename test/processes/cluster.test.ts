import { readFileSync, realpathSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  capstan,
  ensureBuilt,
  eventually,
  freePorts,
  isAlive,
  Running,
  temporaryFolder,
} from "../support/processes.ts";
import { RunningCluster } from "../support/processes-cluster.ts";

// `capstan cluster` as a newcomer runs it: real processes, real sockets, real signals.

beforeAll(() => ensureBuilt());

describe("a cluster of three", () => {
  let cluster: RunningCluster;

  beforeAll(async () => {
    cluster = await RunningCluster.ready();
  });

  afterAll(() => cluster?.end());

  test("prints where its nodes answer, and lines to try that work as they are", async () => {
    expect(cluster.nodes.map(({ id, url }) => [id, url])).toEqual(
      [1, 2, 3].map((number) => [
        `n${number}`,
        `http://127.0.0.1:${cluster.httpPort + number - 1}`,
      ]),
    );
    await cluster.running.says(/Ctrl-C ends all nodes/);
    const lines = cluster.running.stdout.match(/^ {2}(curl|kill) .*$/gm) ?? [];
    expect(lines.map((line) => line.trim().split(" ")[0])).toEqual([
      ...["curl", "curl", "curl", "curl", "kill", "curl"],
    ]);
    const pasted = async (index: number) => {
      const line = `${lines[index]?.trim()} --silent --show-error --fail`;
      const { exitCode, stdout, stderr } = await new Running("sh", ["-c", line], {
        directory: cluster.directory,
      }).ended;
      expect({ line, exitCode, stderr }).toEqual({ line, exitCode: 0, stderr: "" });
      return JSON.parse(stdout);
    };
    expect(await pasted(0)).toMatchObject({ key: "greeting", consistency_achieved: "quorum" });
    expect(await pasted(1)).toMatchObject({ key: "greeting", value: "hello" });
    expect(await pasted(2)).toMatchObject({ entries: [{ key: "greeting", value: "hello" }] });
    expect(await pasted(3)).toMatchObject({ total_nodes: 3, healthy_nodes: 3 });
  });

  test("writes down the configuration that it runs", () => {
    const file = join(cluster.directory, ".capstan/capstan.config.json");
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      cluster: { nodes: { n2: { http: `127.0.0.1:${cluster.httpPort + 1}` } } },
      transport: { type: "tcp" },
      storage: { type: "disk", path: join(realpathSync(cluster.directory), ".capstan/data") },
      keyspaces: { default: { strategy: "tunable", replicas: 3 } },
    });
  });

  test("serves the command line, each node what another one wrote", async () => {
    const put = await cluster.capstan("n1", ["put", "user/1 😀", '{"name":"Jo"}']);
    expect(put).toMatchObject({ exitCode: 0, stderr: "" });
    for (const level of ["one", "quorum", "all", "strong"]) {
      const got = await cluster.capstan("n2", ["get", "user/1 😀", "--consistency", level]);
      // `one` may ask a replica that has not heard of it yet.
      if (level === "one" && got.exitCode === 3) continue;
      expect(got, level).toMatchObject({ exitCode: 0, stdout: '{"name":"Jo"}\n' });
    }
    const scan = await cluster.capstan("n3", ["scan", "--prefix", "user/"]);
    expect(scan).toMatchObject({ exitCode: 0, stdout: '"user/1 😀"\t{"name":"Jo"}\n' });
    expect((await cluster.capstan("n3", ["delete", "user/1 😀"])).exitCode).toBe(0);
    expect((await cluster.capstan("n1", ["get", "user/1 😀"])).exitCode).toBe(3);
    const status = await cluster.capstan("n1", ["status"]);
    expect(status).toMatchObject({ exitCode: 0, stderr: "" });
    expect(status.stdout).toContain("3 of 3 nodes healthy");
    expect(status.stdout).toMatch(/default +│ tunable +│ 3 /);
  });

  test("refuses a second cluster on its ports, naming one and who can free it", async () => {
    const ports = ["--http-port", `${cluster.httpPort + 2}`, "--peer-port", `${cluster.peerPort}`];
    const { exitCode, stderr } = await capstan(["cluster", ...ports, "--nodes", "1"], {
      directory: cluster.directory,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `PORT_IN_USE (not applied): ports ${cluster.httpPort + 2} (HTTP of n1)`,
    );
    expect(stderr).toContain(`${cluster.peerPort} (peers of n1)`);
    expect(stderr).toContain(`Node n3 of a Capstan cluster answers on ${cluster.httpPort + 2}`);
  });

  test("keeps its folder to itself", async () => {
    const firstPort = await freePorts(10);
    const ports = ["--http-port", `${firstPort}`, "--peer-port", `${firstPort + 5}`];
    const { exitCode, stderr } = await capstan(["cluster", ...ports], {
      directory: cluster.directory,
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("belongs to a cluster that is running");
    expect(stderr).toContain("--dir");
  });
});

describe("a node that is killed", () => {
  let cluster: RunningCluster;
  let startLine = "";

  beforeAll(async () => {
    cluster = await RunningCluster.ready();
    await cluster.capstan("n1", ["put", "before", "1", "--consistency", "all"]);
    process.kill(cluster.node("n3").pid, "SIGKILL");
    const [, line = ""] = await cluster.running.says(/^ {2}(.* start --config .* --node n3)$/m);
    startLine = line;
  });

  afterAll(() => cluster?.end());

  test("is reported, with the line that brings it back, and is not restarted", async () => {
    const { stdout } = cluster.running;
    expect(stdout).toContain(`n3 was ended by SIGKILL (pid ${cluster.node("n3").pid})`);
    expect(stdout).toContain("2 of 3 go on");
    expect(startLine).toContain("start --config .capstan/capstan.config.json --node n3");
    await eventually("its death is noticed", async () => {
      const { stdout: status } = await cluster.capstan("n1", ["status", "--json"]);
      return JSON.parse(status).healthy_nodes === 2;
    });
  });

  test("stops neither reads nor writes at quorum", async () => {
    for (let number = 0; number < 5; number += 1) {
      const put = await cluster.capstan("n1", ["put", `during-${number}`, `${number}`]);
      expect(put).toMatchObject({ exitCode: 0, stderr: "" });
      const got = await cluster.capstan("n2", ["get", `during-${number}`]);
      expect(got).toMatchObject({ exitCode: 0, stdout: `${number}\n` });
    }
    const strong = await cluster.capstan("n2", ["get", "before", "--consistency", "strong"]);
    expect(strong).toMatchObject({ exitCode: 0, stdout: "1\n" });
  });

  test("makes `all` a fault, which says truly what became of the write", async () => {
    const put = await cluster.capstan("n1", ["put", "for-all", "1", "--consistency", "all"]);
    expect([1, 5]).toContain(put.exitCode);
    const there = await cluster.capstan("n2", ["get", "for-all", "--consistency", "quorum"]);
    if (put.exitCode === 1) {
      expect(put.stderr).toMatch(/^error: \w+ \(not applied\): .+\n$/);
      expect(there.exitCode).toBe(3);
    } else {
      expect(put.stderr).toMatch(/^error: \w+ \(outcome unknown\): .+--operation-id \S+: .+\n$/);
    }
    const got = await cluster.capstan("n1", ["get", "before", "--consistency", "all"]);
    expect(got).toMatchObject({ exitCode: 1, stdout: "" });
  });

  test("comes back by the printed line, is rebuilt, serves, and is nobody's child", async () => {
    const restarted = new Running("sh", ["-c", `exec ${startLine}`], {
      directory: cluster.directory,
    });
    try {
      await restarted.says(/node n3 is up/);
      await eventually("all replicas answer", async () => {
        const words = ["put", "after", "1", "--consistency", "all"];
        return (await cluster.capstan("n3", words)).exitCode === 0;
      });
      for (const key of ["before", "during-4", "after"]) {
        const got = await cluster.capstan("n3", ["get", key, "--consistency", "all"]);
        expect(got, key).toMatchObject({ exitCode: 0 });
      }
      cluster.running.signal("SIGINT");
      expect((await cluster.running.ended).exitCode).toBe(130);
      expect(restarted.child.exitCode).toBeNull();
      const { stdout } = await cluster.capstan("n3", ["status", "--json"]);
      expect(JSON.parse(stdout)).toMatchObject({ node: "n3", healthy_nodes: expect.any(Number) });
    } finally {
      await restarted.end();
    }
    expect((await restarted.ended).exitCode).toBe(130);
  });
});

describe("the end of a cluster", () => {
  test("by Ctrl-C lets writes under way end, and leaves no process", async () => {
    const cluster = await RunningCluster.ready();
    const pids = cluster.nodes.map(({ pid }) => pid);
    expect(pids.every(isAlive)).toBe(true);
    cluster.running.signal("SIGINT");
    const { exitCode, stdout } = await cluster.running.ended;
    expect(exitCode).toBe(130);
    expect(stdout).toMatch(/stopping n1, n2, n3 [\s\S]*^stopped$/m);
    expect(stdout.match(/^n\d │ .* stopped$/gm)).toHaveLength(3);
    expect(stdout).not.toContain("was ended by");
    expect(pids.filter(isAlive)).toEqual([]);
    await cluster.end();
  });

  test("by a second Ctrl-C kills a node that does not stop", async () => {
    const cluster = await RunningCluster.ready(["--nodes", "2"]);
    const pids = cluster.nodes.map(({ pid }) => pid);
    process.kill(cluster.node("n2").pid, "SIGSTOP");
    cluster.running.signal("SIGINT");
    await cluster.running.says(/stopping n1, n2 \(Ctrl-C again kills them\)/);
    // Repeated until it counts: what follows the first at once is taken for the same key press.
    await eventually("the cluster has ended", () => {
      cluster.running.signal("SIGINT");
      return cluster.running.child.exitCode !== null;
    });
    expect((await cluster.running.ended).exitCode).toBe(130);
    await eventually("no node is left", () => !pids.some(isAlive));
    await cluster.end();
  });

  test("by SIGKILL takes its nodes along", async () => {
    const cluster = await RunningCluster.ready(["--nodes", "2"]);
    const pids = cluster.nodes.map(({ pid }) => pid);
    cluster.running.signal("SIGKILL");
    await eventually("no node is left", () => !pids.some(isAlive));
    await cluster.end();
  });

  test("comes by itself when no node is left", async () => {
    const cluster = await RunningCluster.ready(["--nodes", "1"]);
    process.kill(cluster.node("n1").pid, "SIGKILL");
    const { exitCode, stdout } = await cluster.running.ended;
    expect(exitCode).toBe(1);
    expect(stdout).toContain("No node is left");
    await cluster.end();
  });

  test("before it is ready leaves nothing behind either", async () => {
    const cluster = await RunningCluster.start();
    await cluster.running.says(/pid \d+/);
    const pids = cluster.nodes.map(({ pid }) => pid);
    cluster.running.signal("SIGTERM");
    expect((await cluster.running.ended).exitCode).toBe(130);
    expect(pids.filter(isAlive)).toEqual([]);
    await cluster.end();
  });
});

describe("a cluster that cannot start", () => {
  test("names the port that another program holds, and starts nothing", async () => {
    const folder = temporaryFolder();
    const port = await freePorts(10);
    const holder = createServer((socket) =>
      socket
        .on("error", () => undefined)
        .resume()
        .end(),
    );
    await new Promise<void>((resolve) => holder.listen(port + 6, "127.0.0.1", resolve));
    const words = ["cluster", "--http-port", `${port}`, "--peer-port", `${port + 5}`];
    const { exitCode, stdout, stderr } = await capstan(words, { directory: folder.path });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(`port ${port + 6} (peers of n2) on 127.0.0.1 is in use`);
    expect(stderr).toContain("Another program holds it");
    await new Promise((resolve) => holder.close(resolve));
    folder.remove();
  });

  test.each([
    ["a storage that there is not", ["--storage", "tape"], /INVALID_CONFIGURATION .*storage.type/],
    [
      "a transport that there is not",
      ["--transport", "pigeon"],
      /INVALID_CONFIGURATION .*transport/,
    ],
    ["memory for a transport", ["--transport", "memory"], /--transport tcp/],
    ["no number of nodes", ["--nodes", "many"], /whole number from 1 to 32/],
    [
      "a file that is not there",
      ["--config", "nowhere.json"],
      /nowhere\.json: there is no such file/,
    ],
  ])("says so: %s", async (_case, words, message) => {
    const folder = temporaryFolder();
    const ran = await capstan(["cluster", ...words], { directory: folder.path });
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ran.stderr).toMatch(message);
    folder.remove();
  });
});
