import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import type { ConfigurationPoint } from "../../../../src/strategies/raft/client-messages.ts";
import type {
  ConsensusEffects,
  MembershipGoal,
  ShardConsensus,
} from "../../../../src/strategies/raft/consensus-types.ts";
import { verdictOn } from "../../../../src/strategies/raft/member-changes.ts";

const AT = Object.freeze({ nowMs: 0, wallMs: 0 });
const IN_FORCE: ConfigurationPoint = Object.freeze({ group: 0, index: 21 });

/** A leader of the shard that `voters` hold, and what has been proposed to it. */
function openLeader(voters: readonly string[], goal?: readonly string[]) {
  const proposed: string[] = [];
  const membersOf = (nodes: readonly string[]) => nodes.map((node) => ({ node, storeId: "" }));
  const consensus = {
    standing: { role: "leader", term: 1, leader: voters[0] },
    configuration: {
      voters: membersOf(voters),
      outgoing: [],
      learners: [],
      goal: goal === undefined ? undefined : { voters: membersOf(goal), learners: [] },
    },
    configurationGroup: IN_FORCE.group,
    configurationIndex: IN_FORCE.index,
    proposeConfiguration: ({ voters: wanted, renews }: MembershipGoal) => {
      proposed.push(wanted.join());
      const isOld = wanted.join() === voters.join() && renews !== true;
      return isOld ? { refused: "unchanged" } : { index: 22, term: 1 };
    },
  } as unknown as ShardConsensus;
  const ask = (wanted: readonly string[], base: ConfigurationPoint | undefined, renews = false) => {
    const goal = wanted as NodeId[];
    const message = { type: "members", requestId: 1, goal, base, renews } as const;
    return verdictOn(consensus, message, true, AT, {} as ConsensusEffects);
  };
  return { ask, proposed };
}

test("a change begins from the configuration in force", () => {
  const { ask, proposed } = openLeader(["a", "b", "c"]);
  expect(ask(["a", "c", "d"], IN_FORCE)).toBe("changing");
  expect(proposed).toEqual(["a,c,d"]);
});

test("a question that comes after the end of its change does not undo what was changed since", () => {
  const { ask, proposed } = openLeader(["a", "b", "c"]);
  for (const base of [undefined, { group: 0, index: 18 }, { group: 1_024, index: 21 }]) {
    expect(ask(["a", "c", "d"], base)).toBe("other-base");
  }
  expect(proposed).toEqual([]);
});

test("nor does one that is late take back the change that is under way", () => {
  const { ask, proposed } = openLeader(["a", "b", "c"], ["a", "c", "d"]);
  expect(ask(["a", "b", "c"], { group: 0, index: 18 })).toBe("other-base");
  expect(proposed).toEqual([]);
});

// Seed 1900056: a change was given up, the next one, to what was in force, was said to be done, and
// then the first came to the leader: it began from the same configuration.
test("who asks for what is in force since it first heard has it written anew, once", () => {
  const { ask, proposed } = openLeader(["a", "b", "c"]);
  expect(ask(["a", "b", "c"], IN_FORCE, true)).toBe("changing");
  expect(proposed).toEqual(["a,b,c"]);
  expect(ask(["a", "b", "c"], IN_FORCE, false)).toBe("done");
});

test("who asks for what is under way, or holds the shard, is told so", () => {
  const changing = openLeader(["a", "b", "c"], ["a", "c", "d"]);
  expect(changing.ask(["a", "c", "d"], undefined)).toBe("changing");
  expect(changing.ask(["a", "b", "d"], undefined)).toBe("other-change");
  const settled = openLeader(["a", "b", "c"]);
  expect(settled.ask(["a", "b", "c"], IN_FORCE)).toBe("done");
  expect(settled.ask([], undefined)).toBe("done");
});
