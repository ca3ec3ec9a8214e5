import { expect, test } from "vitest";
import type { NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import {
  bornConfiguration,
  type Configuration,
  describeConfiguration,
  isMember,
  isQuorum,
  type Member,
  nodesOf,
  reachedByQuorum,
} from "../../../../src/strategies/raft/configuration.ts";
import { ConfigurationHistory } from "../../../../src/strategies/raft/configuration-history.ts";
import { SeededRandom } from "../../../support/seeded-random.ts";

function members(...names: readonly string[]): readonly Member[] {
  return names.map((node) => ({ node: node as NodeId, storeId: "" as StoreId }));
}

function joint(voters: readonly Member[], outgoing: readonly Member[]): Configuration {
  return { voters, outgoing, learners: [], goal: undefined };
}

test("what a quorum has reached is the greatest number that a quorum has reached", () => {
  const random = new SeededRandom(1, "quorum");
  const pick = (below: number): number => Math.floor(random.fraction() * below);
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  for (let i = 0; i < 500; i++) {
    const some = () => members(...names.filter((name) => name === "a" || pick(2) === 0));
    const configuration = joint(some(), pick(2) === 0 ? [] : some());
    const reached = new Map(names.map((name) => [name, pick(10)]));
    const of = (member: Member): number => reached.get(member.node) as number;
    const dumb = [...Array(10).keys()].filter((n) => isQuorum(configuration, (m) => of(m) >= n));
    expect(reachedByQuorum(configuration, of)).toBe(dumb.at(-1));
  }
});

test("in a joint configuration both sets decide", () => {
  const configuration = joint(members("c", "d", "e"), members("a", "b", "c"));
  const has = (...names: string[]) => isQuorum(configuration, ({ node }) => names.includes(node));
  expect(has("c", "d", "e")).toBe(false);
  expect(has("a", "b", "c")).toBe(false);
  expect(has("a", "c", "d")).toBe(true);
  expect(nodesOf(configuration)).toEqual(["a", "b", "c", "d", "e"]);
});

test("a member is a node with its store: the one of the birth, or one that is named", () => {
  const [born] = members("a");
  const named = { node: "a" as NodeId, storeId: "s2" as StoreId };
  const answering = (storeId: string, original: boolean) => ({
    ...{ node: "a" as NodeId, storeId: storeId as StoreId, original },
  });
  expect(isMember(born as Member, answering("s1", true))).toBe(true);
  expect(isMember(born as Member, answering("s2", false))).toBe(false);
  expect(isMember(named, answering("s2", false))).toBe(true);
  expect(isMember(named, answering("s3", false))).toBe(false);
});

test("a configuration is in force from where it stands, and goes with its entry", () => {
  const history = new ConfigurationHistory();
  const [one, two, three] = ["a", "b", "c"].map((name) => bornConfiguration([name as NodeId]));
  history.reset(0, one as Configuration);
  history.append(5, two as Configuration);
  history.append(8, three as Configuration);
  expect(describeConfiguration(history.current)).toBe("c");
  expect(describeConfiguration(history.at(7).configuration)).toBe("b");
  expect(history.since(6).map(describeConfiguration)).toEqual(["b", "c"]);
  expect(history.truncate(7)).toBe(true);
  expect(history.truncate(6)).toBe(false);
  expect([history.index, describeConfiguration(history.current)]).toEqual([5, "b"]);
  history.forgetBefore(6);
  expect(describeConfiguration(history.at(0).configuration)).toBe("b");
});
