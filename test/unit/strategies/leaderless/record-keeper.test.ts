import { beforeEach, describe, expect, test } from "vitest";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import { HYBRID_EPOCH_MS, hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import type { PlantedReplicaBugs } from "../../../../src/strategies/leaderless/planted-bugs.ts";
import {
  type KeyedRecord,
  makeKeyedRecord,
  stampOf,
} from "../../../../src/strategies/leaderless/record.ts";
import {
  RecordKeeper,
  type RecordKeeperParts,
} from "../../../../src/strategies/leaderless/record-keeper.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";
import { SidedEffects } from "./sided-effects.ts";

const WALL_MS = HYBRID_EPOCH_MS + 1_000_000;
const KEY = Buffer.from("k");

function recordAt(agoMs: number, value: string | undefined = "v"): KeyedRecord {
  const stamp = { time: hybridTimeOf(WALL_MS - agoMs), actorHigh: 0, actorLow: 9 };
  return makeKeyedRecord(KEY, stamp, value === undefined ? undefined : Buffer.from(value));
}

/** A copy, and what those who count on its records were told. */
class Copy {
  readonly told: string[] = [];
  readonly effects = new SidedEffects();
  readonly place = { isHolder: true, isMember: true };
  readonly handoff = {
    isFull: false,
    noteCopy: (_key: Uint8Array, bytes: number) => this.told.push(`copy of ${bytes}`),
  };
  maxBytes = 1_000;
  readonly keeper: RecordKeeper;

  constructor(planted: PlantedReplicaBugs = {}) {
    const say = (word: string) => () => this.told.push(word);
    this.keeper = new RecordKeeper({
      ...{ planted, rules: stampedRules, place: this.place, handoff: this.handoff },
      context: { clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: 1_000 }) },
      bound: { takes: ({ length }: Uint8Array) => length <= this.maxBytes },
      expiries: { admit: (given: KeyedRecord) => given, note: say("expiry") },
      antiEntropy: { touch: say("sums") },
      settling: { noteStored: say("settling"), noteReplayed: say("settling, replayed") },
    } as unknown as RecordKeeperParts);
  }

  get heldAt(): number | undefined {
    const held = this.effects.get(KEY);
    return held && stampOf(held).time;
  }
}

let copy: Copy;
beforeEach(() => {
  copy = new Copy();
});

describe("what is stored", () => {
  test("is in the log and in the state, and all who count on it are told", () => {
    copy.keeper.store(recordAt(10), WALL_MS, copy.effects);
    expect(copy.effects.lines.map((line) => line.split(" ")[0])).toEqual(["append", "put"]);
    expect(copy.told).toEqual(["sums", "settling"]);
  });

  test("on a node that stands in is counted as a copy, and settles nothing", () => {
    copy.place.isHolder = false;
    copy.place.isMember = false;
    const keyed = recordAt(10);
    copy.keeper.store(keyed, WALL_MS, copy.effects);
    expect(copy.told).toEqual(["sums", `copy of ${keyed.record.length}`]);
  });
});

