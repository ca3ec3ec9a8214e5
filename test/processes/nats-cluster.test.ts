import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { natsProgram, startNats } from "../support/nats.ts";
import {
  capstan,
  ensureBuilt,
  eventually,
  freePorts,
  isAlive,
  Running,
  startCapstan,
  temporaryFolder,
} from "../support/processes.ts";

// `capstan cluster --transport nats`, with a server of its own and with one that is there already.

const program = await natsProgram();
const env = program === undefined ? {} : { NATS_SERVER_BIN: program };

beforeAll(() => ensureBuilt());

interface NatsCluster {
  readonly running: Running;
  readonly folder: string;
  capstan(words: readonly string[]): ReturnType<typeof capstan>;
  end(): Promise<void>;
}

async function startCluster(words: readonly string[]): Promise<NatsCluster> {
  const folder = temporaryFolder();
  const port = await freePorts(3);
  const all = [
    "cluster",
    "--transport",
    "nats",
    "--storage",
    "memory",
    "--http-port",
    `${port}`,
    ...words,
  ];
  const running = startCapstan(all, { directory: folder.path, env });
  const cluster: NatsCluster = {
    running,
    folder: folder.path,
    capstan: (line) =>
      capstan(line, { directory: folder.path, env: { CAPSTAN_URL: `http://127.0.0.1:${port}` } }),
    end: async () => {
      await running.end();
      folder.remove();
    },
  };
  try {
    await running.says(/^ready\b/m);
    return cluster;
  } catch (error) {
    await cluster.end();
    throw error;
  }
}

function writtenTransport(folder: string): unknown {
  const text = readFileSync(join(folder, ".capstan/capstan.config.json"), "utf8");
  return JSON.parse(text).transport;
}

describe.skipIf(program === undefined)("a cluster over NATS", () => {
  describe("with a server of its own", () => {
    let cluster: NatsCluster;
    let url = "";
    let pid = 0;

    beforeAll(async () => {
      cluster = await startCluster([]);
      const said = await cluster.running.says(
        /^nats-server.* \(NATS_SERVER_BIN\) on (nats:\S+), pid (\d+)$/m,
      );
      url = said[1] as string;
      pid = Number(said[2]);
    });

    afterAll(() => cluster?.end());

    test("serves, and writes down where the server is", async () => {
      expect(await cluster.capstan(["put", "a", "1"])).toMatchObject({ exitCode: 0, stderr: "" });
      expect(await cluster.capstan(["get", "a"])).toMatchObject({ exitCode: 0, stdout: "1\n" });
      expect(writtenTransport(cluster.folder)).toEqual({ type: "nats", servers: url });
      expect(cluster.running.stdout).toMatch(/n1 +http:\S+ +peers over nats +pid \d+/);
      expect(cluster.running.stdout).not.toContain("7401");
    });

    test("says when the server died, and goes on with one that the printed line starts", async () => {
      process.kill(pid, "SIGKILL");
      const [, line = ""] = await cluster.running.says(/This starts one:\n {2}(\S+ -a .*)$/m);
      const server = new Running("sh", ["-c", `exec ${line}`], { directory: cluster.folder });
      try {
        await eventually("a write to go through again", async () => {
          const { exitCode } = await cluster.capstan(["put", "b", "2", "--timeout", "2s"]);
          return exitCode === 0;
        });
        expect(await cluster.capstan(["get", "a"])).toMatchObject({ stdout: "1\n" });
        const { exitCode } = await endOf(cluster.running);
        expect(exitCode).toBe(130);
      } finally {
        await server.end();
      }
    });
  });

  test("ends its server, also when it is killed itself", async () => {
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      const cluster = await startCluster(["--nodes", "2"]);
      try {
        const [, pid] = await cluster.running.says(/^nats-server.* pid (\d+)$/m);
        expect(isAlive(Number(pid))).toBe(true);
        cluster.running.signal(signal);
        await cluster.running.ended;
        await eventually(`the server to end after ${signal}`, () => !isAlive(Number(pid)));
      } finally {
        await cluster.end();
      }
    }
  });

  test("uses the server that --nats-url names, and starts none", async () => {
    const server = await startNats(program);
    const cluster = await startCluster(["--nats-url", server.url, "--nodes", "2"]);
    try {
      expect(await cluster.capstan(["put", "a", "1"])).toMatchObject({ exitCode: 0 });
      expect(writtenTransport(cluster.folder)).toEqual({ type: "nats", servers: server.url });
      expect(cluster.running.stdout).not.toMatch(/^nats-server/m);
    } finally {
      await cluster.end();
      await server.stop();
    }
  });
});

async function endOf(running: Running) {
  running.signal("SIGINT");
  return running.ended;
}

test.each([
  ["a port that nobody listens on", ["--peer-port", "7000"], /--peer-port has no meaning/],
  ["a program that is no server", [], /NATS_SERVER_BIN is \/bin\/false/],
  ["an address that is none", ["--nats-url", "http://x"], /transport\.servers is "http:\/\/x"/],
])("says so: %s", async (_case, words, message) => {
  const folder = temporaryFolder();
  const port = await freePorts(3);
  const all = ["cluster", "--transport", "nats", "--http-port", `${port}`, ...words];
  const options = { directory: folder.path, env: { NATS_SERVER_BIN: "/bin/false" } };
  const ran = await capstan(all, options);
  expect(ran.exitCode).toBe(2);
  expect(ran.stderr).toMatch(message);
  folder.remove();
});
