import { expect, test } from "vitest";
import type {
  CoordinatorContext,
  Effects,
  Sender,
} from "../../../../src/core/contracts/machine.ts";
import type { Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import type { RaftMessage } from "../../../../src/strategies/raft/client-messages.ts";
import { Errands, type ErrandTask } from "../../../../src/strategies/raft/errands.ts";
import { RaftReplica } from "../../../../src/strategies/raft/replica.ts";

const SHARD = 0;
const RESEND_MS = 100;
const REPLICAS = ["a", "b", "c"] as NodeId[];

/** Errands of a node without a replica, or with this one, and whom they have asked so far. */
function openErrands(replica?: RaftReplica) {
  const asked: NodeId[] = [];
  const context = {
    self: { node: "x" },
    localReplica: () => replica,
    placement: () => ({ replicas: REPLICAS }),
    isReachable: () => true,
    randomUint32: () => 1,
  } as unknown as CoordinatorContext;
  const effects = { send: (node: NodeId) => asked.push(node) } as unknown as Effects<RaftMessage>;
  return { errands: new Errands(context, RESEND_MS), asked, effects };
}

const TASK: ErrandTask = {
  shardIndex: SHARD,
  route: "leader",
  message: (requestId) => ({
    type: "members",
    requestId,
    goal: [],
    base: undefined,
    renews: false,
  }),
  answered: () => {},
  refused: () => true,
};

function senderOf(node: NodeId): Sender {
  return { node, storeId: "store" as StoreId, incarnation: 1 as Incarnation };
}

/** Each that is asked names a leader, or nobody; what was asked before `isDone`, or in 50 rounds. */
function ask(leaderBy: (node: NodeId) => string | undefined, isDone: (node: NodeId) => boolean) {
  const { errands, asked, effects } = openErrands();
  const errand = errands.start(TASK, 0, effects);
  let answered = 0;
  for (let round = 1; round <= 50; round++) {
    const node = asked[answered];
    if (node !== undefined && isDone(node)) break;
    if (node !== undefined) {
      answered++;
      const leader = leaderBy(node) as NodeId | undefined;
      const named = { leader, voters: [], configurationIndex: 0, configurationGroup: 0 };
      const refusal = { type: "refused", reason: "not-leader", requestId: errand.id } as const;
      errands.onMessage(senderOf(node), SHARD, { ...refusal, ...named }, round * 20, effects);
    }
    errands.sweep(round * 20 + 19, effects);
  }
  return asked;
}

test("who is named as the leader is asked next, at once", () => {
  const asked = ask(
    () => "c",
    (node) => node === "c",
  );
  expect(asked).toEqual(["a", "c"]);
});

test("a leader is found though two that hold the shard no longer name each other", () => {
  const asked = ask(
    (node) => (node === "a" ? "b" : "a"),
    (node) => node === "c",
  );
  expect(asked).toContain("c");
});

test("a leader is found though one that is named is asked between any two others", () => {
  const asked = ask(
    (node) => (node === "b" ? undefined : "b"),
    (node) => node === "c",
  );
  expect(asked).toContain("c");
});

test("one that is named, and does not answer, is not the only one that is asked", () => {
  const { errands, asked, effects } = openErrands();
  const errand = errands.start(TASK, 0, effects);
  const refusal = { type: "refused", reason: "not-leader", requestId: errand.id } as const;
  const leader = "b" as NodeId;
  const named = { leader, voters: [], configurationIndex: 0, configurationGroup: 0 };
  errands.onMessage(senderOf("a" as NodeId), SHARD, { ...refusal, ...named }, 1, effects);
  for (let nowMs = 20; nowMs < 30 * RESEND_MS; nowMs += 20) errands.sweep(nowMs, effects);
  expect(new Set(asked)).toEqual(new Set(REPLICAS));
});

test("a leader that does not answer is asked again soon, and then more seldom", () => {
  const { errands, asked, effects } = openErrands();
  const errand = errands.start(TASK, 0, effects);
  const refusal = { type: "refused", reason: "not-leader", requestId: errand.id } as const;
  const named = { leader: "b" as NodeId, voters: [], configurationIndex: 0, configurationGroup: 0 };
  const askedAtMs: number[] = [];
  for (let nowMs = 10; nowMs <= 60 * RESEND_MS; nowMs += 10) {
    const before = asked.length;
    // All others name it.
    if (asked.at(-1) !== "b") {
      errands.onMessage(
        senderOf(asked.at(-1) as NodeId),
        SHARD,
        { ...refusal, ...named },
        nowMs,
        effects,
      );
    }
    errands.sweep(nowMs, effects);
    if (asked.length > before && asked.at(-1) === "b") askedAtMs.push(nowMs);
  }
  const gaps = askedAtMs.map((atMs, at) => atMs - (askedAtMs[at - 1] ?? 0));
  expect(gaps.slice(1, 3)).toEqual([RESEND_MS, 2 * RESEND_MS]);
  expect(Math.max(...gaps)).toBeGreaterThan(15 * RESEND_MS);
  expect(askedAtMs.length).toBeLessThan(12);
});

/** A node's own replica, which knows of these voters since then. */
function replicaOf(index: number, ...voters: string[]): RaftReplica {
  return Object.create(RaftReplica.prototype, {
    holders: { value: voters },
    heldSince: { value: { group: 0, index } },
    isVoter: { value: voters.includes("x") },
  });
}

test("who holds the shard is what the own replica knows, until others know of a later change", () => {
  const { errands, effects } = openErrands(replicaOf(20, "x", "d"));
  const tell = (configurationIndex: number, ...voters: string[]) => {
    const told = { voters: voters as NodeId[], configurationIndex, configurationGroup: 0 };
    const refusal = { type: "refused", reason: "not-leader", requestId: 9 } as const;
    const message = { ...refusal, ...told, leader: undefined };
    errands.onMessage(senderOf("a" as NodeId), SHARD, message, 1, effects);
    return errands.replicasOf(SHARD);
  };
  expect(errands.replicasOf(SHARD)).toEqual(["x", "d"]);
  expect(tell(19, "f")).toEqual(["x", "d"]);
  expect(tell(21, "e", "f")).toEqual(["e", "f"]);
});

test("a replica that was dismissed knows who holds the shard; one that has nothing does not", () => {
  expect(openErrands(replicaOf(20, "d", "e")).errands.replicasOf(SHARD)).toEqual(["d", "e"]);
  expect(openErrands(replicaOf(0)).errands.replicasOf(SHARD)).toEqual(REPLICAS);
});

test("who votes is believed of the later group, at whichever index of its log", () => {
  const { errands, effects } = openErrands();
  const tell = (configurationGroup: number, configurationIndex: number, ...voters: string[]) => {
    const told = { voters: voters as NodeId[], configurationIndex, configurationGroup };
    const refusal = { type: "refused", reason: "not-leader", requestId: 9 } as const;
    const message = { ...refusal, ...told, leader: undefined };
    errands.onMessage(senderOf("a" as NodeId), SHARD, message, 1, effects);
    return errands.replicasOf(SHARD);
  };
  expect(tell(0, 40, "d", "e")).toEqual(["d", "e"]);
  expect(tell(0, 39, "d")).toEqual(["d", "e"]);
  // Recovered from a shorter log.
  expect(tell(1_024, 21, "f")).toEqual(["f"]);
  expect(tell(0, 60, "d", "e")).toEqual(["f"]);
  expect(tell(1_024, 22, "f", "g")).toEqual(["f", "g"]);
  expect(errands.reachableReplicas(SHARD)).toEqual(["f", "g", ...REPLICAS]);
});
