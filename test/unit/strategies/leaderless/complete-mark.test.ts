import { expect, test } from "vitest";
import type { ReplicaContext } from "../../../../src/core/contracts/machine.ts";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import {
  type Epoch,
  type Incarnation,
  NO_SEQUENCE,
  type NodeId,
  type StoreId,
} from "../../../../src/core/model/ids.ts";
import { LeaderlessReplica } from "../../../../src/strategies/leaderless/replica.ts";
import { RecordingEffects } from "../../../transcripts/recording-effects.ts";

const NODES = ["n1", "n2", "n3"] as NodeId[];
const CONTEXT: ReplicaContext = {
  self: { node: "n1" as NodeId, storeId: "s" as StoreId, incarnation: 1 as Incarnation },
  keyspace: "k",
  keyspaceHash: 7,
  settings: {},
  clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: 1_000 }),
  nodes: NODES,
  placement: () => ({ epoch: 1 as Epoch, replicas: NODES, standIns: [] }),
  isReachable: () => true,
  randomUint32: () => 0,
  health: { diskState: () => "ok", syncAgeMs: () => 0, eventLoopLagMs: () => 0 },
  shardIndex: 0,
};

function openKept(effects: RecordingEffects): LeaderlessReplica {
  const replica = new LeaderlessReplica(CONTEXT);
  const none = NO_SEQUENCE;
  const sequences = { lastSequence: none, appliedSequence: none, durableSequence: none };
  const state = { origin: "kept", ...sequences } as const;
  replica.step({ type: "opened", state, nowMs: 0, wallMs: 0 }, effects);
  return replica;
}

test("a shard whose mark an earlier version left in the state is whole, and its mark moves", () => {
  const effects = new RecordingEffects();
  effects.putSide(Buffer.from("complete"), new Uint8Array([1]));
  expect(openKept(effects).serving).toBe(true);
  expect(effects.kept("complete")).toBeDefined();
  expect(effects.getSide(Buffer.from("complete"))).toBeUndefined();
  // As the next start finds it.
  expect(openKept(effects).serving).toBe(true);
});

test("a shard without a mark, wherever it may be, learns first", () => {
  const effects = new RecordingEffects();
  expect(openKept(effects).serving).toBe(false);
  expect(effects.lines).toContain('emit rebuild-started {"shard":0}');
});
