import { expect, test } from "vitest";
import type { PeerMessage, VoteRequest } from "../../../../src/strategies/raft/peer-messages.ts";
import { entry, LoneConsensus, type Sent } from "./lone-consensus.ts";

/** Extended paper, Figure 2 ("A condensed summary of the Raft consensus algorithm") and Figure 3. */

function answers(sent: readonly Sent[]): readonly PeerMessage[] {
  return sent.map(({ message }) => message);
}

function vote(term: number, lastIndex = 0, lastTerm = 0): VoteRequest {
  return { type: "vote", term, pre: false, transfer: false, lastIndex, lastTerm };
}

/** A follower of n2, in term 2, with an entry of term 1 and two of term 2. */
function follower(): LoneConsensus {
  const lone = new LoneConsensus();
  lone.append("n2", { term: 2, records: [entry("a", 1), entry("b", 2), entry("c", 2)] });
  return lone;
}

function has(index: number, round = 9): PeerMessage {
  return {
    ...{ type: "append-reply", term: 1, round, rejected: false, index },
    ...{ hintIndex: 0, hintTerm: 0, original: true },
  };
}

test("State: term and vote are kept in the step whose words tell of them, and those wait", () => {
  const lone = new LoneConsensus();
  const sent = lone.hear("n2", vote(3));
  expect(lone.hard).toMatchObject({ term: 3, votedFor: "n2" });
  expect(sent).toMatchObject([{ to: "n2", waits: true, message: { granted: true, term: 3 } }]);
});

test("AppendEntries 1: an older term is refused, and told the newer one", () => {
  const lone = follower();
  const sent = lone.append("n3", { term: 1, records: [entry("x", 1)] });
  expect(answers(sent)).toMatchObject([{ term: 2 }]);
  expect(lone.log).toEqual(["1 a", "2 b", "2 c"]);
});

test("AppendEntries 2: refused where the entry before is another, with a place to go on from", () => {
  const lone = follower();
  const sent = lone.append("n2", { term: 2, prevIndex: 7, prevTerm: 2, records: [] });
  expect(answers(sent)).toMatchObject([{ rejected: true, index: 7, hintIndex: 3, hintTerm: 2 }]);
  const other = lone.append("n2", { term: 2, prevIndex: 2, prevTerm: 1, records: [] });
  expect(answers(other)).toMatchObject([{ rejected: true, index: 2, hintIndex: 1, hintTerm: 1 }]);
});

test("AppendEntries 3: an entry that conflicts goes, with all that follow it", () => {
  const lone = follower();
  lone.append("n3", { term: 3, prevIndex: 1, prevTerm: 1, records: [entry("x", 3)] });
  expect(lone.log).toEqual(["1 a", "3 x"]);
});

test("AppendEntries 4: what is there already is not appended again, nor what is behind it cut", () => {
  const lone = follower();
  const sent = lone.append("n2", { term: 2, prevIndex: 1, prevTerm: 1, records: [entry("b", 2)] });
  expect(lone.log).toEqual(["1 a", "2 b", "2 c"]);
  expect(sent).toMatchObject([{ waits: true, message: { rejected: false, index: 2 } }]);
});

test("AppendEntries 5: committed is the lesser of the leader's index and the last new entry", () => {
  const lone = follower();
  lone.append("n3", { term: 3, prevIndex: 1, prevTerm: 1, commitIndex: 9, records: [] });
  expect(lone.consensus.commitIndex).toBe(1);
});

test("RequestVote 1: an older term gets no vote", () => {
  const lone = follower();
  lone.nowMs = 60;
  expect(answers(lone.hear("n3", vote(1, 9, 9)))).toMatchObject([{ granted: false, term: 2 }]);
});

test("RequestVote 2: one vote in a term, which may be asked for again", () => {
  const lone = new LoneConsensus();
  expect(answers(lone.hear("n2", vote(3)))).toMatchObject([{ granted: true }]);
  expect(answers(lone.hear("n3", vote(3)))).toMatchObject([{ granted: false }]);
  expect(answers(lone.hear("n2", vote(3)))).toMatchObject([{ granted: true }]);
});

