import { expect, test } from "vitest";
import { unsealedEntry } from "../../../../src/strategies/raft/entry.ts";
import { LoneConsensus } from "./lone-consensus.ts";

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
