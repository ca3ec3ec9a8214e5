import { describe, expect, test } from "vitest";
import type { CrdtResolver } from "../../../../../src/core/contracts/resolver.ts";
import { decodeValue, encodeValue } from "../../../../../src/core/model/values.ts";
import { pnCounter } from "../../../../../src/resolvers/crdt/counters.ts";
import { flag } from "../../../../../src/resolvers/crdt/flag.ts";
import { mvRegister } from "../../../../../src/resolvers/crdt/mv-register.ts";
import { type OrMapState, orMap } from "../../../../../src/resolvers/crdt/or-map.ts";
import { orSet } from "../../../../../src/resolvers/crdt/or-set.ts";
import { decodeRecord } from "../../../../../src/strategies/dynamo/dotted-record.ts";
import type { PlantedDynamoBugs } from "../../../../../src/strategies/dynamo/planted-bugs.ts";
import { DynamoReplica } from "../../../../../src/strategies/dynamo/replica.ts";
import { ReplicaRing } from "../../../../support/replica-ring.ts";

const REAP_AFTER_MS = 4_000;
const SETTLED_MS = 3 * REAP_AFTER_MS;
const ALL = ["n1", "n2", "n3"] as const;
/** A thousand of every node: `npm run test:restarts`. */
const RESTARTS = Number(process.env.CAPSTAN_RESTARTS ?? 15);
const LONG_MS = 3_600_000;

interface Opened {
  readonly resolver: unknown;
  readonly planted?: PlantedDynamoBugs;
  readonly reapAfterMs?: number;
}

function open({ resolver, planted = {}, reapAfterMs = REAP_AFTER_MS }: Opened): ReplicaRing {
  return new ReplicaRing({
    repair: { intervalMs: 1_000, reapAfterMs },
    make: (context) =>
      new DynamoReplica({ ...context, settings: { ...context.settings, resolver } }, planted),
  });
}

let operations = 0;

/** A client's operation, that the node names; the others get it from there. */
function update(ring: ReplicaRing, id: string, operation: unknown): string | undefined {
  ring.deliver(id, id, {
    type: "mint",
    requestId: 1,
    operation: { time: ++operations, actorHigh: 5, actorLow: 5 },
    again: false,
    newestTime: 0,
    key: Buffer.from("k"),
    event: { type: "update", value: encodeValue(operation), seen: undefined },
  });
  const answer = ring.answers.findLast(({ message }) => message.type === "minted")?.message;
  ring.answers.length = 0;
  return answer?.type === "minted" ? answer.verdict : undefined;
}

function stateAt(ring: ReplicaRing, id: string): unknown {
  const bytes = ring.node(id).data.get("k");
  const [state] = bytes === undefined ? [] : decodeRecord(bytes).states;
  return state === undefined ? undefined : decodeValue(state);
}

function bytesAt(ring: ReplicaRing, id: string): number {
  return ring.node(id).data.get("k")?.length ?? 0;
}

/** Every node is started anew so many times, and does something after each start. */
function restartAll(ring: ReplicaRing, times: number, operation: (step: number) => unknown) {
  let most = 0;
  for (let i = 0; i < times; i++) {
    for (const [at, id] of ALL.entries()) {
      ring.restart(id);
      expect(update(ring, id, operation(3 * i + at))).toBe("minted");
      ring.run(REAP_AFTER_MS / 2);
    }
    for (const id of ALL) most = Math.max(most, bytesAt(ring, id));
  }
  return most;
}

type Case = readonly [
  resolver: CrdtResolver,
  operation: (step: number) => unknown,
  value: (steps: number) => unknown,
];

const items = ["a", "b", "c", "d"];
const CASES: readonly Case[] = [
  [
    pnCounter() as CrdtResolver,
    (step) => (step % 3 === 0 ? { decrement: 2 } : { increment: 3 }),
    (steps) => 3 * steps - 5 * Math.ceil(steps / 3),
  ],
  [
    orSet() as CrdtResolver,
    (step) => (step % 5 === 4 ? { remove: items[step % 4] } : { add: items[step % 4] }),
    (steps) => {
      const set = new Set<unknown>();
      for (let step = 0; step < steps; step++) {
        if (step % 5 === 4) set.delete(items[step % 4]);
        else set.add(items[step % 4]);
      }
      return [...set].sort();
    },
  ],
  [mvRegister() as CrdtResolver, (step) => ({ set: step }), (steps) => [steps - 1]],
  [
    flag() as CrdtResolver,
    (step) => (step % 2 === 0 ? { enable: true } : { disable: true }),
    (steps) => steps % 2 === 1,
  ],
];