test("RequestVote 2: only for a log that is at least as up to date (§5.4.1)", () => {
  const shorter = follower();
  shorter.nowMs = 60;
  expect(answers(shorter.hear("n3", vote(3, 2, 2)))).toMatchObject([{ granted: false }]);
  const older = follower();
  older.nowMs = 60;
  expect(answers(older.hear("n3", vote(3, 9, 1)))).toMatchObject([{ granted: false }]);
  const later = follower();
  later.nowMs = 60;
  expect(answers(later.hear("n3", vote(4, 1, 3)))).toMatchObject([{ granted: true }]);
  const equal = follower();
  equal.nowMs = 60;
  expect(answers(equal.hear("n3", vote(4, 3, 2)))).toMatchObject([{ granted: true }]);
});

test("All servers: what is committed is applied, in order, each once", () => {
  const lone = follower();
  lone.append("n2", { term: 2, prevIndex: 3, prevTerm: 2, commitIndex: 2 });
  lone.append("n2", { term: 2, prevIndex: 3, prevTerm: 2, commitIndex: 3 });
  lone.append("n2", { term: 2, prevIndex: 3, prevTerm: 2, commitIndex: 3 });
  expect(lone.applied).toEqual(["1/1 a", "2/2 b", "3/2 c"]);
});

test("All servers: a greater term makes a follower of anybody", () => {
  const lone = new LoneConsensus();
  lone.lead();
  lone.hear("n3", { ...has(0), term: 5 } as PeerMessage);
  expect(lone.consensus.standing).toEqual({ role: "follower", term: 5, leader: undefined });
  expect(lone.hard).toMatchObject({ term: 5, votedFor: undefined });
});

test("Followers: who hears nobody for an election timeout asks whether it should stand", () => {
  const lone = follower();
  expect(lone.wait(49)).toEqual([]);
  expect(answers(lone.wait(2))).toMatchObject([
    { type: "vote", pre: true, term: 3, lastIndex: 3, lastTerm: 2 },
    { type: "vote", pre: true, term: 3 },
  ]);
  expect(lone.consensus.standing).toMatchObject({ role: "pre-candidate", term: 2 });
});

test("Candidates: the next term, an own vote that is kept, and a request to every other server", () => {
  const lone = new LoneConsensus();
  lone.wait(100);
  const yes = {
    type: "vote-reply",
    term: 1,
    pre: true,
    granted: true,
    recovering: false,
    original: true,
  } as const;
  const sent = lone.hear("n3", yes);
  expect(lone.hard).toMatchObject({ term: 1, votedFor: "n1" });
  expect(sent.filter(({ message }) => message.type === "vote")).toMatchObject([
    { to: "n2", waits: true, message: { pre: false, term: 1 } },
    { to: "n3", waits: true, message: { pre: false, term: 1 } },
  ]);
});

test("Candidates: the votes of a majority, and not of fewer, make a leader", () => {
  const lone = new LoneConsensus(5);
  const said = { type: "vote-reply", term: 1, recovering: false, original: true } as const;
  const answer = (from: string, pre: boolean, granted = true) => {
    lone.hear(from, { ...said, pre, granted });
    return lone.consensus.standing.role;
  };
  lone.wait(200);
  expect(answer("n2", true)).toBe("pre-candidate");
  expect(answer("n3", true)).toBe("candidate");
  expect(answer("n1", false)).toBe("candidate");
  expect(answer("n2", false)).toBe("candidate");
  // Two of five, one of them twice, and a refusal.
  expect(answer("n2", false)).toBe("candidate");
  expect(answer("n4", false, false)).toBe("candidate");
  expect(answer("n3", false)).toBe("leader");
  expect(lone.consensus.standing).toEqual({ role: "leader", term: 1, leader: "n1" });
});

test("Candidates: one who hears from the term's leader follows it", () => {
  const lone = new LoneConsensus();
  lone.wait(100);
  lone.hear("n3", {
    type: "vote-reply",
    term: 1,
    pre: true,
    granted: true,
    recovering: false,
    original: true,
  });
  lone.append("n2", { term: 1 });
  expect(lone.consensus.standing).toEqual({ role: "follower", term: 1, leader: "n2" });
});

test("Candidates: an election that nobody wins is followed by another one", () => {
  const lone = new LoneConsensus();
  lone.wait(100);
  lone.hear("n3", {
    type: "vote-reply",
    term: 1,
    pre: true,
    granted: true,
    recovering: false,
    original: true,
  });
  expect(answers(lone.wait(101))).toMatchObject([
    { pre: true, term: 2 },
    { pre: true, term: 2 },
  ]);
});

