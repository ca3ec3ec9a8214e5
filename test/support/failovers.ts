import { expect } from "vitest";
import { connect } from "../../src/client/index.ts";
import {
  checkLinearizable,
  describeOperation,
  registerModel,
} from "../../src/verification/index.ts";
import { FailoverLoad, settled, shards } from "./failover-load.ts";
import { eventually } from "./processes.ts";
import { KEYSPACE, keyInShard, RaftProcesses, SHARDS } from "./raft-processes.ts";

/** How many kills at full length; undefined: the ordinary run. */
export const LONG = process.env.CAPSTAN_FAILOVERS;
export const SEED = Number(process.env.CAPSTAN_SEED ?? 1);
/** The upper end of the draw, as it is by default. */
const ELECTION_TIMEOUT_MS = 500;
const MOST_GAP_MS = 1.2 * ELECTION_TIMEOUT_MS;
/** Whatever the machine is busy with: beyond this nobody leads. */
const HOPELESS_MS = 30_000;

interface Failover {
  /** From the kill to the first acknowledgement of a write that was called after it. */
  readonly gapMs: number;
  /** To the moment at which somebody else led. */
  readonly electedMs: number;
}

export const CLAIM = "lose no acknowledged write, and the history is linearizable";

export function patienceFor(kills: number): { readonly timeout: number } {
  return { timeout: 120_000 + kills * 30_000 };
}

/** Kills leaders by SIGKILL under load, one after the other, and judges what clients were told. */
export async function killLeaders(
  kills: number,
  transport: Readonly<Record<string, unknown>>,
): Promise<void> {
  const cluster = await RaftProcesses.open(transport);
  const load = new FailoverLoad(Object.values(cluster.urls), SEED);
  try {
    const failovers: Failover[] = [];
    for (let kill = 0; kill < kills; kill += 1) failovers.push(...(await failOver(cluster, kill)));
    await load.end();
    const median = report(`over ${transport.type}`, kills, failovers);
    await judge(load, cluster);
    expect(load.writes.acknowledged).toBeGreaterThan(kills * 10);
    expect(Math.max(...failovers.map(({ gapMs }) => gapMs))).toBeLessThan(HOPELESS_MS);
    if (LONG === undefined) return;
    expect(median).toBeLessThanOrEqual(MOST_GAP_MS);
  } finally {
    await load.end().catch(() => undefined);
    await cluster.end();
  }
}

/** Every node has what was acknowledged, and one copy could have answered as all three did. */
async function judge(load: FailoverLoad, cluster: RaftProcesses): Promise<void> {
  for (const url of Object.values(cluster.urls)) {
    for (const level of ["strong", "follower"] as const) {
      await load.hearHeld(url, level);
      expect(load.writes.judge(), `${level} at ${url}`).toEqual([]);
    }
  }
  const judged = checkLinearizable(registerModel, load.recorder.operations());
  const shown = judged.verdict === "illegal" ? judged.counterexample.operations : [];
  expect(shown.map((each) => describeOperation(each))).toEqual([]);
  expect(judged.verdict).toBe("legal");
}

/** One kill of a leader: how long each shard that it led was without one; ends when it is back. */
async function failOver(cluster: RaftProcesses, kill: number): Promise<Failover[]> {
  await eventually("all nodes know one leader of each shard", () =>
    shards().every((shard) => cluster.leaderOf(shard) !== undefined),
  );
  const victim = cluster.leaderOf(kill % SHARDS) as string;
  const led = shards().filter((shard) => cluster.leaderOf(shard) === victim);
  const diedAtMs = performance.now();
  const diedAtWallMs = Date.now();
  const death = cluster.kill(victim);
  const failovers = await Promise.all(
    led.map(async (shard) => {
      await write(Object.values(cluster.urls), shard, kill);
      const gapMs = performance.now() - diedAtMs;
      await death;
      await eventually(
        "the new leader has said so",
        () => cluster.ledSince(shard, diedAtWallMs) !== undefined,
      );
      return { gapMs, electedMs: (cluster.ledSince(shard, diedAtWallMs) ?? 0) - diedAtWallMs };
    }),
  );
  await cluster.restart(victim);
  await Promise.all(shards().map((shard) => catchesUp(cluster, victim, shard, kill)));
  return failovers;
}

/** One client that knows all nodes, and does not let go until its write is acknowledged. */
async function write(urls: readonly string[], shard: number, value: number): Promise<void> {
  const client = connect({ url: urls });
  await eventually(`a write to shard ${shard} is acknowledged`, async () => {
    const keyspace = client.keyspace(KEYSPACE);
    return (await settled(keyspace, keyInShard("probe", shard), value)) === "applied";
  });
  await client.close();
}

/** Until the node's own state shows what was written after it had come back. */
async function catchesUp(cluster: RaftProcesses, id: string, shard: number, value: number) {
  const key = keyInShard("back", shard);
  const client = connect({ url: cluster.url(id) });
  const keyspace = client.keyspace(KEYSPACE);
  expect(await settled(keyspace, key, value)).toBe("applied");
  await eventually(`${id} has caught up in shard ${shard}`, async () => {
    const read = await keyspace.get(key, { consistency: "stale" });
    return read.found && !read.conflict && read.value === value;
  });
  await client.close();
}

/** Prints what the kills cost; the median gap in writes. */
function report(name: string, kills: number, failovers: readonly Failover[]): number {
  const shown = (of: readonly number[]) =>
    [0.5, 0.9, 1].map((at) => Math.round(quantile(of, at))).join(", ");
  const gaps = failovers.map(({ gapMs }) => gapMs);
  const median = quantile(gaps, 0.5);
  console.log(
    `${name}: ${kills} kills, ${failovers.length} shards lost their leader; p50, p90, max in ms: ` +
      `gap in writes ${shown(gaps)}; ` +
      `leader elected ${shown(failovers.map(({ electedMs }) => electedMs))}; ` +
      `election timeout ${ELECTION_TIMEOUT_MS}: a median gap of at most ${MOST_GAP_MS} ` +
      `${median <= MOST_GAP_MS ? "held" : "did not hold"}`,
  );
  return median;
}

/** The least value that the fraction of all values does not exceed. */
function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? Number.NaN;
}