describe("what is merged", () => {
  test("leaves what is newer where it is, and answers with that", () => {
    const newer = recordAt(10, "new");
    copy.keeper.store(newer, WALL_MS, copy.effects);
    copy.effects.lines.length = 0;
    const result = copy.keeper.merge(recordAt(20, "old"), WALL_MS, copy.effects);
    expect(Buffer.compare(result.record, newer.record)).toBe(0);
    expect(copy.effects.lines).toEqual([]);
  });

  test("takes the place of what is older; with a planted bug also of what is newer", () => {
    copy.keeper.store(recordAt(20), WALL_MS, copy.effects);
    const newer = recordAt(10);
    expect(copy.keeper.merge(newer, WALL_MS, copy.effects)).toBe(newer);
    expect(copy.heldAt).toBe(stampOf(newer.record).time);
    const broken = new Copy({ rebuildOverwritesNewer: true });
    broken.keeper.store(newer, WALL_MS, broken.effects);
    broken.keeper.merge(recordAt(20), WALL_MS, broken.effects);
    expect(broken.heldAt).toBe(stampOf(recordAt(20).record).time);
  });

  test("answers with the very record that came where the same bytes are held", () => {
    copy.keeper.store(recordAt(10), WALL_MS, copy.effects);
    const again = recordAt(10);
    copy.effects.lines.length = 0;
    expect(copy.keeper.merge(again, WALL_MS, copy.effects)).toBe(again);
    expect(copy.effects.lines).toEqual([]);
  });

  test("is not taken if it is too large: what was held stays", () => {
    copy.keeper.store(recordAt(20), WALL_MS, copy.effects);
    const large = recordAt(10, "x".repeat(2_000));
    const result = copy.keeper.merge(large, WALL_MS, copy.effects);
    expect(stampOf(result.record)).toEqual(stampOf(recordAt(20).record));
    expect(copy.heldAt).toBe(stampOf(recordAt(20).record).time);
    const empty = new Copy();
    expect(empty.keeper.merge(large, WALL_MS, empty.effects)).toBe(large);
    expect(empty.heldAt).toBeUndefined();
  });

  test("is looked at for when it expires, though it was held before this node became a member", () => {
    copy.keeper.store(recordAt(10), WALL_MS, copy.effects);
    copy.told.length = 0;
    copy.keeper.merge(recordAt(10), WALL_MS, copy.effects);
    expect(copy.told).toEqual(["expiry"]);
  });
});

describe("the log's own record", () => {
  test("is put into the state, and not into the log again", () => {
    const { payload } = recordAt(10);
    copy.keeper.replay(payload, WALL_MS, copy.effects);
    expect(copy.effects.lines.map((line) => line.split(" ")[0])).toEqual(["put"]);
    expect(copy.told).toEqual(["expiry", "settling, replayed", "sums"]);
  });

  test("that is in the state already, or older, changes nothing", () => {
    copy.keeper.store(recordAt(10), WALL_MS, copy.effects);
    copy.told.length = 0;
    for (const agoMs of [10, 20]) {
      copy.keeper.replay(recordAt(agoMs).payload, WALL_MS, copy.effects);
    }
    expect(copy.heldAt).toBe(stampOf(recordAt(10).record).time);
    expect(copy.told).toEqual([]);
  });
});

describe("a node that stands in and is full", () => {
  test("has room for what is not longer than what it holds, and for nothing else", () => {
    copy.place.isMember = false;
    copy.handoff.isFull = true;
    const [short, long] = [new Uint8Array(10), new Uint8Array(11)];
    expect(copy.keeper.hasRoom).toBe(false);
    expect(copy.keeper.hasRoomFor(short, long)).toBe(true);
    expect(copy.keeper.hasRoomFor(long, short)).toBe(false);
    expect(copy.keeper.hasRoomFor(short, undefined)).toBe(false);
  });

  test("has it again once it is a member; but nobody has for what the log does not take", () => {
    copy.handoff.isFull = true;
    expect(copy.keeper.hasRoomFor(new Uint8Array(1_000), undefined)).toBe(true);
    expect(copy.keeper.hasRoomFor(new Uint8Array(1_001), new Uint8Array(2_000))).toBe(false);
  });
});

test("the keeper's clock follows what is stored within the guard, and nothing beyond it", () => {
  const clock = new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: 1_000 });
  const keeper = new RecordKeeper({
    ...{ planted: {}, rules: stampedRules, place: copy.place, handoff: copy.handoff },
    ...{ context: { clock }, bound: { takes: () => true } },
    expiries: { admit: (given: KeyedRecord) => given },
    antiEntropy: { touch: () => undefined },
    settling: { noteStored: () => undefined },
  } as unknown as RecordKeeperParts);
  keeper.store(recordAt(-100_000), WALL_MS, copy.effects);
  expect(clock.mint(WALL_MS).time).toBeLessThan(hybridTimeOf(WALL_MS + 1));
  keeper.store(recordAt(-500), WALL_MS, copy.effects);
  expect(clock.mint(WALL_MS).time).toBeGreaterThan(hybridTimeOf(WALL_MS + 500));
});
