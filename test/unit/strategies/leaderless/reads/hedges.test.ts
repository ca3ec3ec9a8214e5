import { describe, expect, test } from "vitest";
import type {
  CoordinatorContext,
  ShardPlacement,
} from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import type { Level } from "../../../../../src/core/model/levels.ts";
import { type Demand, demandOf } from "../../../../../src/strategies/leaderless/demand.ts";
import {
  type HedgedRead,
  type HedgeSetting,
  Hedges,
  parseHedge,
} from "../../../../../src/strategies/leaderless/reads/hedges.ts";
import { PeerTimes } from "../../../../../src/strategies/leaderless/reads/peer-times.ts";
import { ReplicaAnswers } from "../../../../../src/strategies/leaderless/replica-answers.ts";

const [N1, N2, N3] = ["n1", "n2", "n3"] as NodeId[] as [NodeId, NodeId, NodeId];
const PLACEMENT: ShardPlacement = { epoch: 1 as Epoch, replicas: [N1, N2, N3], standIns: [] };
const ALL = 0b111;

class Bench {
  readonly counts: string[] = [];
  readonly timers: number[] = [];
  readonly asked: number[] = [];
  readonly hedges: Hedges<HedgedRead>;
  nowMs = 1_000;

  constructor(setting: HedgeSetting = "auto") {
    const context = {
      self: { node: N1 },
      isReachable: () => true,
      count: (name: string, by: number) => this.counts.push(`${name} ${by}`),
    } as unknown as CoordinatorContext;
    this.hedges = new Hedges(context, setting);
  }

  read(level: Level = "quorum"): HedgedRead {
    const places = { placement: PLACEMENT, self: N1, datacenterOf: () => "" };
    const read: HedgedRead = {
      demand: demandOf(level, places) as Demand,
      answers: new ReplicaAnswers(PLACEMENT),
      startedAtMs: this.nowMs,
      answered: false,
      hedgeAtMs: Number.POSITIVE_INFINITY,
      hedgedAtMs: 0,
      hedged: 0,
    };
    read.answers.asked = this.hedges.first(read, ALL, this.nowMs);
    this.hedges.watch(read, ALL, this.nowMs + 200, this.effects());
    return read;
  }

  answer(read: HedgedRead, node: NodeId, serving = true): void {
    const bit = read.answers.take(node, serving);
    this.hedges.onReply(read, node, bit, serving, this.nowMs);
  }

  due(): void {
    const ask = (read: HedgedRead, more: number): void => {
      read.answers.asked |= more;
      this.asked.push(more);
    };
    this.hedges.due(this.nowMs, ask, this.effects());
  }

  effects() {
    return { setTimer: (_name: string, delayMs: number) => this.timers.push(delayMs) };
  }
}

/** One answer of each peer, so that both are known and equally near. */
function known(): Bench {
  const bench = new Bench();
  for (const node of [N2, N3]) bench.hedges.times.note(node, 1, bench.nowMs);
  return bench;
}

describe("whom a read asks at first", () => {
  test("its own replica, and one peer after the other", () => {
    const bench = known();
    const masks = Array.from({ length: 4 }, () => bench.read().answers.asked);
    expect(masks.every((mask) => (mask & 1) === 1)).toBe(true);
    expect(new Set(masks)).toEqual(new Set([0b011, 0b101]));
  });

  test("nobody who is being rebuilt, for a second", () => {
    const bench = known();
    bench.answer({ ...bench.read("all") }, N3, false);
    for (let i = 0; i < 4; i++) expect(bench.read().answers.asked).toBe(0b011);
    bench.nowMs += 1_001;
    const masks = Array.from({ length: 4 }, () => bench.read().answers.asked);
    expect(masks).toContain(0b101);
  });

  test("nobody who is farther away than another, until that is forgotten", () => {
    const bench = known();
    for (let i = 0; i < 30; i++) bench.hedges.times.note(N2, 80, bench.nowMs);
    for (let i = 0; i < 4; i++) expect(bench.read().answers.asked).toBe(0b101);
    bench.nowMs += 10_001;
    const masks = Array.from({ length: 4 }, () => bench.read().answers.asked);
    expect(masks).toContain(0b011);
  });

  test("all, where all are needed or the setting says so", () => {
    expect(new Bench().read("all").answers.asked).toBe(ALL);
    expect(new Bench("always").read().answers.asked).toBe(ALL);
    expect(new Bench("always").read("one").answers.asked).toBe(0b001);
  });
});

