import { describe, expect, test } from "vitest";
import { decodeValue, encodeValue } from "../../../../src/core/model/values.ts";
import type { CausalContext } from "../../../../src/strategies/dynamo/causal-context.ts";
import {
  type DottedRecord,
  decodeRecord,
} from "../../../../src/strategies/dynamo/dotted-record.ts";
import type { MintedMessage } from "../../../../src/strategies/dynamo/messages.ts";
import type { PlantedDynamoBugs } from "../../../../src/strategies/dynamo/planted-bugs.ts";
import { DynamoReplica } from "../../../../src/strategies/dynamo/replica.ts";
import { ReplicaRing } from "../../../support/replica-ring.ts";

const REAP_AFTER_MS = 4_000;
const SETTLED_MS = 3 * REAP_AFTER_MS;
/** Until anti-entropy has brought everywhere what was written. */
const EQUAL_MS = 3_000;
const ALL = ["n1", "n2", "n3"] as const;
/** A thousand of every node: `npm run test:restarts`. */
const RESTARTS = Number(process.env.CAPSTAN_RESTARTS ?? 60);

function open(
  planted: PlantedDynamoBugs = {},
  reapAfterMs = REAP_AFTER_MS,
  intervalMs = 1_000,
): ReplicaRing {
  return new ReplicaRing({
    repair: { intervalMs, reapAfterMs },
    make: (context) => new DynamoReplica(context, planted),
  });
}

let operations = 0;

interface Write {
  readonly value?: string | undefined;
  readonly seen?: CausalContext | undefined;
}

/** A client's write that the node names; the others get it from there. */
function write(ring: ReplicaRing, id: string, { value, seen }: Write): MintedMessage {
  ring.deliver(id, id, {
    type: "mint",
    requestId: 1,
    operation: { time: ++operations, actorHigh: 5, actorLow: 5 },
    again: false,
    newestTime: seen?.entries.reduce((newest, { time }) => Math.max(newest, time), 0) ?? 0,
    key: Buffer.from("k"),
    event:
      value === undefined
        ? { type: "delete", value: undefined, seen }
        : { type: "put", value: encodeValue(value), seen },
  });
  const minted = ring.answers.map(({ message }) => message).findLast(isMinted) as MintedMessage;
  ring.answers.length = 0;
  return minted;
}

function isMinted({ type }: { readonly type: string }): boolean {
  return type === "minted";
}

function recordAt(ring: ReplicaRing, id: string): DottedRecord | undefined {
  const bytes = ring.node(id).data.get("k");
  return bytes === undefined ? undefined : decodeRecord(bytes);
}

function contextAt(ring: ReplicaRing, id: string): CausalContext | undefined {
  return recordAt(ring, id)?.context;
}

function valuesAt(ring: ReplicaRing, id: string): readonly unknown[] {
  const siblings = recordAt(ring, id)?.siblings ?? [];
  return siblings.map(({ value }) => value && decodeValue(value)).sort();
}

function floorMsAt(ring: ReplicaRing, id: string): number | undefined {
  const { settling } = ring.node(id).machine.describe() as {
    readonly settling: { readonly floorMs?: number };
  };
  return settling.floorMs;
}

/** Every node is started anew so many times, and writes upon what it holds after each start. */
function restartAll(ring: ReplicaRing, times: number): number {
  let most = 0;
  for (let i = 0; i < times; i++) {
    for (const id of ALL) {
      ring.restart(id);
      const minted = write(ring, id, { value: `${id} ${i}`, seen: contextAt(ring, id) });
      if (minted.verdict !== "minted") return Number.POSITIVE_INFINITY;
      ring.run(REAP_AFTER_MS / 2);
    }
    for (const id of ALL) most = Math.max(most, contextAt(ring, id)?.entries.length ?? 0);
  }
  return most;
}

describe("actors of earlier starts", () => {
  test(`leave the contexts: after ${RESTARTS} restarts of every node they are as small as ever`, () => {
    const ring = open();
    const first = restartAll(ring, 10);
    expect(restartAll(ring, RESTARTS)).toBeLessThanOrEqual(Math.max(first, 16));
    ring.run(SETTLED_MS);
    for (const id of ALL) expect(valuesAt(ring, id)).toEqual([`n3 ${RESTARTS - 1}`]);
  }, 600_000);

  test("stay where no floor is found, until the context is full", () => {
    expect(restartAll(open({}, Number.POSITIVE_INFINITY), 60)).toBe(Number.POSITIVE_INFINITY);
  });

  test("stay while a replica may know events that the others do not", () => {
    const ring = open();
    write(ring, "n1", { value: "first" });
    ring.run(2_000);
    ring.cut("n3");
    write(ring, "n3", { value: "apart" });
    ring.run(SETTLED_MS);
    ring.restart("n1");
    const { context } = decodeRecord(
      write(ring, "n1", { value: "second", seen: contextAt(ring, "n1") }).keyed
        ?.record as Uint8Array,
    );
    expect(context.base).toBe(0);
    ring.heal();
    ring.run(SETTLED_MS);
    for (const id of ALL) expect(valuesAt(ring, id)).toEqual(["apart", "second"]);
  });

  test("would take versions along that nobody has seen, if they went without proof", () => {
    const ring = open({ actorsRetiredWithoutProof: true });
    write(ring, "n1", { value: "first" });
    ring.run(2_000);
    ring.cut("n3");
    write(ring, "n3", { value: "apart" });
    ring.run(SETTLED_MS);
    ring.restart("n1");
    write(ring, "n1", { value: "second", seen: contextAt(ring, "n1") });
    ring.heal();
    ring.run(SETTLED_MS);
    for (const id of ALL) expect(valuesAt(ring, id)).not.toContain("apart");
  });
});