test("Leaders: heartbeats at once, and again and again, so that nobody else stands", () => {
  const lone = new LoneConsensus();
  const beats = (sent: readonly Sent[]) =>
    sent.filter(({ message }) => message.type === "heartbeat").map(({ to }) => to);
  expect(beats(lone.lead())).toEqual(["n2", "n3"]);
  expect(beats(lone.wait(10))).toEqual(["n2", "n3"]);
});

test("Leaders: a command is appended here and sent from where each follower is", () => {
  const lone = new LoneConsensus();
  lone.lead();
  lone.hear("n2", has(1));
  const sent = lone.propose("x");
  expect(lone.log).toEqual(["1", "1 x"]);
  expect(sent).toMatchObject([
    { to: "n2", waits: false, message: { type: "append", prevIndex: 1, prevTerm: 1 } },
  ]);
});

test("Leaders: who refuses is asked further back", () => {
  const lone = follower();
  lone.nowMs = 60;
  lone.lead();
  const sent = lone.hear("n2", {
    ...{ type: "append-reply", term: 3, round: 9, rejected: true, index: 3 },
    ...{ hintIndex: 1, hintTerm: 1, original: true },
  });
  expect(answers(sent)).toMatchObject([{ type: "append", prevIndex: 1, prevTerm: 1 }]);
});

test("Leaders: an entry of the own term is committed when a majority has it on its disks", () => {
  const lone = new LoneConsensus();
  lone.lead();
  lone.propose("x");
  lone.hear("n2", has(2));
  // The leader's own copy counts like the others: once it is durable (thesis §10.2.1).
  expect(lone.consensus.commitIndex).toBe(0);
  lone.sync();
  expect(lone.applied).toEqual(["1/1 no-op", "2/1 x"]);
});

test("Leaders: two followers commit what is not yet on the leader's disk", () => {
  const lone = new LoneConsensus();
  lone.lead();
  lone.hear("n2", has(1));
  lone.hear("n3", has(1));
  expect(lone.applied).toEqual(["1/1 no-op"]);
});

test("Leaders: an entry of an earlier term is not committed by counting (§5.4.2)", () => {
  const lone = follower();
  lone.nowMs = 60;
  lone.lead();
  lone.sync();
  lone.hear("n2", { ...has(3), term: 3 } as PeerMessage);
  expect(lone.consensus.commitIndex).toBe(0);
  lone.hear("n2", { ...has(4), term: 3 } as PeerMessage);
  expect(lone.consensus.commitIndex).toBe(4);
});

test("Election Safety: a second leader in a term is an error, not an event", () => {
  const lone = follower();
  expect(() => lone.append("n3", { term: 2 })).toThrow("at most one leader per term");
});

test("Leader Append-Only: a leader takes nothing from another in its own term", () => {
  const lone = new LoneConsensus();
  lone.lead();
  expect(() => lone.append("n2", { term: 1 })).toThrow("at most one leader per term");
  expect(lone.log).toEqual(["1"]);
});

test("Log Matching: entries come only behind the one that the leader has before them", () => {
  const lone = follower();
  lone.append("n2", { term: 2, prevIndex: 4, prevTerm: 2, records: [entry("z", 2)] });
  expect(lone.log).toEqual(["1 a", "2 b", "2 c"]);
  lone.append("n2", { term: 2, prevIndex: 3, prevTerm: 2, records: [entry("d", 2)] });
  expect(lone.log).toEqual(["1 a", "2 b", "2 c", "2 d"]);
});

test("Leader Completeness: who lacks what may be committed gets no vote, in whatever term", () => {
  const lone = follower();
  lone.nowMs = 60;
  expect(answers(lone.hear("n3", vote(50, 1, 1)))).toMatchObject([{ granted: false, term: 50 }]);
});

test("State Machine Safety: what is committed is never cut", () => {
  const lone = follower();
  lone.append("n2", { term: 2, prevIndex: 3, prevTerm: 2, commitIndex: 3 });
  // A leader that had other entries there would break Leader Completeness: nothing of it is taken.
  lone.append("n3", { term: 3, prevIndex: 1, prevTerm: 1, records: [entry("x", 3)] });
  expect(lone.log).toEqual(["1 a", "2 b", "2 c"]);
});
