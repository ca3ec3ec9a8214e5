import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, type TestContext, test } from "vitest";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { DoubledProcesses, type Id } from "../support/doubled-processes.ts";
import { natsProgram, startNats } from "../support/nats.ts";
import { ensureBuilt, freePorts } from "../support/processes.ts";
import { SeededRandom } from "../support/seeded-random.ts";

// A copy of a node's data that is started beside it; and one node that is killed and started again
// so quickly that it might be taken for that.

const program = await natsProgram();
const PATIENCE_MS = 600_000;
/** Between two writes of one writer: all of them are read back. */
const PACE_MS = 50;
const READERS = 16;
/** The full number: `npm run test:kills`. */
const RESTARTS = Number(process.env.CAPSTAN_RESTARTS_IN_A_ROW ?? 4);
const TRANSPORTS = ["tcp", ...(program === undefined ? [] : ["nats"])] as const;

beforeAll(() => ensureBuilt());

/** What it starts ends with the test. */
async function open(
  type: string,
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
  firstPort?: number,
): Promise<DoubledProcesses> {
  let transport: Record<string, unknown> = { type };
  if (type === "nats") {
    const server = await startNats(program);
    onTestFinished(() => server.stop());
    transport = { type, servers: server.url };
  }
  const cluster = await DoubledProcesses.open(transport, firstPort);
  onTestFinished(() => cluster.end());
  return cluster;
}

/** Writes through some processes in turn until it is stopped; all that was acknowledged. */
class Writing {
  readonly acknowledged = new Map<string, number>();
  readonly #cluster: DoubledProcesses;
  readonly #done: Promise<void>;
  #isOver = false;

  constructor(cluster: DoubledProcesses, ...through: readonly (readonly [Id, "first" | "copy"])[]) {
    this.#cluster = cluster;
    this.#done = Promise.all(through.map(([id, of]) => this.#write(id, of))).then(() => undefined);
  }

  async stop(): Promise<ReadonlyMap<string, number>> {
    this.#isOver = true;
    await this.#done;
    return this.acknowledged;
  }

  async #write(id: Id, of: "first" | "copy"): Promise<void> {
    for (let number = 0; !this.#isOver; number += 1) {
      const key = `${id}-${of}-${number}`;
      try {
        const options = { consistency: "quorum", timeoutMs: 1_000 } as const;
        await this.#cluster.keyspace(id, of).put(key, number, options);
        this.acknowledged.set(key, number);
      } catch (error) {
        if (!isCapstanError(error)) throw error;
      }
      await sleep(PACE_MS);
    }
  }
}

async function expectAll(
  cluster: DoubledProcesses,
  written: ReadonlyMap<string, number>,
): Promise<void> {
  for (const id of ["n1", "n2", "n3"] as const) {
    const keyspace = cluster.keyspace(id);
    const lost: string[] = [];
    const check = async ([key, number]: readonly [string, number]): Promise<void> => {
      const read = await keyspace.get(key, { consistency: "quorum", timeoutMs: 20_000 });
      if (!read.found || read.conflict || read.value !== number) lost.push(key);
    };
    const all = [...written];
    for (let at = 0; at < all.length; at += READERS) {
      await Promise.all(all.slice(at, at + READERS).map(check));
    }
    expect(lost).toEqual([]);
  }
}

describe.each(TRANSPORTS)("over %s", (type) => {
  // Over TCP the smallest id dials all others, and the greatest is dialed by all.
  const { PORTS } = DoubledProcesses;
  let firstPort = 0;

  beforeAll(async () => {
    firstPort = await freePorts(2 * PORTS);
  });

  // Beside each other: most of it is waiting until the processes have met.
  test.concurrent.for([
    ["n1", 0],
    ["n3", PORTS],
  ] as const)(
    "a second process on a copy of the data of %s stops, says why, and nothing is lost",
    { timeout: PATIENCE_MS },
    async ([id, portsAfter], context) => {
      const cluster = await open(type, context, firstPort + portsAfter);
      const before = new Writing(cluster, ["n2", "first"]);
      await cluster.kill(id);
      cluster.copy(id);
      const first = cluster.start(id);
      await cluster.serves(id);
      const written = new Map(await before.stop());
      const beside = new Writing(cluster, [id, "first"], [id, "copy"], ["n2", "first"]);
      const copy = cluster.startCopy(id);
      await copy.says(/IDENTITY_CONFLICT/);
      const { exitCode } = await copy.ended;
      for (const [key, number] of await beside.stop()) written.set(key, number);
      expect(exitCode, copy.output).toBe(1);
      expect(copy.output).toContain(`another live process answers as node \\"${id}\\"`);
      expect(copy.output).toContain("give it a node id and an empty data directory of its own");
      // The first one was counted all the time, and the second never.
      expect(first.child.exitCode).toBeNull();
      expect(first.output).not.toContain("IDENTITY_CONFLICT");
      expect([...written.keys()].filter((key) => key.includes("copy"))).toEqual([]);
      expect(
        [...written.keys()].filter((key) => key.startsWith(`${id}-first`)).length,
      ).toBeGreaterThan(0);
      await expectAll(cluster, written);
    },
  );

  test(
    `one node that is killed and started again ${RESTARTS} times is never taken for two processes`,
    async (context) => {
      const random = new SeededRandom(1, "restarts");
      const cluster = await open(type, context);
      const writing = new Writing(cluster, ["n1", "first"], ["n3", "first"]);
      for (let life = 0; life < RESTARTS; life += 1) {
        await cluster.kill("n2");
        const running = cluster.start("n2");
        // Killed as it opens, as it meets its peers, and later.
        if (life % 3 > 0) await running.says(/is up/);
        await sleep((life % 3) * random.fraction() * 400);
      }
      await cluster.serves("n2");
      const written = await writing.stop();
      expect(cluster.output).not.toMatch(/identity-conflict|IDENTITY_CONFLICT|DISOWNED/);
      expect(written.size).toBeGreaterThan(RESTARTS);
      await expectAll(cluster, written);
    },
    PATIENCE_MS,
  );
});
