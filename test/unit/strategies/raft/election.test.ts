import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import type { VoteReply } from "../../../../src/strategies/raft/peer-messages.ts";
import { type Chance, LoneConsensus } from "./lone-consensus.ts";

/** The draw of `LoneConsensus` is of 50 to 100 ms. */
const LOWER_MS = 50;
const UPPER_MS = 100;
const GREATEST = 2 ** 32 - 1;

/** Follows n2, which it has heard at the moment 0, and not since. */
function follower(chance: Chance): LoneConsensus {
  const lone = new LoneConsensus(3, undefined, chance);
  lone.append("n2", { term: 1 });
  return lone;
}

/** When it asks whether it should stand. */
function asksAtMs(lone: LoneConsensus): number {
  while (lone.nowMs < 10 * UPPER_MS) {
    const sent = lone.wait(1);
    if (sent.some(({ message }) => message.type === "vote" && message.pre)) return lone.nowMs;
  }
  return Number.POSITIVE_INFINITY;
}

describe("a follower that hears its leader no more", () => {
  test.each([
    [0, LOWER_MS],
    [2 ** 31, 75],
    [GREATEST, UPPER_MS],
  ])("asks after what it has drawn, %i of 2^32: %i ms", (random, atMs) => {
    expect(asksAtMs(follower({ random }))).toBe(atMs);
  });

  test.each([
    ["greatest", { n1: 2, n2: 1, n3: 0 }, 50, 67],
    ["middle", { n1: 1, n2: 2, n3: 0 }, 67, 84],
    ["least", { n1: 0, n2: 2, n3: 1 }, 84, 100],
  ])("draws in the part of its rank: the %s priority", (_rank, priorities, fromMs, toMs) => {
    expect(asksAtMs(follower({ random: 0, priorities }))).toBe(fromMs);
    expect(asksAtMs(follower({ random: GREATEST, priorities }))).toBe(toMs);
  });
});

describe("a follower whose leader's connection is closed", () => {
  /** It finds that out at that moment, or never. */
  function lostAt(atMs: number | undefined, peer = "n2"): LoneConsensus {
    const lone = follower({ random: GREATEST });
    if (atMs === undefined) return lone;
    lone.wait(atMs);
    lone.do((at, effects) => lone.consensus.reachability(peer as NodeId, false, at, effects));
    return lone;
  }
  /** So that two that find it out together do not ask together: a quarter of the draw. */
  const SPREAD_MS = (UPPER_MS - LOWER_MS) / 4;

  test("asks as soon as what it has promised the leader has run out, not when it had drawn", () => {
    expect(asksAtMs(lostAt(undefined))).toBe(UPPER_MS);
    const atMs = asksAtMs(lostAt(10));
    expect(atMs).toBeGreaterThanOrEqual(LOWER_MS);
    expect(atMs).toBeLessThanOrEqual(LOWER_MS + SPREAD_MS + 1);
  });

  test("asks at once where that has run out before", () => {
    const atMs = asksAtMs(lostAt(70));
    expect(atMs).toBeLessThanOrEqual(70 + SPREAD_MS + 1);
  });

  test("goes on waiting where the connection was another's", () => {
    expect(asksAtMs(lostAt(10, "n3"))).toBe(UPPER_MS);
  });

  test("waits as ever where the leader is heard again", () => {
    const lone = lostAt(10);
    lone.wait(10);
    lone.append("n2", { term: 1 });
    expect(asksAtMs(lone)).toBe(20 + UPPER_MS);
  });
});

describe("a candidate whose votes take longer than it waits", () => {
  const VOTE = Object.freeze({
    ...{ type: "vote-reply", term: 1, pre: false },
    ...{ granted: true, recovering: false, original: true },
  }) satisfies VoteReply;

  /** Has stood in term 1, has its own vote, and asks about term 2. */
  function asking(): LoneConsensus {
    const lone = new LoneConsensus(3);
    lone.wait(2 * UPPER_MS);
    lone.hear("n2", { ...VOTE, pre: true });
    lone.hear("n1", VOTE);
    lone.wait(UPPER_MS);
    expect(lone.consensus.standing).toMatchObject({ role: "pre-candidate", term: 1 });
    return lone;
  }

  test("wins its term by votes that come while it asks about the next one", () => {
    const lone = asking();
    lone.hear("n3", VOTE);
    expect(lone.consensus.standing).toMatchObject({ role: "leader", term: 1 });
  });

  test("wins it by its own vote, where its disk was what took so long", () => {
    const lone = new LoneConsensus(3);
    lone.wait(2 * UPPER_MS);
    lone.hear("n2", { ...VOTE, pre: true });
    lone.hear("n2", VOTE);
    lone.wait(UPPER_MS);
    lone.hear("n1", VOTE);
    expect(lone.consensus.standing).toMatchObject({ role: "leader", term: 1 });
  });

  test("does not take them for an answer about the next one, nor that for a vote", () => {
    const lone = asking();
    lone.hear("n3", { ...VOTE, term: 2 });
    expect(lone.consensus.standing).toMatchObject({ role: "pre-candidate", term: 1 });
    lone.hear("n3", { ...VOTE, pre: true });
    expect(lone.consensus.standing).toMatchObject({ role: "pre-candidate", term: 1 });
  });

  test("wins no term that another has won", () => {
    const lone = asking();
    lone.append("n2", { term: 1 });
    lone.hear("n3", VOTE);
    expect(lone.consensus.standing).toMatchObject({ role: "follower", leader: "n2" });
    lone.wait(UPPER_MS);
    lone.hear("n3", VOTE);
    expect(lone.consensus.standing).toMatchObject({ role: "pre-candidate", term: 1 });
  });

  test("wins no term that is over: the next one takes votes of its own", () => {
    const lone = asking();
    lone.hear("n2", { ...VOTE, term: 2, pre: true });
    expect(lone.consensus.standing).toMatchObject({ role: "candidate", term: 2 });
    lone.hear("n1", { ...VOTE, term: 2 });
    lone.hear("n3", VOTE);
    expect(lone.consensus.standing).toMatchObject({ role: "candidate", term: 2 });
    lone.hear("n3", { ...VOTE, term: 2 });
    expect(lone.consensus.standing).toMatchObject({ role: "leader", term: 2 });
  });

  test("wins it once: votes that come again do not give it back to who has stepped down", () => {
    const lone = asking();
    lone.hear("n3", VOTE);
    // Nobody answers (CheckQuorum).
    for (let beats = 0; beats < 20; beats++) lone.wait(LOWER_MS / 5);
    const { role, term } = lone.consensus.standing;
    expect({ role, term }).toEqual({ role: "pre-candidate", term: 1 });
    lone.hear("n3", VOTE);
    lone.hear("n2", VOTE);
    expect(lone.consensus.standing).toMatchObject({ role: "pre-candidate", term: 1 });
  });
});
