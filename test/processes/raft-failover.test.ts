import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import {
  checkLinearizable,
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  recordKeyspace,
  registerModel,
} from "../../src/verification/index.ts";
import {
  ensureBuilt,
  eventually,
  freePorts,
  type Running,
  startCapstan,
  temporaryFolder,
} from "../support/processes.ts";
import { SeededRandom } from "../support/seeded-random.ts";

// The leader of a raft shard is killed with SIGKILL under load, again and again, and started again
// over its data. `npm run test:failover` does it 50 times.

const KILLS = Number(process.env.CAPSTAN_FAILOVERS ?? 5);
const NODES = ["n1", "n2", "n3"] as const;
const CLIENTS_PER_NODE = 2;
const ELECTION_TIMEOUT_MS = 500;

type NodeName = (typeof NODES)[number];

let ending: (() => Promise<void>)[] = [];

beforeAll(() => ensureBuilt());
afterEach(async () => {
  const all = ending.splice(0).reverse();
  ending = [];
  for (const end of all) await end();
});

/** Three processes over disks of their own, each of which can be killed and started again. */
class Processes {
  readonly urls: Readonly<Record<NodeName, string>>;
  readonly #directory: string;
  readonly #running = new Map<NodeName, Running>();

  private constructor(directory: string, firstPort: number) {
    this.#directory = directory;
    const url = (at: number) => `http://127.0.0.1:${firstPort + at}`;
    this.urls = { n1: url(0), n2: url(1), n3: url(2) };
    for (const [at, node] of NODES.entries()) {
      mkdirSync(join(directory, node));
      const nodes = Object.fromEntries(
        NODES.map((id, place) => [
          id,
          { peer: `127.0.0.1:${firstPort + 10 + place}`, http: `127.0.0.1:${firstPort + place}` },
        ]),
      );
      const configuration = {
        cluster: { name: "failover", nodes },
        storage: { type: "disk", path: join(directory, NODES[at] as string, "data") },
        keyspaces: {
          accounts: { strategy: "raft", shards: 1, electionTimeout: ELECTION_TIMEOUT_MS },
        },
      };
      writeFileSync(join(directory, `${node}.json`), JSON.stringify(configuration));
    }
  }

  static async start(): Promise<Processes> {
    const folder = temporaryFolder();
    ending.push(async () => folder.remove());
    const processes = new Processes(folder.path, await freePorts(20));
    ending.push(() => processes.end());
    for (const node of NODES) processes.run(node);
    await Promise.all(NODES.map((node) => processes.isReady(node)));
    return processes;
  }

  run(node: NodeName): void {
    const words = ["start", "--config", `${node}.json`, "--node", node];
    this.#running.set(node, startCapstan(words, { directory: this.#directory }));
  }

  async isReady(node: NodeName): Promise<void> {
    await this.#running.get(node)?.says(/serves at the levels/);
  }

  async kill(node: NodeName): Promise<void> {
    const running = this.#running.get(node);
    running?.signal("SIGKILL");
    await running?.ended;
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running.values()].map((running) => running.end()));
  }

  /** Who said last that it leads, in the greatest term; undefined while that one is not running. */
  leader(): NodeName | undefined {
    let greatest = 0;
    let leader: NodeName | undefined;
    for (const [node, { output }] of this.#running) {
      for (const [, role, text] of output.matchAll(/raft-standing .*role=(\S+) term=(\d+)/g)) {
        const term = Number(text);
        if (term < greatest || (term === greatest && role !== "leader")) continue;
        greatest = term;
        leader = role === "leader" ? node : undefined;
      }
    }
    return leader;
  }
}

/** Clients at every node, each writing and reading few keys, until they are told to stop. */
class Load {
  readonly recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>({ now: () => Date.now() });
  /** When a write was acknowledged, of all clients, in order. */
  readonly acknowledgedAtMs: number[] = [];
  #isOver = false;
  readonly #clients: Promise<void>[];

  constructor(urls: Processes["urls"]) {
    this.#clients = NODES.flatMap((node) =>
      Array.from({ length: CLIENTS_PER_NODE }, (_, number) =>
        this.#drive(node, `${node}/${number}`, urls[node]),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #drive(node: NodeName, client: string, url: string): Promise<void> {
    const connection = connect({ url, timeoutMs: 5_000 });
    const keyspace = recordKeyspace(connection.keyspace("accounts"), this.recorder, {
      client,
      node,
    });
    const random = new SeededRandom(1, client);
    for (let each = 0; !this.#isOver; each += 1) {
      const key = `k${random.uint32() % 3}`;
      const isRead = random.uint32() % 3 === 0;
      try {
        if (isRead) await keyspace.get(key, { consistency: "strong" });
        else {
          await keyspace.put(key, `${client}/${each}`);
          this.acknowledgedAtMs.push(Date.now());
        }
      } catch (error) {
        if (!isCapstanError(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    await connection.close();
  }
}

/** The longest time without an acknowledgement that `atMs` lies in, or that begins soon after. */
function gapAround(atMs: number, acknowledgedAtMs: readonly number[]): number {
  const before = acknowledgedAtMs.filter((each) => each <= atMs).at(-1) ?? atMs;
  const after = acknowledgedAtMs.find((each) => each > atMs + 50) ?? Date.now();
  return after - Math.max(before, atMs);
}

describe("the leader of a raft shard", () => {
  test(`is killed ${KILLS} times under load, and no acknowledged write is lost`, {
    timeout: 60_000 + KILLS * 30_000,
  }, async () => {
    const processes = await Processes.start();
    const load = new Load(processes.urls);
    ending.push(() => load.stop());
    const gaps: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      let leader: NodeName | undefined;
      await eventually("somebody leads", () => {
        leader = processes.leader();
        return leader !== undefined;
      });
      const acknowledged = load.acknowledgedAtMs.length;
      await eventually("writes go on", () => load.acknowledgedAtMs.length > acknowledged + 20);
      const atMs = Date.now();
      await processes.kill(leader as NodeName);
      await eventually("writes go on without it", () =>
        load.acknowledgedAtMs.some((each) => each > atMs + 50),
      );
      gaps.push(gapAround(atMs, load.acknowledgedAtMs));
      processes.run(leader as NodeName);
      await processes.isReady(leader as NodeName);
    }
    await load.stop();
    const last = connect({ url: Object.values(processes.urls) });
    ending.push(() => last.close());
    const reading = recordKeyspace(last.keyspace("accounts"), load.recorder, { client: "last" });
    for (const key of ["k0", "k1", "k2"]) await reading.get(key, { consistency: "strong" });
    const result = checkLinearizable(registerModel, load.recorder.operations());
    expect(result).toMatchObject({ verdict: "legal" });
    expect(result.operations).toBeGreaterThan(KILLS * 20);
    const sorted = gaps.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    process.stdout.write(
      `gap in writes after ${KILLS} kills: median ${median} ms, longest ${sorted.at(-1)} ms; ` +
        `election timeout ${ELECTION_TIMEOUT_MS} ms; ${result.operations} operations judged\n`,
    );
  });
});
