import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

const SHARD = Object.freeze({ keyspace: "default", shard: 0 });
/**
 * Of the kills of one run: so far apart that every phase of a change meets one. The one in which
 * somebody has voted for a map, and nobody knows it yet, lasts for one message.
 */
const KILLS_AT_MS = [0, 6, 12, 15, 18, 21, 24, 27, 45, 90, 135, 165, 170, 175, 180, 185, 190, 300];
/** Longer than a change may stand still, and what it takes to finish it then. */
const FINISHED_MS = 15_000;

interface Place {
  readonly stage: string;
  readonly replicas: readonly string[];
}

function placeAt(cluster: Cluster, id: string): Place | undefined {
  const { shards } = cluster.keyspace(id).describe();
  return (shards as readonly { readonly place?: Place }[])[0]?.place;
}

/** The furthest that any copy knows of. */
function stageOf(cluster: Cluster, ids: readonly string[]): string {
  const stages = ids.map((id) => placeAt(cluster, id)?.stage ?? "unknown");
  return ["switching", "pending", "settled"].find((stage) => stages.includes(stage)) ?? "unknown";
}

async function openSix(strategy: string, seed: number) {
  const keyspaces = { default: { strategy, replicas: 3, shards: 1 } };
  const cluster = await open({ nodes: 6, seed, persistent: true, keyspaces });
  const asking = cluster.node("n1").store.admin.members(SHARD);
  const { replicas } = await cluster.until(asking);
  const [caller, ...idle] = cluster.ids.filter((id) => !replicas.includes(id));
  return { cluster, caller: caller as string, wanted: [...idle, replicas[0] as string], replicas };
}

describe.each(["tunable", "dynamo"])("a change of %s replicas whose caller dies", (strategy) => {
  test("in whatever phase is finished by the others, or was never begun", async () => {
    const met = new Map<string, string>();
    for (const [n, killAtMs] of KILLS_AT_MS.entries()) {
      const { cluster, caller, wanted, replicas } = await openSix(strategy, n + 1);
      for (let k = 0; k < 5; k++) await cluster.until(cluster.keyspace("n1").put(`k${k}`, k));
      cluster.network.faults = { delayMs: [4, 8] };
      const others = cluster.ids.filter((id) => id !== caller);
      const { admin } = cluster.node(caller).store;
      admin.changeReplicas({ ...SHARD, replicas: wanted }).catch(() => undefined);
      await cluster.advance(killAtMs);
      const stage = stageOf(cluster, others);
      cluster.kill(caller);
      cluster.network.faults = {};
      await cluster.advance(FINISHED_MS);
      const [asked] = others as [string];
      const members = await cluster.until(cluster.node(asked).store.admin.members(SHARD));
      expect(members.changingTo).toBeUndefined();
      const isMoved = members.replicas.every((id) => wanted.includes(id));
      if (!isMoved) expect([...members.replicas].sort()).toEqual([...replicas].sort());
      if (stage === "pending" || stage === "switching") expect(isMoved).toBe(true);
      met.set(stage, `${met.get(stage) ?? ""}${isMoved ? "+" : "-"}`);
      for (const id of isMoved ? [...wanted, ...replicas] : []) {
        expect(placeAt(cluster, id)).toMatchObject({ stage: "settled" });
      }
      for (let k = 0; k < 5; k++) {
        const read = await cluster.until(cluster.keyspace(asked).get(`k${k}`));
        expect(read).toMatchObject({ found: true, value: k });
      }
      await cluster.close();
    }
    // Nobody knew a map, but some had voted for one.
    expect(met.get("unknown")).toMatch(/-.*\+/);
    expect([...met.keys()]).toEqual(expect.arrayContaining(["pending", "switching"]));
  });

  test("waits for a new replica that is away, and can be taken back until it comes", async () => {
    const { cluster, caller, wanted, replicas } = await openSix(strategy, 1);
    const [joining] = wanted as [string];
    cluster.kill(joining);
    const { admin } = cluster.node(caller).store;
    admin.changeReplicas({ ...SHARD, replicas: wanted }).catch(() => undefined);
    await cluster.waitFor(() => stageOf(cluster, replicas) === "pending");
    cluster.kill(caller);
    await cluster.advance(FINISHED_MS);
    expect(stageOf(cluster, replicas)).toBe("pending");
    const back = cluster.node(replicas[0] as string).store.admin;
    await cluster.until(back.changeReplicas({ ...SHARD, replicas }));
    await cluster.restart(joining);
    await cluster.advance(FINISHED_MS);
    for (const id of replicas) {
      const place = placeAt(cluster, id);
      expect(place).toMatchObject({ stage: "settled" });
      expect([...(place?.replicas ?? [])].sort()).toEqual([...replicas].sort());
    }
  });
});
