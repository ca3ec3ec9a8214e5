import { beforeEach, describe, expect, test } from "vitest";
import type { StateReader } from "../../../../../src/core/contracts/machine.ts";
import { HYBRID_EPOCH_MS, hybridTimeOf, type Stamp } from "../../../../../src/core/model/stamp.ts";
import type { WriteKind } from "../../../../../src/strategies/leaderless/messages.ts";
import type { PlantedReplicaBugs } from "../../../../../src/strategies/leaderless/planted-bugs.ts";
import {
  isTombstone,
  type KeyedRecord,
  makeKeyedRecord,
  stampOf,
} from "../../../../../src/strategies/leaderless/record.ts";
import { Gate } from "../../../../../src/strategies/leaderless/settling/gate.ts";
import type {
  Admission,
  Settling,
} from "../../../../../src/strategies/leaderless/settling/settling.ts";
import { stampedRules } from "../../../../../src/strategies/leaderless/stamped-rules.ts";

const WALL_MS = HYBRID_EPOCH_MS + 10_000_000;
const REAP_AFTER_MS = 1_000;
const U32_MAX = 0xffff_ffff;
const FENCE = hybridTimeOf(WALL_MS - 100);

function keyedAt(agoMs: number, key = "k"): KeyedRecord {
  return makeKeyedRecord(bytes(key), stampOfAge(agoMs), bytes("v"));
}

function deletionAt(agoMs: number): KeyedRecord {
  return makeKeyedRecord(bytes("k"), stampOfAge(agoMs), undefined);
}

