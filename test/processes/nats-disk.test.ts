import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningNatsServer } from "../../src/cli/nats-server/running-nats-server.ts";
import { connect } from "../../src/client/index.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { natsProgram, startNats } from "../support/nats.ts";
import {
  ensureBuilt,
  eventually,
  freePorts,
  type Running,
  startCapstan,
  temporaryFolder,
} from "../support/processes.ts";

// What a cluster on disk that talks over NATS keeps over the death of its server, and of all its
// nodes. The full size, 100,000 lines: `npm run test:load`

const program = await natsProgram();
const LINES = Number(process.env.CAPSTAN_LOAD_LINES ?? 1_000);
const PATIENCE_MS = 90_000 + LINES * 20;
const WRITERS = 32;
/** What the issue allows from the moment at which the server answers again. */
const RECOVERY_MS = 5_000;
const PATIENT = { consistency: "quorum", timeoutMs: 20_000 } as const;

describe.skipIf(program === undefined)("a cluster on disk over NATS", () => {
  const folder = temporaryFolder();
  let server: RunningNatsServer;
  let httpPort: number;
  let running: Running;

  async function start(words: readonly string[]): Promise<void> {
    const all = ["cluster", "--http-port", `${httpPort}`, ...words];
    running = startCapstan(all, { directory: folder.path });
    await running.says(/^ready\b/m);
  }

  const keyspaceOf = (node: number) =>
    connect({ url: `http://127.0.0.1:${httpPort + node}` }).keyspace("default");

  beforeAll(async () => {
    ensureBuilt();
    server = await startNats(program);
    httpPort = await freePorts(20);
    await start(["--transport", "nats", "--nats-url", server.url]);
  });

  afterAll(async () => {
    await running?.end();
    await server?.stop();
    folder.remove();
  });

  async function expectAll(acknowledged: ReadonlyMap<string, number>): Promise<void> {
    for (const node of [0, 1, 2]) {
      const keyspace = keyspaceOf(node);
      const lost: string[] = [];
      const keys = [...acknowledged];
      for (let at = 0; at < keys.length; at += WRITERS) {
        await Promise.all(
          keys.slice(at, at + WRITERS).map(async ([key, number]) => {
            const read = await keyspace.get(key, PATIENT);
            if (!read.found || read.conflict || read.value !== number) lost.push(key);
          }),
        );
      }
      expect(lost, running.output).toEqual([]);
    }
  }

  test(
    "goes on within 5 s after its server, and has every write after all its nodes were killed",
    async () => {
      const acknowledged = new Map<string, number>();
      let next = 0;
      let faults = 0;
      const write = async (writer: number): Promise<void> => {
        const keyspace = keyspaceOf(writer % 3);
        for (let number = next++; number < LINES; number = next++) {
          try {
            await keyspace.put(`key/${number}`, number, {
              consistency: "quorum",
              timeoutMs: 1_000,
            });
            acknowledged.set(`key/${number}`, number);
          } catch (error) {
            if (!isCapstanError(error)) throw error;
            faults += 1;
          }
        }
      };
      const load = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      await eventually("a third to be written", () => acknowledged.size > LINES / 3);
      await server.kill();
      await eventually("writes to fail", () => faults > 0);
      await server.restart();
      const backAtMs = performance.now();
      for (const node of [0, 1, 2]) {
        await eventually("a write and a read to go through", () =>
          keyspaceOf(node)
            .put("probe", node, { timeoutMs: 300 })
            .then(() => keyspaceOf(node).get("probe", { timeoutMs: 300 }))
            .then(
              ({ found }) => found,
              () => false,
            ),
        );
      }
      expect(performance.now() - backAtMs).toBeLessThan(RECOVERY_MS);
      await load;
      expect(acknowledged.size).toBeGreaterThan(LINES / 3);
      await expectAll(acknowledged);

      const pids = [...running.stdout.matchAll(/^ {2}n\d+ .*pid (\d+)$/gm)].map(([, pid]) => pid);
      expect(pids).toHaveLength(3);
      for (const pid of pids) process.kill(Number(pid), "SIGKILL");
      await running.ended;
      await start(["--transport", "nats", "--nats-url", server.url]);
      await expectAll(acknowledged);

      // The data does not ask how its nodes talk.
      await running.end();
      await start(["--peer-port", `${httpPort + 10}`]);
      await expectAll(acknowledged);
    },
    PATIENCE_MS,
  );
});
