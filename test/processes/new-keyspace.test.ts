import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import {
  capstan,
  ensureBuilt,
  eventually,
  freePorts,
  type Running,
  startCapstan,
  temporaryFolder,
} from "../support/processes.ts";

// docs/running.md, step by step: a keyspace that is added to the file of three nodes on disks, which
// are restarted one at a time while clients write.

const IDS = ["n1", "n2", "n3"] as const;
const FILE = "capstan.config.json";
const OLD = { users: { strategy: "tunable", shards: 2 } };
const NEW = { ...OLD, accounts: { strategy: "raft", shards: 2 } };
const PATIENT = { timeoutMs: 20_000 } as const;

beforeAll(() => ensureBuilt());

describe("three processes that are given one more keyspace one by one", () => {
  const folder = temporaryFolder();
  const running = new Map<string, Running>();
  let firstPort = 0;

  const url = (id: string): string => `http://127.0.0.1:${firstPort + IDS.indexOf(id as "n1")}`;
  const keyspace = (id: string, name: string) => connect({ url: url(id) }).keyspace(name);

  function writeFile(keyspaces: object): void {
    const nodes = IDS.map((id, at) => {
      const address = (port: number): string => `127.0.0.1:${port}`;
      return [id, { http: address(firstPort + at), peer: address(firstPort + IDS.length + at) }];
    });
    const configuration = {
      cluster: { name: "upgraded", nodes: Object.fromEntries(nodes) },
      storage: { type: "disk", path: join(folder.path, "data") },
      keyspaces,
    };
    writeFileSync(join(folder.path, FILE), JSON.stringify(configuration));
  }

  async function start(id: string): Promise<void> {
    const words = ["start", "--config", FILE, "--node", id];
    const started = startCapstan(words, { directory: folder.path });
    running.set(id, started);
    await started.says(/serves at the levels of its keyspaces/);
  }

  async function restart(id: string): Promise<void> {
    running.get(id)?.signal("SIGTERM");
    await running.get(id)?.ended;
    await start(id);
  }

  async function statusOf(id: string): Promise<string> {
    const { stdout } = await capstan(["status", "--url", url(id)], { directory: folder.path });
    return stdout;
  }

  beforeAll(async () => {
    firstPort = await freePorts(2 * IDS.length);
    writeFile(OLD);
    await Promise.all(IDS.map(start));
  }, 120_000);

  afterAll(async () => {
    await Promise.all([...running.values()].map((each) => each.end()));
    folder.remove();
  });

  test("serve it once two have it, and never stop serving the other one", async () => {
    writeFile(NEW);
    await restart("n1");
    const early = keyspace("n1", "accounts").put("alice", 1, { timeoutMs: 3_000 });
    await expect(early).rejects.toMatchObject({ outcome: "not-applied" });
    for (const id of IDS) await keyspace(id, "users").put(`at ${id}`, 1, PATIENT);
    for (const id of ["n1", "n2"]) {
      const said = await statusOf(id);
      for (const old of ["n2", "n3"]) {
        expect(said).toContain(`${old} lacks a keyspace that others have: accounts`);
      }
      expect(said).not.toContain("n1 lacks");
    }

    await restart("n2");
    await eventually("two nodes lead and follow", () =>
      keyspace("n2", "accounts")
        .put("alice", 2)
        .then(() => true)
        .catch(() => false),
    );
    await keyspace("n3", "users").put("between", 1, PATIENT);

    await restart("n3");
    expect(await statusOf("n3")).not.toContain("lacks");
    for (const id of IDS) {
      const read = await keyspace(id, "accounts").get("alice", PATIENT);
      expect(read).toMatchObject({ found: true, value: 2 });
      for (const key of [...IDS.map((each) => `at ${each}`), "between"]) {
        expect(await keyspace(id, "users").get(key, PATIENT)).toMatchObject({ value: 1 });
      }
    }
    expect(running.get("n1")?.output).toMatch(/keyspaces-differ/);
  }, 120_000);
});
