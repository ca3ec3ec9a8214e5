import { beforeEach, describe, expect, test } from "vitest";
import type { StateMutation, StateStore } from "../../../../../src/core/contracts/storage.ts";
import { type LogPosition, type ShardId, shardIdOf } from "../../../../../src/core/model/ids.ts";
import { ReplicaStates } from "../../../../../src/simulation/scenario/raft/replica-states.ts";
import { emptyBooks, encodeBooks } from "../../../../../src/strategies/raft/books.ts";
import { booksKey } from "../../../../../src/strategies/raft/state-rows.ts";

const HASH = 7;
const SHARD = shardIdOf(HASH, 0);

interface Said {
  readonly at: number;
  readonly chain: number;
  readonly salt?: number;
  readonly shard?: ShardId;
  /** Another picture of the shard, which is not in force yet. */
  readonly generation?: number;
}

let states: ReplicaStates;
/** What each node's state has, by shard. */
let held: Map<string, Uint8Array>;

beforeEach(() => {
  states = new ReplicaStates(HASH);
  held = new Map();
});

/** The node commits the books of a shard. */
function commit(node: string, { at, chain, salt = 1, shard = SHARD, generation }: Said): void {
  const value = encodeBooks({ ...emptyBooks(), appliedIndex: at, salt, chain });
  const put = { type: "put", shard, space: "data", key: booksKey(), value } as const;
  const mutation: StateMutation = generation === undefined ? put : { ...put, generation };
  const place = `${node}/${shard}`;
  const state = { get: () => held.get(place) } as unknown as StateStore;
  states.onCommit(node, state, { position: 1 as LogPosition, mutations: [mutation] });
  held.set(place, value);
}

const found = () => states.violations.map(({ check, message }) => `${check}: ${message}`);

describe("states of replicas", () => {
  test("that are equal at equal indices, and only rise, are without fault", () => {
    commit("n1", { at: 5, chain: 50 });
    commit("n2", { at: 4, chain: 40 });
    commit("n2", { at: 5, chain: 50 });
    commit("n1", { at: 9, chain: 90 });
    expect(found()).toEqual([]);
  });

  test("that differ at one index are found", () => {
    commit("n1", { at: 5, chain: 50 });
    commit("n2", { at: 5, chain: 51 });
    expect(found()).toEqual([
      `equal-states: n2 and n1 have applied 5 entries of shard ${SHARD}, and differ`,
    ]);
  });

  test("of two shards, of two lives of one, or of another keyspace have nothing to do with each other", () => {
    commit("n1", { at: 5, chain: 50 });
    commit("n2", { at: 5, chain: 51, salt: 2 });
    commit("n2", { at: 5, chain: 52, shard: shardIdOf(HASH, 1) });
    commit("n3", { at: 5, chain: 53, shard: shardIdOf(HASH + 1, 0) });
    expect(found()).toEqual([]);
  });

  test("that have applied less than before are found, but for another picture of the shard", () => {
    commit("n1", { at: 5, chain: 50 });
    commit("n1", { at: 4, chain: 40, generation: 2 });
    expect(found()).toEqual([]);
    commit("n2", { at: 5, chain: 50 });
    commit("n2", { at: 4, chain: 40 });
    expect(found()).toEqual([`applied-falls: n2: from 5 to 4 in shard ${SHARD}`]);
  });
});