describe("names of earlier starts", { timeout: LONG_MS }, () => {
  test.each(CASES.map((each) => [each[0].name, ...each] as const))(
    `leave the state of %s: after ${RESTARTS} restarts of every node it is as small as ever`,
    (_name, resolver, operation, value) => {
      const ring = open({ resolver });
      const first = restartAll(ring, 8, operation);
      const most = restartAll(ring, RESTARTS, (step) => operation(24 + step));
      expect(most).toBeLessThan(first * 1.25);
      ring.run(SETTLED_MS);
      const states = ALL.map((id) => stateAt(ring, id));
      for (const state of states) {
        expect(resolver.value(state)).toEqual(value(24 + 3 * RESTARTS));
        expect(encodeValue(state)).toEqual(encodeValue(states[0]));
      }
    },
  );

  test("stay where no floor is found", () => {
    const ring = open({ resolver: pnCounter(), reapAfterMs: Number.POSITIVE_INFINITY });
    restartAll(ring, 20, () => ({ increment: 1 }));
    ring.run(1_000);
    expect(stateAt(ring, "n1")).toHaveLength(60);
  });

  test("stay within the keys of a map, though not in what the map itself has seen", () => {
    const resolver = orMap(pnCounter());
    const ring = open({ resolver });
    const add = { update: { key: "a", operation: { increment: 1 } } };
    restartAll(ring, 20, () => add);
    ring.run(SETTLED_MS);
    update(ring, "n1", add);
    const { context, entries } = stateAt(ring, "n1") as OrMapState<readonly unknown[]>;
    expect(context.length).toBeLessThan(9);
    expect(entries[0]?.[1][0]?.[2]).toHaveLength(60);
    expect(resolver.value(stateAt(ring, "n1") as never)).toEqual({ a: 61 });
  });
});

describe("a node that runs for long", { timeout: LONG_MS }, () => {
  test("takes another name as often as deletions are reaped, and the old ones go", () => {
    const ring = open({ resolver: pnCounter() });
    let most = 0;
    for (let i = 0; i < 100; i++) {
      for (const id of ALL) update(ring, id, { increment: 1 });
      ring.run(REAP_AFTER_MS / 4);
      most = Math.max(most, (stateAt(ring, "n1") as readonly unknown[]).length);
    }
    expect(most).toBeLessThanOrEqual(1 + 4 * ALL.length);
    for (const id of ALL) {
      update(ring, id, { increment: 1 });
      ring.run(SETTLED_MS);
    }
    expect((stateAt(ring, "n1") as readonly unknown[]).length).toBeLessThanOrEqual(3);
    for (const id of ALL) expect(pnCounter().value(stateAt(ring, id) as never)).toBe(303);
  });

  test("takes fewer and fewer while a replica is away, and what that one counted counts", () => {
    const ring = open({ resolver: pnCounter() });
    for (const id of ALL) update(ring, id, { increment: 1 });
    ring.run(SETTLED_MS);
    ring.cut("n3");
    update(ring, "n3", { increment: 1_000 });
    for (let i = 0; i < 400; i++) {
      update(ring, "n1", { increment: 1 });
      ring.run(REAP_AFTER_MS / 4);
    }
    expect((stateAt(ring, "n1") as readonly unknown[]).length).toBeLessThan(24);
    ring.heal();
    ring.run(SETTLED_MS);
    for (const id of ALL) expect(pnCounter().value(stateAt(ring, id) as never)).toBe(1_403);
  });

  test("would lose what others counted, if names went without proof", () => {
    const planted = { actorsRetiredWithoutProof: true };
    const ring = open({ resolver: pnCounter(), planted });
    ring.run(SETTLED_MS);
    ring.cut("n3");
    update(ring, "n3", { increment: 1_000 });
    ring.run(2 * REAP_AFTER_MS);
    update(ring, "n1", { increment: 1 });
    ring.heal();
    ring.run(SETTLED_MS);
    for (const id of ALL) expect(pnCounter().value(stateAt(ring, id) as never)).toBe(1);
  });
});
