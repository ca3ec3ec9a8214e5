import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningNatsServer } from "../../src/cli/nats-server/running-nats-server.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { openStore, type Store } from "../../src/index.ts";
import { natsProgram, startNats } from "../support/nats.ts";
import { ensureBuilt, eventually, Running, temporaryFolder } from "../support/processes.ts";

const program = await natsProgram();
const NODES = ["n1", "n2", "n3"];
/** What the issue allows from the moment at which the server answers again. */
const RECOVERY_MS = 5_000;

describe.skipIf(program === undefined)("three stores over NATS", () => {
  let server: RunningNatsServer;
  let stores: Store[];

  beforeAll(async () => {
    server = await startNats(program);
    stores = await Promise.all(
      NODES.map((node) =>
        openStore(
          {
            cluster: { name: "under-load", nodes: NODES },
            transport: { type: "nats", servers: server.url },
            keyspaces: {
              default: { strategy: "tunable", replicas: 3, read: "quorum", write: "quorum" },
            },
          },
          { node },
        ),
      ),
    );
    await Promise.all(stores.map((store) => store.ready()));
  });

  afterAll(async () => {
    await Promise.all((stores ?? []).map((store) => store.close()));
    await server?.stop();
  });

  test("go on within 5 s once a server that was killed is back, and have lost nothing", async () => {
    const acknowledged = new Map<string, number>();
    let isOver = false;
    let faults = 0;
    const write = async (writer: number): Promise<void> => {
      const keyspace = stores[writer % stores.length]?.keyspace("default");
      for (let sequence = 0; !isOver; sequence += 1) {
        const key = `${writer}/${sequence % 50}`;
        try {
          await keyspace?.put(key, { sequence }, { timeoutMs: 1_000 });
          acknowledged.set(key, sequence);
        } catch (error) {
          if (!isCapstanError(error)) throw error;
          faults += 1;
          // A write that is refused at once must not keep everything else from happening.
          await sleep(5);
        }
      }
    };
    const load = Promise.all(Array.from({ length: 12 }, (_, writer) => write(writer)));
    for (let round = 0; round < 2; round += 1) {
      const before = acknowledged.size === 0 ? 0 : highest(acknowledged);
      await eventually("writes to be acknowledged", () => highest(acknowledged) > before + 20);
      await server.kill();
      const faultsBefore = faults;
      await eventually("writes to fail", () => faults > faultsBefore);
      await server.restart();
      const backAtMs = performance.now();
      for (const store of stores) {
        await eventually("a write and a read to go through", () => writesAndReads(store, round));
      }
      expect(performance.now() - backAtMs).toBeLessThan(RECOVERY_MS);
    }
    isOver = true;
    await load;
    for (const store of stores) {
      const keyspace = store.keyspace("default");
      for (const [key, sequence] of acknowledged) {
        const read = await keyspace.get(key);
        if (!read.found || read.conflict) throw new Error(`${key} is lost`);
        expect((read.value as { sequence: number }).sequence, key).toBeGreaterThanOrEqual(sequence);
      }
    }
  });
});

function highest(acknowledged: ReadonlyMap<string, number>): number {
  return Math.max(0, ...acknowledged.values());
}

async function writesAndReads(store: Store, round: number): Promise<boolean> {
  const keyspace = store.keyspace("default");
  try {
    await keyspace.put("probe", { round }, { timeoutMs: 300 });
    const read = await keyspace.get("probe", { timeoutMs: 300 });
    return read.found;
  } catch (error) {
    if (isCapstanError(error)) return false;
    throw error;
  }
}

test("the client of NATS is not loaded by who does not use it", async () => {
  ensureBuilt();
  const folder = temporaryFolder();
  const root = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
  const require = JSON.stringify(createRequire(import.meta.url).resolve("@nats-io/transport-node"));
  const script = `
    import { createRequire } from "node:module";
    const { openStore } = await import(${root});
    const loaded = () => Object.keys(createRequire(${root}).cache).some((path) => path === ${require});
    const store = await openStore();
    console.log(loaded());
    await store.close();
    await openStore({ cluster: { nodes: ["a", "b"] }, transport: { type: "nats", servers: "127.0.0.1:1", startTimeout: "50ms" } }, { node: "a" }).then((s) => s.ready({ timeoutMs: 500 })).catch(() => undefined);
    console.log(loaded());
    process.exit();`;
  try {
    const ran = await new Running(process.execPath, ["--input-type=module", "-e", script], {
      directory: folder.path,
    }).ended;
    expect(ran).toMatchObject({ stdout: "false\ntrue\n", stderr: "" });
  } finally {
    folder.remove();
  }
});
