import { expect, test } from "vitest";
import type { Sender } from "../../../../src/core/contracts/machine.ts";
import type { Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import { SeededRandom } from "../../../../src/simulation/seeded-random.ts";
import { Proposals, type Waiter } from "../../../../src/strategies/raft/proposals.ts";

function sender(node: string, incarnation = 1, storeId = "s"): Sender {
  return {
    node: node as NodeId,
    storeId: storeId as StoreId,
    incarnation: incarnation as Incarnation,
  };
}

function filled(...waiters: readonly (readonly [index: number, requestId: number])[]): Proposals {
  const proposals = new Proposals();
  for (const [index, requestId] of waiters) {
    proposals.add({ index, term: 3, from: sender("a"), requestId });
  }
  return proposals;
}

test("what is there is there for its asker's process alone, in its term, and until it is answered", () => {
  const proposals = filled([5, 70], [6, 71]);
  expect(proposals.has(sender("a"), 70, 3)).toBe(true);
  expect(proposals.has(sender("a"), 71, 3)).toBe(true);
  expect(proposals.has(sender("a"), 72, 3)).toBe(false);
  expect(proposals.has(sender("b"), 70, 3)).toBe(false);
  expect(proposals.has(sender("a", 2), 70, 3)).toBe(false);
  expect(proposals.has(sender("a", 1, "another store"), 70, 3)).toBe(false);
  expect(proposals.has(sender("a"), 70, 4)).toBe(false);
  proposals.take(5);
  expect(proposals.has(sender("a"), 70, 3)).toBe(false);
  expect(proposals.has(sender("a"), 71, 3)).toBe(true);
  proposals.takeAll();
  expect(proposals.has(sender("a"), 71, 3)).toBe(false);
});

test("there is an index from when somebody asks until all are answered who waited then", () => {
  const proposals = filled([5, 70], [6, 71]);
  expect(proposals.isIndexed).toBe(false);
  proposals.has(sender("a"), 70, 3);
  proposals.add({ index: 7, term: 3, from: sender("a"), requestId: 72 });
  proposals.take(5);
  expect(proposals.isIndexed).toBe(true);
  expect(proposals.has(sender("a"), 72, 3)).toBe(true);
  proposals.take(6);
  expect(proposals.isIndexed).toBe(true);
  proposals.take(7);
  expect(proposals.isIndexed).toBe(false);
  proposals.has(sender("a"), 70, 3);
  expect(proposals.isIndexed).toBe(false);
});

test("whoever is looked for is found as by looking at all, over many histories", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new SeededRandom(seed);
    const below = (limit: number) => Math.floor(random.fraction() * limit);
    const proposals = new Proposals();
    let all: Waiter[] = [];
    let index = 0;
    let nextId = 0;
    for (let step = 0; step < 300; step++) {
      const kind = below(10);
      if (kind < 5) {
        index += 1 + below(2);
        const waiter = {
          index,
          term: 3,
          from: sender("ab"[below(2)] as string),
          requestId: nextId++,
        };
        proposals.add(waiter);
        all.push(waiter);
      } else if (kind < 8 && all.length > 0) {
        const upTo = (all[below(Math.min(3, all.length))] as Waiter).index;
        expect(proposals.take(upTo)?.index, `seed ${seed}`).toBe(upTo);
        all = all.filter((waiter) => waiter.index > upTo);
      } else {
        const [node, id] = ["ab"[below(2)] as string, nextId - 1 - below(8)];
        const isThere = all.some(({ from, requestId }) => from.node === node && requestId === id);
        expect(proposals.has(sender(node), id, 3), `seed ${seed}`).toBe(isThere);
      }
    }
    expect(proposals.size).toBe(all.length);
  }
});
