import { expect, test } from "vitest";
import { bornConfiguration } from "../../../../src/strategies/raft/configuration.ts";
import type { Heartbeat, SnapshotChunk } from "../../../../src/strategies/raft/peer-messages.ts";
import { entry, LoneConsensus, type Sent } from "./lone-consensus.ts";

/**
 * A majority that an older copy of a store was counted in has elected a leader that lacks what this
 * follower has committed (decision 0016): what no fault within a group's promise brings about.
 */

const NODES = ["n1", "n2", "n3"] as const;

/** Three entries of term 2 are committed here, of n2's. */
function follower(): LoneConsensus {
  const lone = new LoneConsensus();
  const records = [entry("a", 2), entry("b", 2), entry("c", 2)];
  lone.append("n2", { term: 2, records, commitIndex: 3 });
  expect(lone.consensus.commitIndex).toBe(3);
  return lone;
}

function heartbeat(term: number, lastIndex: number, commitIndex = 0): Heartbeat {
  return { type: "heartbeat", term, round: 1, commitIndex, lastIndex };
}

function picture(index: number, term: number): SnapshotChunk {
  const configuration = bornConfiguration(NODES.map((node) => node as never));
  const point = { index, term, configurationIndex: 0, configuration };
  return {
    ...{ type: "snapshot-chunk", term: 3, snapshot: 1, number: 0, last: true },
    ...{ point, chunk: new Uint8Array() },
  } as SnapshotChunk;
}

function answer(sent: readonly Sent[]) {
  return sent.map(({ message }) => message)[0];
}

test("no more is acknowledged than was sent, or is committed at the leader as well", () => {
  const lone = follower();
  const asked = { term: 3, prevIndex: 1, prevTerm: 2 };
  expect(answer(lone.append("n3", { ...asked }))).toMatchObject({ rejected: false, index: 1 });
  const committed = lone.append("n3", { ...asked, commitIndex: 2 });
  expect(answer(committed)).toMatchObject({ rejected: false, index: 2 });
});

test("a heartbeat of a leader whose log ends before what is committed here shows it, and its picture is taken", () => {
  const lone = follower();
  expect(answer(lone.hear("n3", heartbeat(3, 2)))).toMatchObject({ matchedIndex: 0 });
  expect(lone.emitted.filter((type) => type === "raft-diverged")).toHaveLength(1);
  // It takes nothing else, and asks for it: only behind index 0 nobody refuses.
  const sent = lone.append("n3", { term: 3, records: [entry("x", 3)] });
  expect(answer(sent)).toMatchObject({ rejected: true, index: 0 });
  const taken = lone.hear("n3", picture(2, 3));
  expect(answer(taken)).toMatchObject({ installed: true, index: 2 });
  expect(lone.consensus.commitIndex).toBe(2);
  // From here on it follows.
  const behind = { term: 3, prevIndex: 2, prevTerm: 3, records: [entry("y", 3)], commitIndex: 3 };
  expect(answer(lone.append("n3", behind))).toMatchObject({ rejected: false, index: 3 });
  expect(lone.consensus.commitIndex).toBe(3);
});

test.each([
  { shown: "before the entries", prevIndex: 3, prevTerm: 3, records: [] },
  { shown: "among them", prevIndex: 1, prevTerm: 2, records: [entry("x", 3), entry("y", 3)] },
])("another entry in a place that is committed here, $shown, shows it", ({ shown: _, ...sent }) => {
  const lone = follower();
  expect(answer(lone.append("n3", { term: 3, ...sent }))).toMatchObject({ rejected: true });
  expect(lone.emitted).toContain("raft-diverged");
  expect(lone.consensus.commitIndex).toBe(3);
});

test("a late heartbeat of the leader that committed it shows nothing, nor does one that has more", () => {
  const lone = follower();
  lone.hear("n2", heartbeat(2, 1));
  lone.hear("n3", heartbeat(3, 3, 3));
  lone.append("n3", { term: 3, prevIndex: 1, prevTerm: 2, records: [entry("b", 2)] });
  expect(lone.emitted).not.toContain("raft-diverged");
  expect(answer(lone.hear("n3", picture(2, 2)))).toMatchObject({ installed: true });
  expect(lone.consensus.commitIndex).toBe(3);
});

test("it is shown anew in each term: the next leader may have what this one lacks", () => {
  const lone = follower();
  lone.hear("n3", heartbeat(3, 2));
  lone.hear("n2", heartbeat(4, 3, 3));
  const sent = lone.append("n2", { term: 4, prevIndex: 3, prevTerm: 2, records: [entry("d", 4)] });
  expect(answer(sent)).toMatchObject({ rejected: false, index: 4 });
});
