import { expect, test } from "vitest";
import type { ReplicaChange, ShardMembers } from "../../../../src/core/store/api.ts";
import { Draw } from "../../../../src/simulation/scenario/draw.ts";
import { ShardMover } from "../../../../src/simulation/scenario/shard-mover.ts";
import type {
  KeyspaceScene,
  Violation,
} from "../../../../src/simulation/scenario/strategy-scenario.ts";
import { KeyspaceTopology } from "../../../../src/simulation/scenario/topology.ts";
import { SeededRandom } from "../../../../src/simulation/seeded-random.ts";

const NODES = ["n1", "n2", "n3", "n4"];
const GOAL = ["n2", "n3", "n4"];

type Told = Pick<ShardMembers, "replicas" | "changingTo">;

interface Judged {
  readonly violations: readonly Violation[];
  /** Until the mover had no more to ask. */
  readonly tookMs: number;
}

/** A shard is moved to `GOAL`, which is answered as done; what it says `atMs` later is `told`. */
async function judge(told: (atMs: number) => Told): Promise<Judged> {
  const time = { nowMs: 0 };
  const admin = {
    changeReplicas: async ({ replicas }: ReplicaChange) => ({ replicas }),
    members: async () => told(time.nowMs),
  };
  const node = { id: "n1", life: { store: { admin } } };
  const driver = {
    until: (asked: Promise<unknown>) => asked,
    run: async (durationMs: number) => {
      time.nowMs += durationMs;
    },
    runWhile: async (isLeft: () => boolean) => {
      for (let turns = 0; isLeft() && turns < 10; turns += 1) await Promise.resolve();
      return !isLeft();
    },
  };
  const nodes = NODES.map((id) => ({ id, roles: ["store"] }));
  const keyspace = new KeyspaceTopology(
    { hash: 1, shards: 1, replicas: 3 } as never,
    nodes as never,
  );
  const scene = {
    plan: { name: "things" },
    calls: { alive: (_node: unknown, asked: Promise<unknown>) => asked },
    world: { time, driver, nodes: [node], running: () => [node] },
    keyspace,
  } as unknown as KeyspaceScene;
  const violations: Violation[] = [];
  const mover = new ShardMover({
    scene,
    records: {
      violate: (check, message) => violations.push({ check, message }),
      count: () => undefined,
    },
    draw: new Draw(new SeededRandom(1)),
    counted: "a shard was moved",
    drawGoal: () => GOAL,
  });
  await mover.move(node as never);
  await mover.settle();
  return { violations, tookMs: time.nowMs };
}

test("a shard that was moved may take a new store for a lost one, as long as that ends", async () => {
  const { violations, tookMs } = await judge((atMs) =>
    atMs < 5_000 ? { replicas: GOAL, changingTo: ["n4", "n3", "n2"] } : { replicas: GOAL },
  );
  expect(violations).toEqual([]);
  expect(tookMs).toBe(5_000);
});

test("a change to the nodes that hold a moved shard, which never ends, is a violation", async () => {
  const { violations } = await judge(() => ({ replicas: GOAL, changingTo: GOAL }));
  expect(violations).toEqual([
    {
      check: "members",
      message: "shard 0 was moved to n2+n3+n4, and is at n2+n3+n4, on its way to n2+n3+n4",
    },
  ]);
});

test("a change that was given up, and still stands when a shard is where it was moved to, is found at once", async () => {
  const { violations, tookMs } = await judge(() => ({ replicas: GOAL, changingTo: ["n2", "n3"] }));
  expect(violations.map(({ message }) => message)).toEqual([
    "shard 0 was moved to n2+n3+n4, and is at n2+n3+n4, on its way to n2+n3",
  ]);
  expect(tookMs).toBe(0);
});

test("a moved shard that is elsewhere is found at once, also on its way to where it was moved", async () => {
  const elsewhere = ["n1", "n2", "n3"];
  for (const told of [{ replicas: elsewhere }, { replicas: elsewhere, changingTo: GOAL }]) {
    const { violations, tookMs } = await judge(() => told);
    expect(violations.map(({ check }) => check)).toEqual(["members"]);
    expect(tookMs).toBe(0);
  }
});
