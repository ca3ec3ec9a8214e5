import { describe, expect, test } from "vitest";
import { hybridTimeOf } from "../../../../../src/core/model/stamp.ts";
import type { DynamoMessage } from "../../../../../src/strategies/dynamo/messages.ts";
import type { PlantedReplicaBugs } from "../../../../../src/strategies/leaderless/planted-bugs.ts";
import {
  compareRecords,
  isTombstone,
  type KeyedRecord,
  keyRecord,
  liveValueOf,
  makeKeyedRecord,
} from "../../../../../src/strategies/leaderless/record.ts";
import { LeaderlessReplica } from "../../../../../src/strategies/leaderless/replica.ts";
import { stampedSettling } from "../../../../../src/strategies/leaderless/settling/stamped-settling.ts";
import { ReplicaRing } from "../../../../support/replica-ring.ts";

const REAP_AFTER_MS = 4_000;
const REPAIR = { intervalMs: 1_000, reapAfterMs: REAP_AFTER_MS };
/** Until what was written is older than that, and rounds have come. */
const REAPED_MS = 3 * REAP_AFTER_MS;

type Planted = (node: string) => PlantedReplicaBugs;

function open(planted: Planted = () => ({}), intervalMs = REPAIR.intervalMs): ReplicaRing {
  return new ReplicaRing({
    repair: { ...REPAIR, intervalMs },
    make: (context, node) =>
      new LeaderlessReplica(context, planted(node)) as unknown as ReturnType<
        ConstructorParameters<typeof ReplicaRing>[0]["make"]
      >,
  });
}

let actors = 0;

/** As of a client's write at this moment, or so long ago. `value` undefined: a deletion. */
function version(ring: ReplicaRing, key: string, value?: string, agoMs = 0): KeyedRecord {
  const stamp = { time: hybridTimeOf(ring.wallMs - agoMs), actorHigh: 9, actorLow: ++actors };
  const bytes = value === undefined ? undefined : Buffer.from(value);
  return makeKeyedRecord(Buffer.from(key), stamp, bytes);
}

function write(ring: ReplicaRing, keyed: KeyedRecord, nodes: readonly string[]): void {
  for (const node of nodes) ring.deliver(node, node, firstHand(keyed));
}

function firstHand(keyed: KeyedRecord): DynamoMessage {
  return { type: "write", requestId: 1, kind: "first-hand", proof: undefined, keyed };
}

/** The value that the node holds; undefined: nothing is there, or a tombstone. */
function heldAt(ring: ReplicaRing, id: string, key: string): string | undefined {
  const record = ring.node(id).data.get(key);
  const value = record === undefined ? undefined : liveValueOf(record);
  return value === undefined ? undefined : Buffer.from(value).toString();
}

function tombstonesAt(ring: ReplicaRing, id: string): number {
  return [...ring.node(id).data.values()].filter(isTombstone).length;
}

const ALL = ["n1", "n2", "n3"];

/** A key that was written everywhere, deleted everywhere, and reaped. */
function reaped(planted?: Planted): { readonly ring: ReplicaRing; readonly old: KeyedRecord } {
  const ring = open(planted);
  const old = version(ring, "gone", "old");
  write(ring, old, ALL);
  ring.run(10);
  write(ring, version(ring, "gone"), ALL);
  ring.run(REAPED_MS);
  for (const id of ALL) expect(ring.node(id).data.has("gone")).toBe(false);
  return { ring, old };
}

test("no floor is found over a version that was replaced later where a replica has neither", () => {
  const ring = open(undefined, Number.POSITIVE_INFINITY);
  write(ring, version(ring, "k", "first"), ["n1"]);
  ring.run(REAP_AFTER_MS - 500);
  write(ring, version(ring, "k", "second"), ["n1"]);
  ring.run(2_500);
  const floorMsAt = (id: string): number | undefined => {
    const { settling } = ring.node(id).machine.describe() as {
      readonly settling: { readonly floorMs?: number };
    };
    return settling.floorMs;
  };
  for (const id of ALL) {
    expect(heldAt(ring, id, "k") === "second" || floorMsAt(id) === undefined).toBe(true);
  }
});

