import { expect, test } from "vitest";
import { EarlyParts } from "../../../../src/strategies/raft/early-parts.ts";
import { unsealedEntry } from "../../../../src/strategies/raft/entry.ts";
import type { AppendRequest } from "../../../../src/strategies/raft/peer-messages.ts";
import { LoneConsensus, type Sent } from "./lone-consensus.ts";

/** A leader whose followers are known to have its first entry. */
function leader(): LoneConsensus {
  const lone = new LoneConsensus();
  lone.lead();
  const asked = ["n2", "n3"].map((node) => ({
    node,
    round: appends(lone.sent, node)[0]?.round ?? 0,
  }));
  for (const { node, round } of asked) {
    lone.hear(node, {
      ...{ type: "append-reply", term: 1, round, rejected: false, index: 1 },
      ...{ hintIndex: 0, hintTerm: 0, original: true },
    });
  }
  lone.sync();
  return lone;
}

function appends(sent: readonly Sent[], to: string): readonly AppendRequest[] {
  return sent.flatMap(({ to: node, message }) =>
    node === to && message.type === "append" ? [message] : [],
  );
}

test("a leader's entries leave before its turn ends once there are enough of them", () => {
  const lone = leader();
  const before: number[] = [];
  const sent = lone.do((at, effects) => {
    for (let i = 0; i < 3; i++) {
      lone.consensus.propose(unsealedEntry(Buffer.alloc(22)), at, effects);
      before.push(appends(lone.sent, "n2").length);
    }
  });
  expect(before).toEqual([0, 1, 1]);
  for (const node of ["n2", "n3"]) {
    const [first, rest] = appends(sent, node);
    expect(first).toMatchObject({ prevIndex: 1, records: [{ length: 31 }, { length: 31 }] });
    expect(rest).toMatchObject({ prevIndex: 3, records: [{ length: 31 }] });
    expect(rest?.round).toBeGreaterThan(first?.round ?? 0);
  }
});

test("a rejection of what has left early is one of its own: the follower is asked further back", () => {
  const lone = leader();
  const sent = lone.do((at, effects) => {
    for (let i = 0; i < 2; i++)
      lone.consensus.propose(unsealedEntry(Buffer.alloc(22)), at, effects);
  });
  const [early] = appends(sent, "n2");
  const asked = lone.hear("n2", {
    ...{ type: "append-reply", term: 1, round: early?.round ?? 0, rejected: true, index: 1 },
    ...{ hintIndex: 0, hintTerm: 0, original: true },
  });
  expect(appends(asked, "n2")).toMatchObject([{ prevIndex: 0 }]);
});

test("each part of a turn may be longer than the one before, and the next turn begins anew", () => {
  const parts = new EarlyParts(10);
  const leaves = (entries: number) => Array.from({ length: entries }, () => parts.add(5));
  expect(leaves(10)).toEqual([false, true, ...Array(7).fill(false), true]);
  parts.endTurn();
  expect(leaves(2)).toEqual([false, true]);
  parts.endTurn();
  parts.add(5);
  parts.endTurn();
  expect(leaves(1)).toEqual([false]);
});
