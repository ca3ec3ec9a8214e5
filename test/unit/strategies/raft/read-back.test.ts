import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { bornConfiguration } from "../../../../src/strategies/raft/configuration.ts";
import { payloadOfEntry, termOfEntry } from "../../../../src/strategies/raft/entry.ts";
import { entry, LoneConsensus, type Sent } from "./lone-consensus.ts";

/** Entries that memory has forgotten are read back from the log, and the log may change meanwhile. */

/** Holds one entry of its log in memory. */
function forgetful(): LoneConsensus {
  return new LoneConsensus(3, undefined, { limits: { memoryBytes: 12 } });
}

const OLD = ["a", "b", "c", "d", "e"].map((text) => entry(text, 2));

test("what was read back beyond the commit index is not applied when another leader has overwritten it", () => {
  const lone = forgetful();
  lone.append("n2", { term: 2, records: OLD, commitIndex: 1 });
  // Memory has forgotten the second entry: with it, all that the log has behind it comes.
  lone.append("n2", { term: 2, prevIndex: 5, prevTerm: 2, commitIndex: 2 });
  lone.answerRead();
  expect(lone.applied).toEqual(["1/2 a", "2/2 b"]);
  const records = ["x", "y", "z"].map((text) => entry(text, 3));
  lone.append("n3", { term: 3, prevIndex: 2, prevTerm: 2, records, commitIndex: 3 });
  lone.append("n3", { term: 3, prevIndex: 5, prevTerm: 3, commitIndex: 5 });
  while (lone.reads.length > 0) lone.answerRead();
  expect(lone.applied.slice(2)).toEqual(["3/3 x", "4/3 y", "5/3 z"]);
});

test("what was read back for a picture's predecessor is not applied behind the picture", () => {
  const lone = forgetful();
  lone.append("n2", { term: 2, records: OLD, commitIndex: 1 });
  lone.append("n2", { term: 2, prevIndex: 5, prevTerm: 2, commitIndex: 5 });
  const late = lone.records.slice();
  // The leader that is elected with an older copy of a store lacks all that (decision 0016).
  lone.hear("n3", { type: "heartbeat", term: 3, round: 1, commitIndex: 0, lastIndex: 2 });
  const nodes = ["n1", "n2", "n3"] as unknown as readonly NodeId[];
  const configuration = bornConfiguration(nodes);
  const point = { index: 2, term: 3, configurationIndex: 0, configuration };
  const chunk = { snapshot: 1, number: 0, last: true, point, chunk: new Uint8Array() };
  lone.hear("n3", { type: "snapshot-chunk", term: 3, ...chunk });
  lone.answerRead(late);
  const records = ["x", "y", "z"].map((text) => entry(text, 3));
  lone.append("n3", { term: 3, prevIndex: 2, prevTerm: 3, records, commitIndex: 3 });
  lone.append("n3", { term: 3, prevIndex: 5, prevTerm: 3, commitIndex: 5 });
  while (lone.reads.length > 0) lone.answerRead();
  expect(lone.applied.slice(1)).toEqual(["3/3 x", "4/3 y", "5/3 z"]);
});

test("an answer to a read of an earlier leadership is not sent as what the log has now", () => {
  const lone = forgetful();
  lone.lead();
  lone.propose("old");
  lone.propose("older");
  lone.sync();
  // With its first entry committed, memory forgets the second, which n2 is to be sent.
  lone.hear("n2", { ...ACCEPTED, term: 1, index: 1 });
  const late = lone.records.slice();
  const records = ["x", "y"].map((text) => entry(text, 2));
  lone.append("n3", { term: 2, prevIndex: 1, prevTerm: 1, records, commitIndex: 1 });
  lone.lead();
  lone.sync();
  lone.hear("n3", { ...ACCEPTED, term: 3, index: 4 });
  lone.hear("n2", { ...ACCEPTED, rejected: true, term: 3, index: 3, hintIndex: 1, hintTerm: 1 });
  expect(lone.reads).toHaveLength(2);
  expect(entriesIn(lone.answerRead(late))).toEqual([]);
  expect(entriesIn(lone.answerRead())).toEqual(["2 x", "2 y", "3"]);
});

const ACCEPTED = {
  ...({ type: "append-reply", round: 4_000, rejected: false, original: true } as const),
  ...{ hintIndex: 0, hintTerm: 0 },
};

function entriesIn(sent: readonly Sent[]): readonly string[] {
  const appends = sent.flatMap(({ message }) => (message.type === "append" ? [message] : []));
  return appends.flatMap(({ records }) =>
    records.map((record) => {
      const text = Buffer.from(payloadOfEntry(record)).toString();
      return `${termOfEntry(record)} ${text}`.trimEnd();
    }),
  );
}
