import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { LoneConsensus, type Sent } from "./lone-consensus.ts";

/** Of what was said, this node answers all: it has whatever the leader has. */
function answer(lone: LoneConsensus, node: string, said: readonly Sent[]): readonly Sent[] {
  const { length: index } = lone.log;
  const none = { rejected: false, hintIndex: 0, hintTerm: 0, original: true };
  return said
    .filter(({ to }) => to === node)
    .flatMap(({ message }) => {
      if (message.type !== "heartbeat" && message.type !== "append") return [];
      const { term, round } = message;
      return lone.hear(node, { type: "append-reply", term, round, index, ...none });
    });
}

function targetsIn(sent: readonly Sent[]): readonly string[] {
  return sent.filter(({ message }) => message.type === "take-over").map(({ to }) => to);
}

/** A leader whose followers have all that it has. */
function leading(): LoneConsensus {
  const lone = new LoneConsensus();
  lone.lead();
  lone.sync();
  const said = lone.wait(10);
  for (const node of ["n2", "n3"]) answer(lone, node, said);
  return lone;
}

function transfer(lone: LoneConsensus, to?: NodeId): readonly Sent[] {
  return lone.do((at, effects) => lone.consensus.transferLeadership(to, at, effects));
}

/** Only `n3` answers, for as long as a transfer may take and some more. */
function goOn(lone: LoneConsensus): readonly string[] {
  const targets: string[] = [];
  for (let n = 0; n < 15; n++) {
    const said = lone.wait(10);
    targets.push(...targetsIn(said), ...targetsIn(answer(lone, "n3", said)));
  }
  return targets;
}

test("a leader that goes asks another to take over where the first does not", () => {
  const lone = leading();
  expect(targetsIn(transfer(lone))).toEqual(["n2"]);
  expect(goOn(lone)).toEqual(["n3"]);
  expect(lone.emitted).toContain("raft-transfer-failed");
});

test("a leader that was to hand over to one goes on where that one does not take it", () => {
  const lone = leading();
  expect(targetsIn(transfer(lone, "n2" as NodeId))).toEqual(["n2"]);
  expect(goOn(lone)).toEqual([]);
  expect(lone.consensus.standing.role).toBe("leader");
});

test("one that is given leadership while it goes hands it on, once it knows to whom", () => {
  const lone = new LoneConsensus();
  expect(targetsIn(transfer(lone))).toEqual([]);
  expect(lone.consensus.isHandingOver).toBe(false);
  lone.lead();
  expect(lone.consensus.isHandingOver).toBe(true);
  lone.sync();
  expect(goOn(lone)).toContain("n3");
  expect(lone.consensus.isHandingOver).toBe(true);
});

test("leaders that all go do not hand leadership round, and do nothing else", () => {
  const lone = leading();
  transfer(lone);
  lone.hear("n2", { type: "heartbeat", term: 2, round: 1, commitIndex: 0, lastIndex: 1 });
  lone.hear("n2", { type: "take-over", term: 2 });
  const vote = { type: "vote-reply", term: 3, pre: false, granted: true } as const;
  for (const node of ["n1", "n2"]) {
    lone.hear(node, { ...vote, recovering: false, original: true });
  }
  lone.sync();
  expect(targetsIn(answer(lone, "n3", lone.wait(10)))).toEqual([]);
  expect(lone.consensus.standing).toMatchObject({ role: "leader", term: 3 });
  expect(lone.consensus.isHandingOver).toBe(true);
  expect(goOn(lone)).toEqual(["n3"]);
});

test("a leader that goes does not wait for those who cannot take over", () => {
  const lone = new LoneConsensus(1);
  lone.lead();
  transfer(lone);
  lone.sync();
  expect(lone.consensus.isHandingOver).toBe(false);
});

test("nobody is asked to take over who cannot be reached", () => {
  const lone = leading();
  lone.unreachable.add("n2");
  expect(targetsIn(transfer(lone))).toEqual(["n3"]);
  expect(targetsIn(transfer(lone, "n2" as NodeId))).toEqual([]);
});
