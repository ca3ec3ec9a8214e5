import { describe, expect, test } from "vitest";
import type { ShardPlacement } from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import type { ReadReply } from "../../../../../src/strategies/leaderless/messages.ts";
import {
  type DigestedRead,
  Digests,
  parseDigestAbove,
} from "../../../../../src/strategies/leaderless/reads/digests.ts";
import { makeKeyedRecord } from "../../../../../src/strategies/leaderless/record.ts";
import { ReplicaAnswers } from "../../../../../src/strategies/leaderless/replica-answers.ts";
import { stampedRules } from "../../../../../src/strategies/leaderless/stamped-rules.ts";

const PLACEMENT: ShardPlacement = {
  epoch: 1 as Epoch,
  replicas: ["n1", "n2", "n3"] as NodeId[],
  standIns: [],
};
const OTHER = 1;
const OTHER_BIT = 0b010;

function recordAt(time: number, value: string): Uint8Array {
  const stamp = { time, actorHigh: 0, actorLow: 1 };
  return makeKeyedRecord(Buffer.from("k"), stamp, Buffer.from(value)).record;
}

function digestOf(record: Uint8Array): ReadReply {
  const summary = stampedRules.summaryOf(record);
  const fullBytes = record.length;
  return { type: "read-reply", requestId: 1, serving: true, record: summary, fullBytes };
}

/** n1 has answered with a record, or nothing, and n2 with a digest. */
function readWith(digests: Digests, digest: ReadReply): DigestedRead {
  const answers = new ReplicaAnswers(PLACEMENT);
  answers.asked = 0b011;
  const read: DigestedRead = {
    answers,
    records: [undefined, undefined, undefined],
    digests: 0,
    digestBytes: undefined,
    fullAsked: 0,
  };
  answers.take("n1" as NodeId, true);
  answers.take("n2" as NodeId, true);
  digests.note(read, OTHER, digest);
  read.records[OTHER] = digest.record;
  return read;
}

describe("a digest", () => {
  const held = recordAt(5, "value");

  test("of the same record is that record", () => {
    const digests = new Digests(stampedRules);
    const read = readWith(digests, digestOf(recordAt(5, "value")));
    expect(digests.settle(read, held)).toBe(0);
    expect(read.records[OTHER]).toBe(held);
    expect(digests.describe()).toEqual({ matched: 1, older: 0, fetched: 0 });
  });

  test("of an older record needs no record: the replica is behind", () => {
    const digests = new Digests(stampedRules);
    const read = readWith(digests, digestOf(recordAt(4, "older")));
    expect(digests.settle(read, held)).toBe(0);
    expect(read.records[OTHER]).not.toBe(held);
    expect(read.answers.counted & OTHER_BIT).toBe(OTHER_BIT);
  });

  test.each([
    ["a newer record", recordAt(6, "value"), held],
    ["another length under the same stamp", recordAt(5, "longer value"), held],
    ["a record, where none is here", held, undefined],
  ])("of %s: its replica has not answered until the record is there", (_what, theirs, newest) => {
    const digests = new Digests(stampedRules);
    const read = readWith(digests, digestOf(theirs));
    expect(digests.settle(read, newest)).toBe(OTHER_BIT);
    expect((read.answers.answered | read.answers.counted) & OTHER_BIT).toBe(0);
    expect(read.records[OTHER]).toBeUndefined();
    // It comes once more, as messages do; only the record itself is an answer now.
    expect(digests.isOver(read, OTHER, digestOf(theirs))).toBe(true);
    const full: ReadReply = { type: "read-reply", requestId: 1, serving: true, record: theirs };
    expect(digests.isOver(read, OTHER, full)).toBe(false);
    expect(read.answers.take("n2" as NodeId, true)).toBe(OTHER_BIT);
  });
});

describe("the setting digestAbove", () => {
  test("is a size, 4 KiB where none is given, or off", () => {
    expect(parseDigestAbove(undefined, "k.digestAbove")).toBe(4_096);
    expect(parseDigestAbove("16KiB", "k.digestAbove")).toBe(16_384);
    expect(parseDigestAbove("off", "k.digestAbove")).toBeUndefined();
  });

  test.each([true, null, [], "some", 0, -1])("is not %j", (value) => {
    expect(() => parseDigestAbove(value, "k.digestAbove")).toThrow(/k\.digestAbove/);
  });
});
