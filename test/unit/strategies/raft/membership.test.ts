import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { LoneConsensus } from "./lone-consensus.ts";

const ALL = ["n1", "n2", "n3"] as NodeId[];

/** Leads with `n2`, which has all that there is, and has answered what was said last. */
function leading(): LoneConsensus {
  const lone = new LoneConsensus();
  lone.lead();
  lone.sync();
  const { term } = lone.consensus.standing;
  const said = lone.wait(10).find(({ to, message }) => to === "n2" && message.type === "heartbeat");
  const round = said?.message.type === "heartbeat" ? said.message.round : 0;
  const reply = { term, round, original: true } as const;
  const { length: index } = lone.log;
  const none = { rejected: false, hintIndex: 0, hintTerm: 0 };
  lone.hear("n2", { ...reply, type: "append-reply", index, ...none });
  lone.hear("n2", { ...reply, type: "heartbeat-reply", matchedIndex: index });
  return lone;
}

function ask(lone: LoneConsensus, voters: readonly NodeId[], renews = false): string | undefined {
  let refused: string | undefined;
  lone.do((at, effects) => {
    const goal = { voters, learners: [], renews };
    refused = lone.consensus.proposeConfiguration(goal, at, effects).refused;
  });
  return refused;
}

test("a leader says of a configuration that it is in force while a majority answers", () => {
  const lone = leading();
  expect(ask(lone, ALL)).toBe("unchanged");
  // Held up for so long it may have been deposed: its timers have not fired yet, and its clock knows.
  lone.nowMs += 500;
  expect(ask(lone, ALL)).toBe("unready");
});

test("a configuration that is in force is written anew for who asks for that", () => {
  const lone = leading();
  const { length } = lone.log;
  expect(ask(lone, ALL, true)).toBeUndefined();
  expect(lone.log.length).toBe(length + 1);
  expect(lone.consensus.configurationIndex).toBe(length + 1);
  // It is not committed yet: nothing can be said of it.
  expect(ask(lone, ALL)).toBe("pending");
});
