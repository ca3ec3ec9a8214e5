import { expect, test } from "vitest";
import { unsealedEntry } from "../../../../src/strategies/raft/entry.ts";
import { entry, LoneConsensus } from "./lone-consensus.ts";

const ACCEPTED = {
  ...({ type: "append-reply", term: 1, round: 9, rejected: false, original: true } as const),
  ...{ hintIndex: 0, hintTerm: 0 },
};

/** What is refused of a write, if it is. */
function propose(lone: LoneConsensus): string | undefined {
  let refused: string | undefined;
  lone.do((at, effects) => {
    const record = unsealedEntry(Buffer.from("a write"));
    refused = lone.consensus.propose(record, at, effects).refused;
  });
  lone.sync();
  return refused;
}

// The bytes of what memory had forgotten were never taken off what waits.
test("a leader that always has a little to commit takes writes, though memory forgets what it has", () => {
  const lone = new LoneConsensus(3, undefined, { limits: { memoryBytes: 40 } });
  lone.lead();
  lone.sync();
  const refusals: unknown[] = [];
  for (let n = 0; n < 30; n++) {
    for (let i = 0; i < 4; i++) refusals.push(propose(lone));
    // A first one makes memory forget what is not committed yet.
    for (const left of [3, 1]) lone.hear("n2", { ...ACCEPTED, index: lone.log.length - left });
  }
  expect(new Set(refusals)).toEqual(new Set([undefined]));
});

// Seed 1900163: each of 95 terms was too short to commit anything, and added what it was asked for.
test("a leader that finds much that is not committed commits before it takes more", () => {
  const lone = new LoneConsensus(3, undefined, { limits: { inheritedBytes: 80, memoryBytes: 40 } });
  const records = Array.from({ length: 6 }, () => entry("a write", 1));
  lone.append("n2", { term: 1, records });
  lone.sync();
  lone.lead();
  lone.sync();
  expect(propose(lone)).toBe("backlog");
  const { term } = lone.consensus.standing;
  lone.hear("n2", { ...ACCEPTED, term, index: records.length });
  expect(propose(lone)).toBe("backlog");
  lone.hear("n2", { ...ACCEPTED, term, index: lone.log.length });
  expect(propose(lone)).toBeUndefined();
});

test("one that finds little takes writes at once", () => {
  const lone = new LoneConsensus(3, undefined, { limits: { inheritedBytes: 80 } });
  lone.append("n2", { term: 1, records: [entry("a write", 1)] });
  lone.sync();
  lone.lead();
  lone.sync();
  expect(propose(lone)).toBeUndefined();
});
