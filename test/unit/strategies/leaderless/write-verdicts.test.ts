import { describe, expect, test } from "vitest";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import { HYBRID_EPOCH_MS, hybridTimeOf, type Stamp } from "../../../../src/core/model/stamp.ts";
import type { WriteKind } from "../../../../src/strategies/leaderless/messages.ts";
import type { PlantedReplicaBugs } from "../../../../src/strategies/leaderless/planted-bugs.ts";
import {
  expireRecord,
  type KeyedRecord,
  makeKeyedRecord,
} from "../../../../src/strategies/leaderless/record.ts";
import type { Gate } from "../../../../src/strategies/leaderless/settling/gate.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";
import { WriteVerdicts } from "../../../../src/strategies/leaderless/write-verdicts.ts";

const MAX_SKEW_MS = 1_000;
const WALL_MS = HYBRID_EPOCH_MS + 1_000_000;
const KEY = Buffer.from("k");

function stampAt(wallMs: number): Stamp {
  return { time: hybridTimeOf(wallMs), actorHigh: 0, actorLow: 9 };
}

function keyedAt(wallMs: number, value = "v", expiresAtMs?: number): KeyedRecord {
  return makeKeyedRecord(KEY, stampAt(wallMs), Buffer.from(value), expiresAtMs);
}

/** A replica that has promised to take nothing up to `fencedUpToMs` any more. */
class Replica {
  fencedUpToMs = 0;
  readonly #verdicts: WriteVerdicts;

  constructor(planted: PlantedReplicaBugs = {}) {
    const { timeOf } = stampedRules.settling;
    const isFenced = (record: Uint8Array) => timeOf(record) <= hybridTimeOf(this.fencedUpToMs);
    this.#verdicts = new WriteVerdicts({
      rules: stampedRules,
      planted,
      clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: MAX_SKEW_MS }),
      gate: { isFenced } as unknown as Gate,
    });
  }

  asks(
    keyed: KeyedRecord,
    held?: KeyedRecord,
    {
      kind = "first-hand" as WriteKind,
      wallMs = WALL_MS,
      nowMs = 0,
      proof = undefined as Stamp | undefined,
    } = {},
  ) {
    const message = { type: "write", requestId: 1, kind, proof, keyed } as const;
    return this.#verdicts.of(message, held?.record, wallMs, nowMs);
  }

  verdictOn(...asked: Parameters<Replica["asks"]>): string {
    return this.asks(...asked).verdict;
  }
}

describe("a write of a client", () => {
  test("is stored where nothing is held, and where what is held is older", () => {
    const replica = new Replica();
    const write = keyedAt(WALL_MS);
    expect(replica.asks(write)).toEqual({ verdict: "stored", stored: write });
    expect(replica.asks(write, keyedAt(WALL_MS - 1))).toEqual({ verdict: "stored", stored: write });
  });

  test("has lost where what is held is newer", () => {
    expect(new Replica().verdictOn(keyedAt(WALL_MS - 1), keyedAt(WALL_MS))).toBe("newer");
  });

  test("was there already where the same bytes are held, also behind the fence", () => {
    const replica = new Replica();
    replica.fencedUpToMs = WALL_MS;
    expect(replica.verdictOn(keyedAt(WALL_MS), keyedAt(WALL_MS))).toBe("equal");
  });

  test("was there already where what it has come to at its expiry is held", () => {
    const write = keyedAt(WALL_MS, "v", WALL_MS + 10);
    const held = { ...write, record: expireRecord(write.record, WALL_MS + 10) };
    expect(new Replica().asks(write, held)).toEqual({ verdict: "equal", stored: write });
    expect(new Replica().verdictOn(write, held, { kind: "repair" })).toBe("newer");
  });

  test("with other bytes under a stamp that is held has taken another's operation id", () => {
    expect(new Replica().verdictOn(keyedAt(WALL_MS, "x"), keyedAt(WALL_MS, "y"))).toBe("reused");
  });

  test("comes too late behind the fence, and not above it", () => {
    const replica = new Replica();
    replica.fencedUpToMs = WALL_MS - 5;
    expect(replica.verdictOn(keyedAt(WALL_MS - 5))).toBe("newer");
    expect(replica.verdictOn(keyedAt(WALL_MS - 4))).toBe("stored");
  });
});

describe("a write of repair", () => {
  test("is not stored again where the same bytes are held", () => {
    const verdict = new Replica().verdictOn(keyedAt(WALL_MS), keyedAt(WALL_MS), { kind: "repair" });
    expect(verdict).toBe("equal");
  });

  test("asks neither the fence nor the clock", () => {
    const replica = new Replica();
    replica.fencedUpToMs = WALL_MS;
    const repair = { kind: "repair" as const };
    expect(replica.verdictOn(keyedAt(WALL_MS), undefined, repair)).toBe("stored");
    const ahead = keyedAt(WALL_MS + 2 * MAX_SKEW_MS);
    expect(replica.verdictOn(ahead, undefined, repair)).toBe("stored");
  });

  test("stores the greater of two that stand under one stamp, or says that it is there", () => {
    const [less, more] = [keyedAt(WALL_MS, "a"), keyedAt(WALL_MS, "b")];
    const repair = { kind: "repair" as const };
    expect(new Replica().asks(more, less, repair)).toEqual({ verdict: "stored", stored: more });
    expect(new Replica().verdictOn(less, more, repair)).toBe("newer");
  });

  test("with a planted bug stores what is older; so does a client's with another", () => {
    const [older, newer] = [keyedAt(WALL_MS - 1), keyedAt(WALL_MS)];
    const overwriting = new Replica({ repairOverwritesNewer: true });
    expect(overwriting.verdictOn(older, newer, { kind: "repair" })).toBe("stored");
    expect(overwriting.verdictOn(older, newer)).toBe("newer");
    expect(new Replica({ olderOverwritesNewer: true }).verdictOn(older, newer)).toBe("stored");
  });
});

describe("a stamp beyond the clock guard", () => {
  const ahead = keyedAt(WALL_MS + MAX_SKEW_MS + 50);

  test("is refused, and taken where it proves what it follows", () => {
    expect(new Replica().verdictOn(ahead)).toBe("skewed");
    const proof = { ...stampAt(WALL_MS + MAX_SKEW_MS + 50), time: timeBelow(ahead) };
    expect(new Replica().verdictOn(ahead, undefined, { proof })).toBe("stored");
  });

  test("stays refused when the clocks have moved on, for as long as a copy of it may come", () => {
    const replica = new Replica();
    expect(replica.verdictOn(ahead)).toBe("skewed");
    const later = { wallMs: WALL_MS + 100 };
    expect(replica.verdictOn(ahead, undefined, { ...later, nowMs: 100 })).toBe("skewed");
    expect(replica.verdictOn(ahead, undefined, { ...later, nowMs: 60_000 })).toBe("stored");
    expect(new Replica().verdictOn(ahead, undefined, { ...later, nowMs: 100 })).toBe("stored");
  });
});

function timeBelow({ record }: KeyedRecord): number {
  return stampedRules.settling.timeOf(record) - 1;
}