describe("a tombstone that was reaped", () => {
  const handedOver = (old: KeyedRecord): DynamoMessage => ({
    type: "handoff",
    requestId: 7,
    records: [old],
  });

  test("is not missed by a hint that comes late, and the hint is over", () => {
    const { ring, old } = reaped();
    ring.deliver("n2", "n3", handedOver(old));
    ring.run(REAPED_MS);
    for (const id of ALL) expect(heldAt(ring, id, "gone")).toBeUndefined();
  });

  test("would be, if hints went past the floor", () => {
    const { ring, old } = reaped(() => ({ floorIgnoredByHandoff: true }));
    ring.deliver("n2", "n3", handedOver(old));
    expect(heldAt(ring, "n2", "gone")).toBe("old");
  });

  test("is not missed by a replica that sees an old copy in anti-entropy: the copy goes", () => {
    const { ring, old } = reaped();
    ring.node("n3").data.set("gone", old.record);
    ring.restart("n3");
    ring.run(REAPED_MS);
    for (const id of ALL) expect(heldAt(ring, id, "gone")).toBeUndefined();
  });

  test("would be, if anti-entropy went past the floor", () => {
    const { ring, old } = reaped(() => ({ floorIgnoredByAntiEntropy: true }));
    ring.node("n3").data.set("gone", old.record);
    ring.restart("n3");
    ring.run(REAPED_MS);
    expect(ALL.map((id) => heldAt(ring, id, "gone"))).toContain("old");
  });

  test("is not missed by a client's write that was made before: it has met something newer", () => {
    const { ring, old } = reaped();
    ring.deliver("n1", "n1", firstHand(old));
    expect(heldAt(ring, "n1", "gone")).toBeUndefined();
    expect(ring.answers.at(-1)).toMatchObject({ message: { verdict: "newer" } });
  });

  test("would be, if a replica did not keep what it has promised", () => {
    const { ring, old } = reaped(() => ({ fenceIgnored: true }));
    ring.deliver("n1", "n1", firstHand(old));
    expect(heldAt(ring, "n1", "gone")).toBe("old");
  });

  test("is not missed by repair, nor by a write-back", () => {
    const { ring, old } = reaped();
    for (const kind of ["repair", "write-back"] as const) {
      const before = ring.answers.length;
      ring.deliver("n1", "n2", { type: "write", requestId: 3, kind, proof: undefined, keyed: old });
      expect(heldAt(ring, "n1", "gone")).toBeUndefined();
      expect(ring.answers).toHaveLength(before);
    }
  });

  test("is told to whoever reads the key: it is gone, and not unheard of", () => {
    const { ring, old } = reaped();
    const read = { type: "read", requestId: 4, stampOnly: false, key: old.key } as const;
    ring.deliver("n2", "n1", read as DynamoMessage);
    const { message } = ring.answers.at(-1) as {
      readonly message: { readonly record: Uint8Array };
    };
    expect(isTombstone(message.record)).toBe(true);
    expect(compareRecords(message.record, old.record)).toBeGreaterThan(0);
  });

  test("makes room for a new version of its key", () => {
    const { ring } = reaped();
    write(ring, version(ring, "gone", "new"), ["n1"]);
    ring.run(5_000);
    for (const id of ALL) expect(heldAt(ring, id, "gone")).toBe("new");
  });
});

