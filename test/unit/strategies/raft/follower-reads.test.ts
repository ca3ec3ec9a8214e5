import { expect, test } from "vitest";
import type { ReplicaContext } from "../../../../src/core/contracts/machine.ts";
import { Consensus } from "../../../../src/strategies/raft/consensus.ts";
import type { ConsensusOptions } from "../../../../src/strategies/raft/consensus-types.ts";
import { RaftReplica } from "../../../../src/strategies/raft/replica.ts";
import { LoneConsensus } from "./lone-consensus.ts";

/** The number of its first question to the leader. */
function questionOf(lone: LoneConsensus): number | undefined {
  lone.hear("n2", { type: "heartbeat", term: 1, round: 1, commitIndex: 0, lastIndex: 0 });
  const sent = lone.do((at, effects) => lone.consensus.read(7, at, effects));
  const asked = sent.flatMap(({ message }) => (message.type === "read-index" ? [message] : []));
  return asked[0]?.token;
}

// What a leader answered to the machine before it would vouch for a read that came after that.
test("the questions of a machine that is made in the place of another have other numbers", () => {
  const before = questionOf(new LoneConsensus(3, undefined, { firstQuestion: 1_000 }));
  const after = questionOf(new LoneConsensus(3, undefined, { firstQuestion: 2_000 }));
  expect(before).not.toBe(undefined);
  expect(after).not.toBe(before);
});

test("a replica draws where they begin", () => {
  const given: number[] = [];
  let draws = 0;
  const context = {
    ...{ shardIndex: 0, keyspaceHash: 1, shared: undefined, self: { node: "n1", incarnation: 1 } },
    settings: { sessionLifetimeMs: 1_000, limits: {}, timing: {} },
    health: {},
    randomUint32: () => 1_000 * ++draws,
  } as unknown as ReplicaContext;
  const make = (options: ConsensusOptions): Consensus => {
    given.push(options.firstQuestion);
    return new Consensus({ ...options, limits: LIMITS });
  };
  new RaftReplica(context, make);
  new RaftReplica(context, make);
  expect(new Set(given).size).toBe(2);
});

const LIMITS = { retainedBytes: 1_000 } as ConsensusOptions["limits"];
