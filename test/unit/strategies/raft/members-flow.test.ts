import { expect, test } from "vitest";
import type {
  CoordinatorContext,
  Effects,
  Request,
  Sender,
} from "../../../../src/core/contracts/machine.ts";
import type { CapstanError } from "../../../../src/core/model/errors.ts";
import type { Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import type {
  ClientMessage,
  MembersMessage,
  RaftMessage,
  RefusedMessage,
  ReplicaRefusal,
} from "../../../../src/strategies/raft/client-messages.ts";
import { Errands } from "../../../../src/strategies/raft/errands.ts";
import { MembersFlow, type PendingMembers } from "../../../../src/strategies/raft/members-flow.ts";

const SHARD = 3;
const REPLICAS = ["a", "b", "c"] as NodeId[];
const GOAL = ["b", "c", "d"] as NodeId[];

/** A change that a node asks for that holds no replica, and what has become of it. */
function openChange() {
  const asked: MembersMessage[] = [];
  const faults: CapstanError[] = [];
  const context = {
    self: { node: "x" },
    localReplica: () => undefined,
    placement: () => ({ replicas: REPLICAS }),
    isReachable: () => true,
    randomUint32: () => 1,
  } as unknown as CoordinatorContext;
  const effects = {
    send: (_to: NodeId, _role: string, _shard: number, message: ClientMessage) => {
      if (message.type === "members") asked.push(message);
    },
    refuse: (_request: Request, fault: CapstanError) => faults.push(fault),
  } as unknown as Effects<RaftMessage>;
  const errands = new Errands(context, 100);
  const flow = new MembersFlow(context, errands);
  const operation = { type: "members", shardIndex: SHARD, options: { replicas: GOAL } };
  const request = { operation, memo: undefined } as unknown as Request;
  let nowMs = 0;
  flow.start(request, nowMs, effects);
  const leader: Sender = {
    ...{ node: "a" as NodeId, storeId: "s" as StoreId, incarnation: 1 as Incarnation },
  };
  return {
    asked,
    faults,
    /** The leader's answer; `index`: since when what is in force there is in force. */
    answer(reason: ReplicaRefusal, index = 7): void {
      const requestId = asked[asked.length - 1]?.requestId as number;
      const told = { voters: REPLICAS, configurationIndex: index, configurationGroup: 0 };
      const message: RefusedMessage = {
        ...{ type: "refused", requestId, reason, leader: leader.node },
        ...told,
      };
      errands.onMessage(leader, SHARD, message, nowMs, effects);
    },
    /** Long enough that it is asked again. */
    wait(): void {
      nowMs += 20;
      errands.sweep(nowMs, effects);
    },
    end(): CapstanError {
      flow.onDeadline(request.memo as PendingMembers, effects);
      return faults[0] as CapstanError;
    },
  };
}

test("a change that nobody has answered found no leader", () => {
  const fault = openChange().end();
  expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
  expect(fault.message).toMatch(/^no leader of shard 3 was found in time; replicas: a, b, c/);
});

test("one whose time is over when a leader says what is in force was late, and began nothing", () => {
  const { answer, end } = openChange();
  answer("other-base");
  answer("other-base");
  const fault = end();
  expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
  expect(fault.message).toMatch(/^the leader of shard 3 was found too late to be asked for the/);
});

test("one that begins from what is in force, and hears nothing, may be under way", () => {
  const { asked, answer, wait, end } = openChange();
  answer("other-base", 9);
  wait();
  expect(asked.map(({ base }) => base)).toEqual([undefined, { group: 0, index: 9 }]);
  const fault = end();
  expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
  expect(fault.message).toMatch(
    /^the leader of shard 3 has not answered in time;.* may be under way/,
  );
});

test("one has what is in force written anew until it hears of another configuration", () => {
  const { asked, answer, wait } = openChange();
  answer("other-base", 9);
  wait();
  answer("other-base", 9);
  wait();
  answer("other-base", 12);
  wait();
  expect(asked.map(({ base, renews }) => [base?.index, renews])).toEqual([
    [undefined, false],
    [9, true],
    [9, true],
    [12, false],
  ]);
});

test("one before which others always came says so, and began nothing", () => {
  const { answer, wait, end } = openChange();
  answer("other-base", 9);
  wait();
  answer("other-base", 12);
  const fault = end();
  expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
  expect(fault.message).toMatch(/^other changes of the replicas of shard 3 came before this one/);
});

test("one that waits for a node that is to join names the nodes", () => {
  const { answer, wait, end } = openChange();
  answer("other-base");
  wait();
  answer("not-yet");
  const fault = end();
  expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
  expect(fault.message).toMatch(/^the leader of shard 3 has not heard of all of b, c, d in time/);
});

test("one whose leader is lost before it is asked again found none", () => {
  const { answer, wait, end } = openChange();
  answer("other-base");
  wait();
  answer("not-leader");
  const fault = end();
  expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
  expect(fault.message).toMatch(/^no leader of shard 3 was found in time/);
});

test("one that has begun is under way, whoever is asked then and does not lead", () => {
  const { answer, wait, end } = openChange();
  answer("other-base");
  wait();
  answer("changing");
  wait();
  answer("not-leader");
  const fault = end();
  expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
  expect(fault.message).toMatch(/^the change has begun, and was not heard to have ended in time/);
});