describe("a deletion that has been settled", () => {
  const REPAIR_OF = { type: "write", requestId: 3, proof: undefined } as const;

  /** What n2 answers a reader of the key with. */
  function floorAt(ring: ReplicaRing, key: Uint8Array): KeyedRecord {
    const read = { type: "read", requestId: 4, stampOnly: false, key } as const;
    ring.deliver("n2", "n1", read as DynamoMessage);
    const { message } = ring.answers.at(-1) as {
      readonly message: { readonly record: Uint8Array };
    };
    return keyRecord(key, message.record);
  }

  test("is not stored again where a read writes it back: the floor holds it", () => {
    const { ring, old } = reaped();
    const keyed = floorAt(ring, old.key);
    ring.deliver("n1", "n2", { ...REPAIR_OF, kind: "write-back", keyed });
    expect(ring.answers.at(-1)).toMatchObject({ message: { verdict: "equal", serving: true } });
    const before = ring.answers.length;
    ring.deliver("n1", "n2", { ...REPAIR_OF, kind: "repair", keyed });
    expect(ring.answers).toHaveLength(before);
    expect(ring.node("n1").data.has("gone")).toBe(false);
  });

  test("goes where it comes in behind the walk, in a shard that is not written any more", () => {
    const { ring, old } = reaped();
    const keyed = floorAt(ring, old.key);
    ring.node("n3").data.set("gone", old.record);
    ring.deliver("n3", "n2", { ...REPAIR_OF, kind: "write-back", keyed });
    expect(tombstonesAt(ring, "n3")).toBe(1);
    ring.run(50);
    expect(tombstonesAt(ring, "n3")).toBe(0);
  });

  test("goes where the log brings it back", () => {
    const { ring, old } = reaped();
    const deletion = keyRecord(old.key, stampedSettling.buried(old.record));
    ring.step("n3", { type: "replay", records: [{ payload: deletion.payload }] });
    expect(tombstonesAt(ring, "n3")).toBe(1);
    ring.run(50);
    expect(tombstonesAt(ring, "n3")).toBe(0);
  });

  // The floor is written with an earlier commit of the state than what a walk takes out for it.
  test("goes where a power cut brings it back", () => {
    const { ring, old } = reaped();
    const deletion = keyRecord(old.key, stampedSettling.buried(old.record));
    ring.node("n3").data.set("gone", deletion.record);
    ring.restart("n3");
    expect(tombstonesAt(ring, "n3")).toBe(1);
    ring.run(50);
    expect(tombstonesAt(ring, "n3")).toBe(0);
  });

  test("goes where it comes in while the walk that it is behind goes on", () => {
    const { ring, old } = reaped();
    for (let i = 0; i < 1_000; i++) write(ring, version(ring, `z${i}`, "v"), ["n3"]);
    const again = (key: string) => {
      const keyed = version(ring, key, undefined, REAPED_MS);
      ring.step("n3", { type: "replay", records: [{ payload: keyed.payload }] });
    };
    again(`${old.key}`);
    ring.run(5);
    again("a");
    expect(tombstonesAt(ring, "n3")).toBeGreaterThan(0);
    ring.run(50);
    expect(tombstonesAt(ring, "n3")).toBe(0);
  });

  test("goes at a replica that was not told that it may: anti-entropy finds it there", () => {
    const ring = open();
    ring.loses = (to, message) =>
      to === "n3" && message.type === "settle" && message.step === "reap" && ring.nowMs < 20_000;
    write(ring, version(ring, "gone"), ALL);
    ring.run(REAPED_MS);
    expect(ALL.map((id) => tombstonesAt(ring, id))).toEqual([0, 0, 1]);
    ring.run(20_000);
    expect(ALL.map((id) => tombstonesAt(ring, id))).toEqual([0, 0, 0]);
  });
});

