import { describe, expect, test } from "vitest";
import type { ShardMap } from "../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import { decodeValue, encodeValue } from "../../../../src/core/model/values.ts";
import { decodeRecord } from "../../../../src/strategies/dynamo/dotted-record.ts";
import type { PlantedDynamoBugs } from "../../../../src/strategies/dynamo/planted-bugs.ts";
import { DynamoReplica } from "../../../../src/strategies/dynamo/replica.ts";
import { keyRecord } from "../../../../src/strategies/leaderless/record.ts";
import { ReplicaRing } from "../../../support/replica-ring.ts";

const REAP_AFTER_MS = 4_000;
const SETTLED_MS = 3 * REAP_AFTER_MS;
const EQUAL_MS = 3_000;
const ALL = ["n1", "n2", "n3"] as const;
const KEY = Buffer.from("k");

let operations = 0;

function open(planted: (node: string) => PlantedDynamoBugs = () => ({})): ReplicaRing {
  return new ReplicaRing({
    repair: { intervalMs: 1_000, reapAfterMs: REAP_AFTER_MS },
    make: (context, node) => new DynamoReplica(context, planted(node)),
  });
}

/** A client's write without a context. */
function put(ring: ReplicaRing, id: string, value: string, epoch = 1): void {
  const message = {
    type: "mint",
    requestId: 1,
    operation: { time: ++operations, actorHigh: 5, actorLow: 5 },
    again: false,
    newestTime: 0,
    key: KEY,
    event: { type: "put", value: encodeValue(value), seen: undefined },
  } as const;
  ring.deliver(
    id,
    id,
    epoch === 1 ? message : { type: "at-epoch", epoch: epoch as Epoch, vote: undefined, message },
  );
}

function valuesAt(ring: ReplicaRing, id: string): readonly unknown[] {
  const bytes = ring.node(id).data.get("k");
  if (bytes === undefined) return [];
  return decodeRecord(bytes)
    .siblings.map(({ value }) => value && decodeValue(value))
    .sort();
}

function place(ring: ReplicaRing, map: object): void {
  for (const id of ALL) {
    ring.deliver(id, "n1", { type: "place-map", requestId: 0, map: map as ShardMap });
  }
}

const TWO = ["n1", "n2"] as NodeId[];

/** What was written is settled, and n3 has handed the shard over since. */
function left(): ReplicaRing {
  const ring = open();
  put(ring, "n1", "settled");
  ring.run(SETTLED_MS);
  place(ring, { epoch: 2, replicas: TWO });
  ring.run(EQUAL_MS);
  expect(ring.node("n3").data.size).toBe(0);
  put(ring, "n1", "beside", 2);
  ring.run(EQUAL_MS);
  expect(valuesAt(ring, "n2")).toEqual(["beside", "settled"]);
  return ring;
}

describe("a node that held the shard once, and knows a floor of that time", () => {
  test("takes all of a record that it is handed as it is given the shard again", () => {
    const ring = left();
    ring.loses = (_, message) => message.type === "at-epoch" && message.message.type === "range";
    place(ring, { epoch: 3, replicas: TWO, pending: ALL });
    const record = ring.node("n1").data.get("k") as Uint8Array;
    ring.deliver("n3", "n1", {
      type: "handoff",
      requestId: 7,
      records: [keyRecord(KEY, record)],
    });
    ring.loses = undefined;
    ring.run(EQUAL_MS);
    expect(valuesAt(ring, "n3")).toEqual(["beside", "settled"]);
    place(ring, { epoch: 4, replicas: ALL, leaving: TWO });
    place(ring, { epoch: 5, replicas: ALL });
    ring.run(SETTLED_MS);
    for (const id of ALL) expect(valuesAt(ring, id)).toEqual(["beside", "settled"]);
  });

  test("stands in with a copy of a record that has something from below it", () => {
    const ring = left();
    const record = ring.node("n1").data.get("k") as Uint8Array;
    ring.cut("n3");
    ring.deliver("n3", "n1", {
      type: "at-epoch",
      epoch: 2 as Epoch,
      vote: undefined,
      message: {
        type: "write",
        requestId: 9,
        kind: "write-back",
        proof: undefined,
        keyed: keyRecord(KEY, record),
      },
    });
    expect(ring.answers.at(-1)).toMatchObject({ from: "n3", message: { verdict: "stored" } });
    expect(valuesAt(ring, "n3")).toEqual(["beside", "settled"]);
  });
});

describe("a replica that others have settled something without", () => {
  /** n3 is away while n1 finds floors, as if n3 had promised and adopted, and its disk were older. */
  function away(write: (ring: ReplicaRing) => void): ReplicaRing {
    const ring = open((node) => (node === "n1" ? { settlesWithoutProof: true } : {}));
    write(ring);
    ring.run(EQUAL_MS);
    ring.cut("n3");
    ring.run(SETTLED_MS);
    put(ring, "n3", "mine");
    ring.heal();
    ring.run(2);
    expect(ring.node("n3").notices).toContainEqual(
      expect.objectContaining({ type: "beyond-horizon" }),
    );
    ring.run(SETTLED_MS);
    expect(ring.node("n3").machine.serving).toBe(true);
    return ring;
  }

  test("does not take for replaced what it has let go of beside something newer", () => {
    const ring = away((each) => put(each, "n1", "settled"));
    for (const id of ALL) expect(valuesAt(ring, id)).toEqual(["mine", "settled"]);
  });

  test("nor what it has written itself: that is worth more than what came later", () => {
    const ring = away((each) => put(each, "n3", "settled"));
    for (const id of ALL) expect(valuesAt(ring, id)).toContain("settled");
  });
});
