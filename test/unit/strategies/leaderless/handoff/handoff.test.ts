import { expect, test } from "vitest";
import type { Effects, ReplicaContext, Sender } from "../../../../../src/core/contracts/machine.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { Handoff } from "../../../../../src/strategies/leaderless/handoff/handoff.ts";
import type { HandoffMessage } from "../../../../../src/strategies/leaderless/handoff/handoff-messages.ts";
import type { LeaderlessMessage } from "../../../../../src/strategies/leaderless/messages.ts";
import {
  type KeyedRecord,
  makeKeyedRecord,
} from "../../../../../src/strategies/leaderless/record.ts";
import { DEFAULT_REPAIR } from "../../../../../src/strategies/leaderless/repair-settings.ts";
import { PlainState } from "../../../../support/plain-state.ts";

/** The hints of node a's replica of a shard, whose timer goes off as often as it is armed. */
class HintingReplica {
  replicas = ["a", "b", "c"] as NodeId[];
  readonly sentTo: NodeId[] = [];
  readonly sent: {
    readonly to: NodeId;
    readonly requestId: number;
    readonly records: number;
  }[] = [];
  readonly #keys = new Map<number, readonly string[]>();
  readonly emitted: unknown[] = [];
  readonly #records = new PlainState();
  readonly #rows = new PlainState();
  readonly handoff: Handoff;
  #isArmed = false;
  readonly effects = {
    get: (key: Uint8Array) => this.#records.get(key),
    getSide: (key: Uint8Array) => this.#rows.get(key),
    putSide: (key: Uint8Array, value: Uint8Array) => this.#rows.put(key, value),
    delete: (key: Uint8Array) => this.#records.delete(key),
    deleteSide: (key: Uint8Array) => this.#rows.delete(key),
    rangeSide: (...span: Parameters<PlainState["range"]>) => this.#rows.range(...span).entries,
    setTimer: () => {
      this.#isArmed = true;
    },
    emit: (notice: unknown) => this.emitted.push(notice),
    send: (to: NodeId, _role: string, _shard: number, message: HandoffMessage) => {
      this.sentTo.push(to);
      this.sent.push({ to, requestId: message.requestId, records: message.records.length });
      const keys = message.records.map(({ key }) => Buffer.from(key).toString());
      this.#keys.set(message.requestId, keys);
    },
  } as unknown as Effects<LeaderlessMessage>;

  constructor() {
    this.handoff = this.started();
  }

  /** As another start of the node, upon the same rows; or another machine in the place of this one. */
  started(opening = 0): Handoff {
    const context = {
      opening,
      shardIndex: 0,
      self: { node: "a" },
      placement: () => ({ replicas: this.replicas }),
      isReachable: (node: NodeId) => node !== "c",
    } as unknown as ReplicaContext;
    const handoff = new Handoff(context, DEFAULT_REPAIR);
    handoff.open(this.effects);
    return handoff;
  }

  get held(): number {
    return this.#records.entries.length;
  }

  /** Its value is another one from now on. */
  change(text: string, value: string): void {
    this.#put(text, value);
  }

  note(text: string, targets: readonly string[]): void {
    this.handoff.note(this.#put(text).key, targets as NodeId[], 1_000, this.effects);
  }

  /** It is not one of the replicas. */
  standIn(text: string): void {
    const { key, record } = this.#put(text);
    this.handoff.noteCopy(key, record.length, 1_000, this.effects);
  }

  /** All that was sent is acknowledged. */
  acknowledge(handoff = this.handoff, nowMs = 0): void {
    for (const { to, requestId } of this.sent.splice(0)) {
      const from = { node: to, storeId: "s", incarnation: 1 } as unknown as Sender;
      handoff.onAck(from, { requestId }, nowMs, this.effects);
    }
  }

  /** Whatever is sent until then is acknowledged, but for the records of these keys. */
  runAgainst(refusing: readonly string[], fromMs: number, toMs: number): readonly string[] {
    const offered: string[] = [];
    for (let nowMs = fromMs; nowMs < toMs; nowMs += 100) {
      if (this.#isArmed) this.#fire(nowMs);
      for (const { to, requestId } of this.sent.splice(0)) {
        const keys = this.#keys.get(requestId) ?? [];
        offered.push(...keys);
        const refused = keys.flatMap((key, place) => (refusing.includes(key) ? place : []));
        const from = { node: to, storeId: "s", incarnation: 1 } as unknown as Sender;
        this.handoff.onAck(from, { requestId, refused }, nowMs, this.effects);
      }
    }
    return offered;
  }

  #fire(nowMs: number): void {
    this.#isArmed = false;
    this.handoff.onTimer("handoff", nowMs, 1_000, this.effects);
  }

  #put(text: string, value = "v"): KeyedRecord {
    const stamp = { time: 1, actorHigh: 1, actorLow: 1 };
    const keyed = makeKeyedRecord(Buffer.from(text), stamp, Buffer.from(value));
    this.#records.put(keyed.key, keyed.record);
    return keyed;
  }

  run(handoff = this.handoff, atMost = 100): void {
    for (let times = 0; this.#isArmed && times < atMost; times++) {
      this.#isArmed = false;
      handoff.onTimer("handoff", 100 * times, 1_000, this.effects);
    }
  }
}

test("a hint waits for a replica that cannot be reached", () => {
  const replica = new HintingReplica();
  replica.note("key", ["c"]);
  replica.run();
  expect(replica.sentTo).toEqual([]);
  expect(replica.handoff.held).toBe(1);
});