describe("a hedge", () => {
  test("goes to another replica once the usual time is over, and the silent one is avoided", () => {
    const bench = known();
    const read = bench.read();
    const [delayMs = 0] = bench.timers;
    // One sample of 1 ms: the mean, and four times half of it.
    expect(delayMs).toBe(3);
    bench.nowMs += delayMs;
    bench.answer(read, N1);
    bench.due();
    expect(bench.asked).toEqual([
      ALL & ~read.answers.answered & ~(read.answers.asked & ~read.hedged),
    ]);
    expect(bench.counts).toEqual(["read_hedges 1"]);
    const silent = read.answers.asked & ~read.hedged & ~1;
    expect(bench.read().answers.asked & silent).toBe(0);
  });

  test("is not sent where the answers are there", () => {
    const bench = known();
    const read = bench.read();
    for (const node of read.answers.nodesOf(read.answers.asked)) bench.answer(read, node);
    read.answered = true;
    bench.nowMs += 100;
    bench.due();
    expect(bench.asked).toEqual([]);
    expect(bench.timers).toHaveLength(1);
  });

  test("comes no later than a quarter of the read's time", () => {
    const bench = new Bench();
    for (const node of [N2, N3]) bench.hedges.times.note(node, 500, bench.nowMs);
    bench.read();
    expect(bench.timers).toEqual([50]);
  });

  test("adds at most a tenth of what reads ask anyway, and ten saved up", () => {
    const bench = new Bench(5);
    let requests = 0;
    for (let i = 0; i < 300; i++) {
      const read = bench.read();
      requests++;
      bench.answer(read, N1);
      bench.nowMs += 5;
      bench.due();
    }
    expect(bench.asked.length).toBeLessThanOrEqual(10 + requests * 0.1);
    expect(bench.asked.length).toBeGreaterThanOrEqual(requests * 0.1);
    expect(bench.hedges.describe()).toMatchObject({
      asked: requests,
      hedged: bench.asked.length,
      denied: requests - bench.asked.length,
    });
    expect(bench.counts).toContain("read_hedges_denied 1");
  });

  test("that brings the answer is counted", () => {
    const bench = new Bench(5);
    const read = bench.read();
    bench.answer(read, N1);
    bench.nowMs += 5;
    bench.due();
    const [hedge] = read.answers.nodesOf(read.hedged);
    bench.answer(read, hedge as NodeId);
    expect(bench.hedges.describe()).toMatchObject({ hedged: 1, won: 1 });
  });

  test.each(["off", "always"] as const)("is never sent with %s", (setting) => {
    const bench = new Bench(setting);
    bench.read();
    expect(bench.timers).toEqual([]);
    bench.nowMs += 100;
    bench.due();
    expect(bench.asked).toEqual([]);
  });
});

describe("the time that a peer usually takes", () => {
  test("is above nearly all answers whose times fall off exponentially, and not far above", () => {
    const times = new PeerTimes();
    let seed = 7;
    let within = 0;
    for (let i = 0; i < 20_000; i++) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      const tookMs = -Math.log(1 - seed / 2 ** 32) * 3;
      if (tookMs <= times.usualMs(N2, 0)) within++;
      times.note(N2, tookMs, 0);
    }
    expect(within / 20_000).toBeGreaterThan(0.95);
    expect(within / 20_000).toBeLessThan(0.999);
  });
});

describe("the setting hedge", () => {
  test("is a word or a duration", () => {
    expect(parseHedge(undefined, "k.hedge")).toBe("auto");
    expect(parseHedge("off", "k.hedge")).toBe("off");
    expect(parseHedge("5ms", "k.hedge")).toBe(5);
    expect(parseHedge(20, "k.hedge")).toBe(20);
  });

  test.each(["sometimes", true, null, [], 0, "2h"])("is not %j", (value) => {
    expect(() => parseHedge(value, "k.hedge")).toThrow(/k\.hedge/);
  });
});
