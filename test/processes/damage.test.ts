import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { filesBelow, flipBits } from "../support/flip-bits.ts";
import { ensureBuilt, eventually, Running } from "../support/processes.ts";
import { RunningCluster } from "../support/processes-cluster.ts";
import { SeededRandom } from "../support/seeded-random.ts";

// Bits that flip while a node is down, in any of its files: the node opens all the same, says what
// is damaged, is rebuilt, and the cluster has every acknowledged write. `npm run test:kills` does
// 60 rounds.

const ROUNDS = Number(process.env.CAPSTAN_DAMAGES ?? 5);
const SEED = Number(process.env.CAPSTAN_SEED ?? 1);
const KEYS = 150;
const WRITES_A_ROUND = 60;
const MOST_FLIPS = 12;
const PROBES = 128;
const READERS = 16;

beforeAll(() => ensureBuilt());

describe("bits flipped at random in the files of one node at a time", () => {
  let cluster: RunningCluster;
  const expected = new Map<string, number>();
  const running = new Map<string, Running>();
  let next = 0;

  beforeAll(async () => {
    cluster = await RunningCluster.ready();
  });

  afterAll(async () => {
    await Promise.all([...running.values()].map((each) => each.end()));
    await cluster?.end();
  });

  const keyspaceAt = (node: string) => connect({ url: cluster.node(node).url }).keyspace("default");

  async function write(node: string, count: number): Promise<void> {
    const keyspace = keyspaceAt(node);
    for (let at = 0; at < count; at += 1) {
      const key = `key-${next % KEYS}`;
      const value = next++;
      await keyspace.put(key, value, { consistency: "quorum", timeoutMs: 20_000 });
      expected.set(key, value);
    }
  }

  async function kill(node: string): Promise<void> {
    const earlier = running.get(node);
    if (earlier !== undefined) {
      earlier.signal("SIGKILL");
      await earlier.ended;
      return;
    }
    process.kill(cluster.node(node).pid, "SIGKILL");
    await cluster.running.says(new RegExp(`^ {2}.* start --config .* --node ${node}$`, "m"));
  }

  function startAgain(node: string): Running {
    const line = new RegExp(`^ {2}(.* start --config .* --node ${node})$`, "m");
    const [, words = ""] = line.exec(cluster.running.stdout) ?? [];
    const started = new Running("sh", ["-c", `exec ${words}`], { directory: cluster.directory });
    running.set(node, started);
    return started;
  }

  async function wrongAt(node: string): Promise<string[]> {
    const wrong: string[] = [];
    const keyspace = keyspaceAt(node);
    const check = async ([key, value]: readonly [string, number]): Promise<void> => {
      const got = await keyspace.get(key, { consistency: "quorum", timeoutMs: 20_000 });
      const held = got.found && !got.conflict ? got.value : undefined;
      if (held !== value) wrong.push(`${key}: ${held} instead of ${value}`);
    };
    const all = [...expected];
    for (let at = 0; at < all.length; at += READERS) {
      await Promise.all(all.slice(at, at + READERS).map(check));
    }
    return wrong;
  }

  /** Enough keys for every shard to have some: each is fenced, and learns, by itself. */
  async function allServe(node: string, round: number): Promise<boolean> {
    const keyspace = keyspaceAt(node);
    const keys = Array.from({ length: PROBES }, (_, at) => `probe-${at}`);
    const puts = keys.map((key) =>
      keyspace.put(key, round, { consistency: "all", timeoutMs: 2_000 }).then(
        () => true,
        () => false,
      ),
    );
    return (await Promise.all(puts)).every(Boolean);
  }

  test(`lose no acknowledged write in ${ROUNDS} rounds (CAPSTAN_SEED=${SEED})`, {
    timeout: 60_000 + ROUNDS * 30_000,
  }, async () => {
    const random = new SeededRandom(SEED, "damage");
    let said = 0;
    await write("n1", KEYS);
    for (let round = 0; round < ROUNDS; round += 1) {
      const victim = `n${1 + (random.uint32() % 3)}`;
      const other = victim === "n1" ? "n2" : "n1";
      await write(other, WRITES_A_ROUND);
      await kill(victim);
      const folder = join(cluster.directory, ".capstan/data", victim);
      const files = filesBelow(folder);
      const file = files[random.uint32() % files.length] as string;
      const flipped = flipBits(folder, file, 1 + (random.uint32() % MOST_FLIPS), random);
      const what = `round ${round}, ${victim}, ${JSON.stringify(flipped)}`;
      await write(other, WRITES_A_ROUND);
      const started = startAgain(victim);
      await started.says(/node n\d is up/);
      await eventually(`all replicas of all shards answer: ${what}`, () => allServe(victim, round));
      if (/damaged|set aside/.test(started.output)) said += 1;
      for (const node of [victim, other]) expect(await wrongAt(node), what).toEqual([]);
    }
    // Some bits hit what is not needed any more; but not all of them.
    expect(said).toBeGreaterThan(0);
  });
});