function stampOfAge(agoMs: number): Stamp {
  return { time: hybridTimeOf(WALL_MS - agoMs), actorHigh: 0, actorLow: 9 };
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

const EMPTY = { get: () => undefined } as unknown as StateReader;

/** What is settled is said beforehand: all of a record, a part of it, or nothing. */
let admission: Admission | "all";
let isLearning: boolean;
let isJoining: boolean;
let merged: { readonly keyed: KeyedRecord; readonly admitted: Uint8Array }[];

beforeEach(() => {
  admission = "all";
  isLearning = false;
  isJoining = false;
  merged = [];
});

function merge(keyed: KeyedRecord, admitted: Uint8Array): KeyedRecord {
  merged.push({ keyed, admitted });
  return keyed;
}

function gate(planted: PlantedReplicaBugs = {}): Gate {
  const settling = {
    floors: { fence: FENCE },
    isFenced: (time: number) => time <= FENCE,
    admit: (_key: Uint8Array, _held: Uint8Array | undefined, record: Uint8Array) =>
      admission === "all" ? record : admission,
  };
  return new Gate({
    settling: settling as unknown as Settling,
    rules: stampedRules,
    planted,
    reapAfterMs: REAP_AFTER_MS,
    isLearning: () => isLearning,
    isJoining: () => isJoining,
  });
}

describe("the fence", () => {
  test("keeps out what is not above it, unless a planted bug ignores it", () => {
    const [late, timely] = [keyedAt(100).record, keyedAt(99).record];
    expect([gate().isFenced(late), gate().isFenced(timely)]).toEqual([true, false]);
    expect(gate({ fenceIgnored: true }).isFenced(late)).toBe(false);
  });

  test("is what a write behind it has met: its next stamp is above every one of that time", () => {
    const late = keyedAt(200).record;
    const met = { time: FENCE, actorHigh: U32_MAX, actorLow: U32_MAX };
    expect(gate().stampAbove(late, undefined)).toEqual(met);
    expect(gate().stampAbove(late, keyedAt(150).record)).toEqual(met);
  });

  test("is not, where something newer is held: that is", () => {
    const held = keyedAt(50).record;
    expect(gate().stampAbove(keyedAt(200).record, held)).toEqual(stampOf(held));
  });

  test("is not for a write above it: that has met what is held", () => {
    const held = keyedAt(300).record;
    expect(gate().stampAbove(keyedAt(10).record, held)).toEqual(stampOf(held));
  });
});

describe("a copy that repair brings", () => {
  const judge = (keyed: KeyedRecord, kind: WriteKind = "repair") =>
    gate().judge({ keyed, kind }, undefined, WALL_MS);

  test("is news where nothing of it is settled, however old it is", () => {
    expect(judge(keyedAt(10))).toBe("news");
    expect(judge(keyedAt(2 * REAP_AFTER_MS))).toBe("news");
  });

  test("is refused where it is settled, or is being settled, or is news in part only", () => {
    const refused: (typeof admission)[] = ["settled", "closed", bytes("a part")];
    for (const each of refused) {
      admission = each;
      expect(judge(keyedAt(10))).toBe("refused");
    }
  });

  test("is as good as held if it is a deletion that is settled", () => {
    admission = "settled";
    expect(judge(deletionAt(10))).toBe("held");
    admission = "closed";
    expect(judge(deletionAt(10))).toBe("refused");
  });
});

describe("while the copy learns the shard", () => {
  beforeEach(() => {
    isLearning = true;
  });

  test("it does not take what may be settled elsewhere: what is half as old as a tombstone gets", () => {
    const judge = (agoMs: number) =>
      gate().judge({ keyed: keyedAt(agoMs), kind: "repair" }, undefined, WALL_MS);
    expect([judge(REAP_AFTER_MS / 2), judge(REAP_AFTER_MS / 2 - 1)]).toEqual(["refused", "news"]);
  });

  test("it takes what a read leaves there while it is given the shard, however old", () => {
    const judge = (kind: WriteKind) =>
      gate().judge({ keyed: keyedAt(REAP_AFTER_MS), kind }, undefined, WALL_MS);
    expect(judge("write-back")).toBe("refused");
    isJoining = true;
    expect([judge("write-back"), judge("repair")]).toEqual(["news", "refused"]);
  });

  test("what is handed over and too old may come again", () => {
    const old = keyedAt(REAP_AFTER_MS / 2);
    const taken = gate().takeHandedOver([old], WALL_MS, EMPTY, { refused: 0 }, merge);
    expect([taken, merged.length]).toEqual([undefined, 0]);
  });
});

describe("what is reconciled", () => {
  test("is merged as far as it is news", () => {
    const keyed = keyedAt(10);
    admission = bytes("a part");
    expect(gate().reconcile(keyed, EMPTY, merge, () => undefined)).toBe(keyed);
    expect(merged).toEqual([{ keyed, admitted: admission }]);
  });

  test("is answered with its burial where it is alive there, and settled here", () => {
    admission = "settled";
    const keyed = keyedAt(10);
    const answer = gate().reconcile(keyed, EMPTY, merge, () => undefined);
    expect(isTombstone(answer.record)).toBe(true);
    expect(stampOf(answer.record)).toEqual(stampOf(keyed.record));
    expect(merged).toEqual([]);
  });

  test("is told of where it is a deletion that this copy needs no more", () => {
    admission = "settled";
    const told: Uint8Array[] = [];
    const keyed = deletionAt(10);
    expect(gate().reconcile(keyed, EMPTY, merge, (each) => told.push(each))).toBe(keyed);
    expect(told).toEqual([keyed.record]);
  });

  test("is left alone while it is being settled", () => {
    admission = "closed";
    const keyed = keyedAt(10);
    expect(gate().reconcile(keyed, EMPTY, merge, () => undefined)).toBe(keyed);
    expect(merged).toEqual([]);
  });

  test("is merged all the same with a planted bug", () => {
    admission = "settled";
    gate({ floorIgnoredByAntiEntropy: true }).reconcile(keyedAt(10), EMPTY, merge, () => undefined);
    expect(merged).toHaveLength(1);
  });
});

describe("what is handed over", () => {
  const take = (records: readonly KeyedRecord[], bound = { refused: 0 }, taking = merge) =>
    gate().takeHandedOver(records, WALL_MS, EMPTY, bound, taking);

  test("is merged, and acknowledged without a refusal", () => {
    expect(take([keyedAt(10), keyedAt(20)])).toEqual([]);
    expect(merged).toHaveLength(2);
  });

  test("is acknowledged where it is settled: it is not needed", () => {
    admission = "settled";
    expect([take([keyedAt(10)]), merged.length]).toEqual([[], 0]);
  });

  test("may come again where it is being settled", () => {
    admission = "closed";
    expect([take([keyedAt(10)]), merged.length]).toEqual([undefined, 0]);
  });

  test("is refused by its place where there is no room for it", () => {
    const bound = { refused: 4 };
    const records = [keyedAt(10, "a"), keyedAt(10, "b"), keyedAt(10, "c")];
    const refusing = (keyed: KeyedRecord, admitted: Uint8Array) => {
      if (Buffer.from(keyed.key).toString() === "b") bound.refused++;
      return merge(keyed, admitted);
    };
    expect(take(records, bound, refusing)).toEqual([1]);
  });
});