describe("a floor", () => {
  test("is not found over what was replaced later where a replica has heard of neither", () => {
    const ring = open({}, REAP_AFTER_MS, Number.POSITIVE_INFINITY);
    write(ring, "n1", { value: "seen" });
    const seen = contextAt(ring, "n1") as CausalContext;
    ring.run(REAP_AFTER_MS - 500);
    write(ring, "n1", { value: "later", seen });
    ring.run(2_500);
    for (const id of ALL) {
      const isKnown = contextAt(ring, id)?.includes(seen) === true;
      expect(isKnown || floorMsAt(ring, id) === undefined).toBe(true);
    }
    ring.run(SETTLED_MS);
    for (const id of ALL) {
      expect(valuesAt(ring, id)).toEqual(["later"]);
      expect(floorMsAt(ring, id)).toBeDefined();
    }
  });
});

describe("counters of reaping", () => {
  test("say how many tombstones and actors went, and how many floors were found", () => {
    const ring = open();
    write(ring, "n1", { value: "old" });
    write(ring, "n1", { seen: contextAt(ring, "n1") });
    ring.run(SETTLED_MS);
    const totals = ALL.map((id) => ring.node(id).counts);
    expect(totals.map((counts) => counts.get("tombstones_reaped"))).toEqual([1, 1, 1]);
    expect(totals[0]?.get("floors_found")).toBeGreaterThan(0);
    expect(totals[1]?.get("floors_found")).toBeUndefined();
    write(ring, "n1", { value: "again" });
    ring.run(EQUAL_MS);
    ring.restart("n2");
    ring.run(SETTLED_MS);
    write(ring, "n2", { value: "last", seen: contextAt(ring, "n2") });
    expect(totals[1]?.get("actors_retired")).toBe(1);
  });

  test("say how many rounds were not finished, and why", () => {
    const ring = open();
    ring.cut("n3");
    write(ring, "n1", { value: "unsettled" });
    ring.run(SETTLED_MS);
    const { counts } = ring.node("n1");
    expect(counts.get("floor_rounds_unfinished cannot be reached")).toBeGreaterThan(1);
    expect(counts.get("floors_found")).toBeUndefined();
  });
});

describe("a context that a client has held for long", () => {
  test("replaces exactly what it has seen, after its actors have gone from the key", () => {
    const ring = open();
    write(ring, "n1", { value: "seen" });
    ring.run(EQUAL_MS);
    const seen = contextAt(ring, "n1");
    write(ring, "n2", { value: "unseen" });
    for (const id of ALL) ring.restart(id);
    ring.run(SETTLED_MS);
    write(ring, "n3", { value: "later" });
    ring.run(EQUAL_MS);
    expect(contextAt(ring, "n1")?.entries).toHaveLength(1);
    write(ring, "n1", { value: "replacement", seen });
    ring.run(EQUAL_MS);
    for (const id of ALL) expect(valuesAt(ring, id)).toEqual(["later", "replacement", "unseen"]);
  });

  test("replaces what it has seen at a replica that names it otherwise", () => {
    const ring = open();
    write(ring, "n1", { value: "old" });
    ring.run(SETTLED_MS);
    write(ring, "n3", { value: "beside" });
    ring.run(EQUAL_MS);
    const seen = contextAt(ring, "n1");
    expect(seen?.base).toBeGreaterThan(0);
    write(ring, "n2", { value: "both", seen });
    ring.run(EQUAL_MS);
    for (const id of ALL) expect(valuesAt(ring, id)).toEqual(["both"]);
  });

  /** Of a key that was deleted, reaped and written anew by somebody else. */
  function heldOverReaping(planted: PlantedDynamoBugs): ReplicaRing {
    const ring = open(planted);
    write(ring, "n1", { value: "old" });
    const deleted = write(ring, "n1", { seen: contextAt(ring, "n1") }).keyed?.record as Uint8Array;
    ring.run(SETTLED_MS);
    for (const id of ALL) expect(recordAt(ring, id)).toBeUndefined();
    write(ring, "n1", { value: "anew" });
    ring.run(EQUAL_MS);
    write(ring, "n2", { value: "mine", seen: decodeRecord(deleted).context });
    return ring;
  }

  test("does not cover what was written after its key was reaped", () => {
    const ring = heldOverReaping({});
    expect(valuesAt(ring, "n2")).toEqual(["anew", "mine"]);
    ring.run(EQUAL_MS);
    for (const id of ALL) expect(valuesAt(ring, id)).toEqual(["anew", "mine"]);
  });

  test("would, if an actor used a counter again once the key is gone", () => {
    const ring = heldOverReaping({ counterReusedAfterReaping: true });
    expect(valuesAt(ring, "n2")).toEqual(["mine"]);
  });
});