// Seeds 100104, 100749, 101112: it was held for ever, and with it the node's word that it holds copies
// for others.
test("hints for a node that holds the shard no more are forgotten, and the others go on", () => {
  const replica = new HintingReplica();
  replica.note("key", ["b", "c"]);
  replica.replicas = ["a", "b", "d"] as NodeId[];
  replica.handoff.review(replica.effects);
  replica.run();
  expect(replica.handoff.held).toBe(1);
  expect(replica.sentTo).toContain("b");
  expect(replica.handoff.describe()).toMatchObject({ dropped: 1, expired: 0 });
});

test("the next start forgets those whose target left while the node was down", () => {
  const replica = new HintingReplica();
  replica.note("key", ["c"]);
  replica.run();
  replica.replicas = ["a", "b"] as NodeId[];
  const next = replica.started();
  expect(next.held).toBe(1);
  replica.run(next);
  expect(next.held).toBe(0);
});

test("what one machine has sent, and another in its place is told has arrived, is no hint of that one's", () => {
  const replica = new HintingReplica();
  replica.note("before", ["b"]);
  replica.run(replica.handoff, 1);
  const late = replica.sent.splice(0);
  replica.note("after", ["b"]);
  const next = replica.started(2);
  replica.run(next, 1);
  const own = replica.sent.splice(0, 1, ...late);
  expect([late.length, own.length]).toEqual([1, 1]);
  replica.acknowledge(next);
  expect(next.held).toBe(2);
  replica.sent.push(...own);
  replica.acknowledge(next);
  expect(next.held).toBe(0);
});

test("a replica that has left keeps what its last hint was about, until its walk has given it to all", () => {
  const replica = new HintingReplica();
  replica.note("key", ["b"]);
  replica.replicas = ["b", "d", "e"] as NodeId[];
  replica.handoff.review(replica.effects);
  replica.run();
  replica.acknowledge();
  expect(new Set(replica.sentTo)).toEqual(new Set(["b"]));
  expect([replica.handoff.held, replica.held]).toEqual([0, 1]);
});

test("a copy that a node keeps for others goes when all have it, whoever was told to remember it", () => {
  const replica = new HintingReplica();
  replica.replicas = ["b", "d"] as NodeId[];
  replica.standIn("key");
  replica.note("key", ["b"]);
  replica.run();
  expect(new Set(replica.sentTo)).toEqual(new Set(["b", "d"]));
  replica.acknowledge();
  expect([replica.handoff.held, replica.held]).toEqual([0, 0]);
  expect(replica.handoff.describe()).toMatchObject({ copyBytes: 0 });
});

// An acknowledgement of any repetition but the last was nobody's.
test("an acknowledgement counts also after the batch was sent again", () => {
  const replica = new HintingReplica();
  replica.note("key", ["b"]);
  // For ten seconds: after 2, 3 more, and 4.5 more.
  replica.run();
  expect(replica.sent).toEqual(
    [1, 2, 3, 4].map((requestId) => ({ to: "b", requestId, records: 1 })),
  );
  replica.sent.splice(1);
  replica.acknowledge(replica.handoff, 9_900);
  expect(replica.handoff.held).toBe(0);
});

test("a batch is made anew where one of its records is another one by the time it is sent again", () => {
  const replica = new HintingReplica();
  replica.note("key", ["b"]);
  replica.note("other", ["b"]);
  replica.handoff.onTimer("handoff", 0, 1_000, replica.effects);
  replica.change("key", "w");
  replica.handoff.onTimer("handoff", 2_000, 1_000, replica.effects);
  expect(replica.sent).toEqual([
    { to: "b", requestId: 1, records: 2 },
    { to: "b", requestId: 2, records: 2 },
  ]);
});

// Everything behind it waited for as long as it was refused.
test("what a target refuses keeps nothing else waiting, stays, and is offered again less and less often", () => {
  const replica = new HintingReplica();
  for (const key of ["a", "b", "c"]) replica.note(key, ["b"]);
  expect(replica.runAgainst(["a"], 0, 9_000)).toEqual(["a", "b", "c"]);
  expect(replica.handoff.held).toBe(1);
  expect(replica.handoff.describe()).toMatchObject({ delivered: 2, refused: 1, dropped: 0 });
  expect(replica.emitted).toEqual([{ type: "hints-refused", shard: 0, peer: "b", records: 1 }]);
  expect(replica.runAgainst(["a"], 9_000, 200_000)).toEqual(["a", "a", "a", "a"]);
  expect(replica.emitted).toHaveLength(1);
  // What comes meanwhile does not wait, and what the target takes at last is gone.
  replica.note("0", ["b"]);
  expect(replica.runAgainst(["a"], 200_000, 201_000)).toEqual(["0"]);
  replica.note("a", ["b"]);
  expect(replica.runAgainst([], 201_000, 202_000)).toEqual(["a"]);
  expect(replica.handoff.held).toBe(0);
});

test("nor do many that it refuses, which take more rows than are read at once", () => {
  const replica = new HintingReplica();
  const keys = Array.from({ length: 500 }, (_, n) => `${n}`.padStart(40, "0"));
  for (const key of keys) replica.note(key, ["b"]);
  replica.note("last", ["b"]);
  expect(replica.runAgainst(keys, 0, 9_000)).toEqual([...keys, "last"]);
  expect(replica.handoff.held).toBe(500);
});

test("another store in the target's place is offered at once what the one before has refused", () => {
  const replica = new HintingReplica();
  replica.note("a", ["b"]);
  expect(replica.runAgainst(["a"], 0, 1_000)).toEqual(["a"]);
  const sender = { node: "b", storeId: "s2", incarnation: 1 } as unknown as Sender;
  replica.handoff.onIdentity(sender, replica.effects);
  expect(replica.runAgainst([], 1_000, 2_000)).toEqual(["a"]);
  expect(replica.handoff.held).toBe(0);
});