describe("without proof nothing goes", () => {
  test("a version that one replica alone has taken stays, however old the floor is", () => {
    const ring = open();
    ring.cut("n3");
    write(ring, version(ring, "alone", "here"), ["n3"]);
    write(ring, version(ring, "gone"), ["n1", "n2"]);
    ring.run(REAPED_MS);
    for (const id of ["n1", "n2"]) expect(tombstonesAt(ring, id)).toBe(1);
    ring.heal();
    ring.run(REAPED_MS);
    for (const id of ALL) expect(heldAt(ring, id, "alone")).toBe("here");
    for (const id of ALL) expect(tombstonesAt(ring, id)).toBe(0);
  });

  test("it would be lost, if the floor were taken for settled without asking", () => {
    const ring = open(() => ({ settlesWithoutProof: true }));
    ring.cut("n3");
    write(ring, version(ring, "alone", "here"), ["n3"]);
    write(ring, version(ring, "gone"), ["n1", "n2"]);
    ring.run(REAPED_MS);
    expect(tombstonesAt(ring, "n1")).toBe(0);
    ring.heal();
    ring.run(REAPED_MS);
    expect(ALL.map((id) => heldAt(ring, id, "alone"))).not.toContain("here");
  });

  test("what the floor's rounds find to differ is mended first", () => {
    const ring = open();
    write(ring, version(ring, "gone", "old"), ALL);
    ring.run(10);
    write(ring, version(ring, "gone"), ["n2"]);
    ring.run(REAPED_MS);
    for (const id of ALL) expect(ring.node(id).data.has("gone")).toBe(false);
  });

  test("a large shard is walked in steps, also where one replica holds far more of a span", () => {
    const ring = open();
    for (let i = 0; i < 1_500; i++) {
      const keyed = version(
        ring,
        `key-${String(i).padStart(5, "0")}`,
        i % 3 === 0 ? undefined : "v",
      );
      write(ring, keyed, i < 900 ? ["n2"] : ALL);
    }
    ring.run(10 * REAP_AFTER_MS);
    for (const id of ALL) {
      expect(tombstonesAt(ring, id)).toBe(0);
      expect(ring.node(id).data.size).toBe(1_000);
    }
  });
});

describe("a replica that was away while the others reaped", () => {
  /** n3 misses a deletion that the others reap: as if a map without it had been there meanwhile. */
  function away(planted: Planted = () => ({})): ReplicaRing {
    const ring = open((node) => ({
      ...planted(node),
      ...(node === "n1" && { settlesWithoutProof: true }),
    }));
    write(ring, version(ring, "gone", "old"), ALL);
    write(ring, version(ring, "stays", "here"), ALL);
    ring.run(10);
    ring.cut("n3");
    write(ring, version(ring, "gone"), ["n1", "n2"]);
    ring.run(REAPED_MS);
    ring.heal();
    return ring;
  }

  test("is rebuilt, not merged: what was deleted stays deleted", () => {
    const ring = away();
    ring.run(2);
    expect(ring.node("n3").machine.serving).toBe(false);
    expect(ring.node("n3").notices).toContainEqual({
      type: "beyond-horizon",
      shard: 0,
      peer: "n1",
    });
    ring.run(REAPED_MS);
    expect(ring.node("n3").machine.serving).toBe(true);
    for (const id of ALL) expect(heldAt(ring, id, "gone")).toBeUndefined();
    for (const id of ALL) expect(heldAt(ring, id, "stays")).toBe("here");
  });

  test("is rebuilt after a restart in the middle of it, too", () => {
    const ring = away();
    ring.run(1);
    ring.restart("n3");
    expect(ring.node("n3").machine.serving).toBe(false);
    ring.run(REAPED_MS);
    expect(ring.node("n3").machine.serving).toBe(true);
    expect(heldAt(ring, "n3", "gone")).toBeUndefined();
    expect(heldAt(ring, "n3", "stays")).toBe("here");
  });

  test("takes out what a source had not taken out yet that it has learned from", () => {
    const ring = away();
    ring.run(2);
    const deletion = version(ring, "late", undefined, REAPED_MS - 1);
    for (const id of ["n1", "n2"]) ring.node(id).data.set("late", deletion.record);
    ring.run(REAP_AFTER_MS);
    expect(ring.node("n3").machine.serving).toBe(true);
    expect(ring.node("n3").data.has("late")).toBe(false);
  });

  test("keeps what it has taken above the floor", () => {
    const ring = away();
    write(ring, version(ring, "new", "mine"), ["n3"]);
    ring.run(REAPED_MS);
    for (const id of ALL) expect(heldAt(ring, id, "new")).toBe("mine");
  });

  test("would go on answering with what was deleted, if it merged", () => {
    const ring = away((node) => ({ oldReplicaMerges: node === "n3" }));
    ring.run(2);
    expect(ring.node("n3").machine.serving).toBe(true);
    expect(heldAt(ring, "n3", "gone")).toBe("old");
  });
});
