import { expect, test } from "vitest";
import { DurableQuorum } from "../../../../../src/simulation/scenario/raft/durable-quorum.ts";
import type { KeyspaceScene } from "../../../../../src/simulation/scenario/strategy-scenario.ts";
import { encodeRevision } from "../../../../../src/strategies/raft/version.ts";

const REVISION = 34;
const VERSION = encodeRevision(1, 2, REVISION);
const WRITES = [{ key: "k", value: "v180" }] as never;

interface Replica {
  readonly commitIndex: number;
  readonly deciders: readonly (readonly string[])[];
}

/** A shard that is being moved, and its replicas; those of `holding` have every entry on their disks. */
function judged(replicas: readonly Replica[], holding: readonly string[]): readonly string[] {
  const lives = replicas.map((replica) => {
    const shards = [{ shard: 0, configurationIndex: 0, ...replica }];
    const keyspace = () => ({ describe: () => ({ shards }) });
    return { life: { store: { keyspace } } };
  });
  const scene = {
    plan: { name: "things" },
    keyspace: {
      keyspace: { durability: "fsync", hash: 1 },
      shardOf: () => 0,
      decidersOf: () => [["n3", "n4", "n5"], ["n6"]],
    },
    topology: { losses: [], wasDamaged: (id: string) => holding.includes(id) },
    world: {
      time: { nowMs: 0 },
      nodes: [],
      running: () => lives,
      node: () => ({
        disk: { files: { stableFiles: () => [] }, state: { batches: [], synced: 0 } },
      }),
    },
  } as unknown as KeyspaceScene;
  const rule = new DurableQuorum(scene);
  rule.told(rule.asked("k"), VERSION, WRITES);
  expect(rule.judged).toBe(1);
  return rule.violations.map(({ message }) => message);
}

const UNNAMED: Replica = { commitIndex: REVISION, deciders: [[]] };
const NAMED: Replica = { commitIndex: REVISION, deciders: [["n3", "n4", "n5"]] };

// Seed 404842.
test("a replica that was given the log and knows no voters yet does not say who they are", () => {
  expect(judged([UNNAMED, NAMED], ["n4", "n5"])).toEqual([]);
});

test("whoever knows them says so, and an entry that too few of them have is a violation", () => {
  const [message, ...more] = judged([UNNAMED, NAMED], ["n4", "n6"]);
  expect(message).toContain(
    "entry 34 of shard 0, and no majority has synced it: n3 has not, n4 has, n5 has not",
  );
  expect(more).toEqual([]);
});

test("one that has not committed the entry is not asked", () => {
  const behind: Replica = { commitIndex: REVISION - 1, deciders: [["n6", "n7"]] };
  expect(judged([behind, NAMED], ["n4", "n5"])).toEqual([]);
});
