import { describe, expect, test } from "vitest";
import type { ShardPlacement } from "../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import {
  countOf,
  NodeLists,
  ReplicaAnswers,
} from "../../../../src/strategies/leaderless/replica-answers.ts";

const nodes = (...names: string[]): NodeId[] => names as NodeId[];
const [a, b, c, d] = nodes("a", "b", "c", "d") as [NodeId, NodeId, NodeId, NodeId];

function answersOf(...replicas: NodeId[]): ReplicaAnswers {
  const placement: ShardPlacement = { epoch: 1 as Epoch, replicas, standIns: [] };
  return new ReplicaAnswers(placement);
}

test("a list of nodes is made once for the same replicas", () => {
  const lists = new NodeLists();
  const answers = answersOf(a, b, c);
  const again = new ReplicaAnswers(answers.placement);
  expect(lists.of(answers, 5)).toEqual([a, c]);
  expect(lists.of(again, 5)).toBe(lists.of(answers, 5));
  expect(lists.of(answersOf(c, d, a), 5)).toEqual([c, a]);
});

describe("the answers of a round", () => {
  test("count once per replica that was asked", () => {
    const answers = answersOf(a, b, c);
    answers.asked = answers.bitOf(a) | answers.bitOf(b);
    expect(answers.take(a, true)).toBe(1);
    expect(answers.take(a, true)).toBe(0);
    // Not asked, and no replica at all.
    expect(answers.take(c, true)).toBe(0);
    expect(answers.take(d, true)).toBe(0);
    expect(answers.complete).toBe(false);
    expect(answers.take(b, false)).toBe(2);
    expect(answers.complete).toBe(true);
    expect(answers.nodesOf(answers.answered)).toEqual([a, b]);
    expect(answers.nodesOf(answers.counted)).toEqual([a]);
  });

  test("a replica that is being rebuilt never counts, however often it answers", () => {
    const answers = answersOf(a);
    answers.asked = 1;
    answers.take(a, false);
    expect(answers.take(a, true)).toBe(0);
    expect(answers.counted).toBe(0);
  });

  test("a void answer stays answered and counts no more", () => {
    const answers = answersOf(a, b);
    answers.asked = 3;
    answers.take(a, true);
    expect(answers.void(a)).toBe(1);
    expect(answers.counted).toBe(0);
    expect(answers.take(a, true)).toBe(0);
    // Nothing to void.
    expect(answers.void(b)).toBe(0);
    expect(answers.void(d)).toBe(0);
    expect(answers.take(b, true)).toBe(2);
  });

  test("31 replicas fit a mask", () => {
    const many = nodes(...Array.from({ length: 31 }, (_, n) => `n${n}`));
    const answers = answersOf(...many);
    const all = answers.reachable(() => true);
    expect(countOf(all)).toBe(31);
    expect(answers.nodesOf(all)).toEqual(many);
    expect(countOf(answers.reachable((node) => node === "n30"))).toBe(1);
    expect(answers.nodesOf(answers.bitOf("n30" as NodeId))).toEqual(["n30"]);
  });
});
