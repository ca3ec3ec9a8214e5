import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import {
  bornConfiguration,
  configurationRecord,
  nodesOf,
} from "../../../../src/strategies/raft/configuration.ts";
import { firstTermBehind } from "../../../../src/strategies/raft/group.ts";
import type { Dismissal, VoteRequest } from "../../../../src/strategies/raft/peer-messages.ts";
import { ToldDismissal } from "../../../../src/strategies/raft/told-dismissal.ts";
import { LoneConsensus, type Sent } from "./lone-consensus.ts";

const HOLDERS = bornConfiguration(["n4", "n5", "n6"] as NodeId[]);
const DISMISSAL: Dismissal = { type: "dismissal", term: 1, index: 9, configuration: HOLDERS };
const VOTE: VoteRequest = {
  ...{ type: "vote", term: 2, pre: true, transfer: false, lastIndex: 0, lastTerm: 0 },
};

/** n1, which n2 and n3 have left the shard with. */
function dismissed(): LoneConsensus {
  const lone = new LoneConsensus();
  lone.hear("n4", DISMISSAL);
  return lone;
}

function holdersAt({ consensus }: LoneConsensus): readonly NodeId[] {
  return nodesOf(consensus.configuration);
}

function dismissalsIn(sent: readonly Sent[]) {
  return sent.filter(({ message }) => message.type === "dismissal");
}

test("a replica that was told that it is dismissed does not serve, nor stand for election", () => {
  const lone = dismissed();
  expect(lone.consensus).toMatchObject({ serving: false, isVoter: false, configurationIndex: 9 });
  expect(holdersAt(lone)).toEqual(["n4", "n5", "n6"]);
  expect(lone.wait(1_000)).toEqual([]);
});

test("it knows that after a restart", () => {
  const restarted = new LoneConsensus(3, dismissed());
  expect(restarted.consensus).toMatchObject({ serving: false, isVoter: false });
  expect(holdersAt(restarted)).toEqual(["n4", "n5", "n6"]);
});

test("what another group holds is not known by what was told of an earlier one", () => {
  const lone = dismissed();
  const term = firstTermBehind(1, 0, 1);
  lone.hear("n2", { type: "heartbeat", term, round: 1, commitIndex: 0, lastIndex: 0 });
  expect(holdersAt(lone)).toEqual(["n1", "n2", "n3"]);
  expect(holdersAt(new LoneConsensus(3, lone))).toEqual(["n1", "n2", "n3"]);
});

test("an earlier dismissal than the one that it was told says nothing", () => {
  const lone = dismissed();
  const configuration = bornConfiguration(["n7"] as NodeId[]);
  lone.hear("n4", { ...DISMISSAL, index: 8, configuration });
  expect(holdersAt(lone)).toEqual(["n4", "n5", "n6"]);
  lone.hear("n4", { ...DISMISSAL, index: 12, configuration });
  expect(holdersAt(lone)).toEqual(["n7"]);
});

test("it tells those that have left with it, and do not know it, when they ask for votes", () => {
  const told = dismissalsIn(dismissed().hear("n2", VOTE));
  expect(told).toMatchObject([{ to: "n2", message: { index: 9, configuration: HOLDERS } }]);
  expect(dismissalsIn(new LoneConsensus().hear("n2", VOTE))).toEqual([]);
});

test("but none that the configuration names", () => {
  const configuration = bornConfiguration(["n2", "n4"] as NodeId[]);
  const lone = new LoneConsensus();
  lone.hear("n4", { ...DISMISSAL, configuration });
  expect(dismissalsIn(lone.hear("n2", VOTE))).toEqual([]);
  expect(dismissalsIn(lone.hear("n3", VOTE))).toMatchObject([{ to: "n3" }]);
});

test("it tells them, too, what it has in its own log without knowing that it is committed", () => {
  const lone = new LoneConsensus();
  lone.append("n2", { term: 1, records: [configurationRecord(HOLDERS, 1)] });
  expect(dismissalsIn(lone.hear("n3", VOTE))).toEqual([]);
  lone.hear("n4", { ...DISMISSAL, index: 1 });
  expect(dismissalsIn(lone.hear("n3", VOTE))).toMatchObject([{ to: "n3", message: { index: 1 } }]);
});

test("a configuration that is too long to be kept is told again after a restart", () => {
  const kept = new Map<string, Uint8Array | undefined>();
  const effects = {
    keep: (name: string, value: Uint8Array | undefined) => void kept.set(name, value),
    kept: (name: string) => kept.get(name),
  };
  const dismissal = new ToldDismissal();
  dismissal.take(DISMISSAL, effects);
  const nodes = Array.from({ length: 200 }, (_, n) => `node-with-a-long-name-${n}` as NodeId);
  dismissal.take({ ...DISMISSAL, index: 12, configuration: bornConfiguration(nodes) }, effects);
  expect(dismissal.index).toBe(12);
  const restarted = new ToldDismissal();
  restarted.restore(effects);
  expect(restarted.configuration).toBeUndefined();
});
