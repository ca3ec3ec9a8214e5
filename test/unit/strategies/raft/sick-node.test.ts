import { expect, test } from "vitest";
import { unsealedEntry } from "../../../../src/strategies/raft/entry.ts";
import type { PeerMessage } from "../../../../src/strategies/raft/peer-messages.ts";
import { LoneConsensus, type Sent } from "./lone-consensus.ts";

/** A node whose disk or event loop is late does not lead, nor promise anything for a time. */

const TERM = 1;

function typesOf(sent: readonly Sent[]): readonly string[] {
  return sent.map(({ to, message }) => `${message.type} to ${to}`);
}

function beats(lone: LoneConsensus, from: string): void {
  const newest = lone.sent.map(({ message }) => message).find(({ type }) => type === "heartbeat");
  const round = newest?.type === "heartbeat" ? newest.round : 1;
  lone.hear(from, {
    ...{ type: "heartbeat-reply", term: TERM, round, matchedIndex: lone.log.length },
    original: true,
  });
}

function has(index: number): PeerMessage {
  return {
    ...{ type: "append-reply", term: TERM, round: 9, rejected: false, index },
    ...{ hintIndex: 0, hintTerm: 0, original: true },
  };
}

function leader(): LoneConsensus {
  const lone = new LoneConsensus();
  lone.lead();
  lone.sync();
  lone.hear("n2", has(1));
  expect(lone.consensus.standing).toMatchObject({ role: "leader", term: TERM });
  return lone;
}

test.each([
  ["whose disk is sick", { isDiskSick: true }],
  ["whose event loop is half an election timeout late", { loopLagMs: 50 }],
])("a follower %s does not stand, and stands once that is over", (_, sickness) => {
  const lone = new LoneConsensus();
  Object.assign(lone, sickness);
  for (let waited = 0; waited < 1_000; waited += 100) expect(lone.wait(100)).toEqual([]);
  expect(lone.consensus.standing.role).toBe("follower");
  Object.assign(lone, { isDiskSick: false, loopLagMs: 0 });
  expect(typesOf(lone.wait(100))).toEqual(["vote to n2", "vote to n3"]);
});

test("one that is a little late stands", () => {
  const lone = new LoneConsensus();
  lone.loopLagMs = 49;
  expect(typesOf(lone.wait(200))).toEqual(["vote to n2", "vote to n3"]);
});

test("a leader whose disk has become sick hands over to the follower that has everything", () => {
  const lone = leader();
  lone.isDiskSick = true;
  const said: string[] = [];
  for (let waited = 0; waited < 300 && !said.includes("take-over to n2"); waited += 10) {
    said.push(...typesOf(lone.wait(10)));
    beats(lone, "n2");
    said.push(...typesOf(lone.sent));
  }
  expect(said).toContain("take-over to n2");
  expect(said).not.toContain("take-over to n3");
});

test("a lease is not renewed by a leader whose event loop is late by half of it", () => {
  const lone = leader();
  const holds = () => lone.consensus.leaseHolds({ nowMs: lone.nowMs, wallMs: lone.nowMs });
  const beat = () => {
    lone.wait(10);
    beats(lone, "n2");
  };
  // The first look at the two clocks has nothing to compare them with.
  holds();
  for (let beaten = 0; beaten < 3; beaten++) beat();
  expect(holds()).toBe(true);
  lone.loopLagMs = 23;
  for (let beaten = 0; beaten < 6; beaten++) beat();
  expect(holds()).toBe(false);
  lone.loopLagMs = 0;
  for (let beaten = 0; beaten < 3; beaten++) beat();
  expect(holds()).toBe(true);
});

test("what is not committed is bounded in bytes; beyond, proposals are refused until something is", () => {
  const lone = leader();
  const propose = (bytes: number) => {
    const record = unsealedEntry(new Uint8Array(bytes));
    let result: unknown;
    lone.do((at, effects) => {
      result = lone.consensus.propose(record, at, effects);
    });
    return { result, bytes: record.length };
  };
  const { bytes } = propose(30);
  let taken = 1;
  for (; taken * bytes + bytes <= 100; taken++) {
    expect(propose(30).result).not.toHaveProperty("refused", "backlog");
  }
  expect(propose(30).result).toMatchObject({ refused: "backlog" });
  expect(lone.log).toHaveLength(1 + taken);
  lone.sync();
  lone.hear("n2", has(lone.log.length));
  expect(lone.consensus.commitIndex).toBe(1 + taken);
  expect(propose(30).result).not.toHaveProperty("refused", "backlog");
});

test("an entry that is larger than the bound is taken where nothing else waits", () => {
  const lone = leader();
  const record = unsealedEntry(new Uint8Array(500));
  lone.do((at, effects) => {
    expect(lone.consensus.propose(record, at, effects)).not.toHaveProperty("refused", "backlog");
  });
  expect(lone.log).toHaveLength(2);
});
