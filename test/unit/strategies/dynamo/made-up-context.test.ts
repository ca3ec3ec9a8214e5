import { expect, test } from "vitest";
import type { Effects, ReplicaContext, Sender } from "../../../../src/core/contracts/machine.ts";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import {
  type Epoch,
  type Incarnation,
  type LogSequence,
  NO_SEQUENCE,
  type NodeId,
  type StoreId,
} from "../../../../src/core/model/ids.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { CausalContext, type TimedDot } from "../../../../src/strategies/dynamo/causal-context.ts";
import {
  type DottedRecord,
  decodeRecord,
} from "../../../../src/strategies/dynamo/dotted-record.ts";
import type { DynamoMessage } from "../../../../src/strategies/dynamo/messages.ts";
import { DynamoReplica } from "../../../../src/strategies/dynamo/replica.ts";

const SELF: Sender = {
  node: "n1" as NodeId,
  storeId: "s" as StoreId,
  incarnation: 1 as Incarnation,
};

/** A replica in a map, which is durable at once; whatever else it does goes nowhere. */
class LoneReplica {
  readonly #data = new Map<string, Uint8Array>();
  readonly #replica: DynamoReplica;
  readonly #effects: Effects<DynamoMessage>;
  #drawn = 0;
  #operations = 0;

  constructor() {
    this.#effects = new Proxy({} as Effects<DynamoMessage>, {
      get: (_, name) => {
        if (name === "get") return (key: Uint8Array) => this.#data.get(textOf(key));
        if (name === "append") return () => 1 as LogSequence;
        if (name === "range") return () => ({ entries: [], more: false });
        if (name === "rangeSide") return () => [];
        if (name === "put") {
          return (key: Uint8Array, value: Uint8Array) => this.#data.set(textOf(key), value);
        }
        return () => undefined;
      },
    });
    const context: ReplicaContext = {
      self: SELF,
      keyspace: "k",
      keyspaceHash: 7,
      settings: {},
      clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: 1_000 }),
      nodes: [SELF.node],
      placement: () => ({ epoch: 1 as Epoch, replicas: [SELF.node], standIns: [] }),
      isReachable: () => true,
      randomUint32: () => ++this.#drawn,
      health: { diskState: () => "ok", syncAgeMs: () => 0, eventLoopLagMs: () => 0 },
      shardIndex: 0,
    };
    this.#replica = new DynamoReplica(context);
    const none = NO_SEQUENCE;
    const sequences = { lastSequence: none, appliedSequence: none, durableSequence: none };
    const state = { origin: "newborn", ...sequences } as const;
    this.#replica.step({ type: "opened", state, nowMs: 0, wallMs: 0 }, this.#effects);
  }

  put(key: string, value: string, seen?: CausalContext): DottedRecord {
    const message: DynamoMessage = {
      type: "mint",
      requestId: 1,
      operation: { time: ++this.#operations, actorHigh: 0, actorLow: 9 },
      again: false,
      newestTime: 0,
      key: Buffer.from(key),
      event: { type: "put", value: encodeValue(value), seen },
    };
    const event = {
      type: "message",
      from: SELF,
      shardIndex: 0,
      message,
      nowMs: 1,
      wallMs: 1,
    } as const;
    this.#replica.step(event, this.#effects);
    return decodeRecord(this.#data.get(key) as Uint8Array);
  }
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
const dotsOf = (record: DottedRecord) => record.siblings.map(({ dot, time }) => ({ ...dot, time }));
const lastOf = (dots: readonly TimedDot[]) => dots.at(-1) as TimedDot;

const isCovered = (context: CausalContext, dot: TimedDot) => context.covers(dot, dot.time);

/** Of a client who knows the actor, and claims to have seen what it has not written yet. */
function madeUp(actor: TimedDot["actor"]): CausalContext {
  return CausalContext.of([{ actor, counter: 2 ** 40, time: 1 }]);
}

test("a write with a made-up context is an event that no context covers", () => {
  const replica = new LoneReplica();
  const { actor } = lastOf(dotsOf(replica.put("a", "first")));
  const claimed = madeUp(actor);
  const written = replica.put("a", "claimed", claimed);
  expect(written.siblings).toHaveLength(1);
  expect(isCovered(claimed, lastOf(dotsOf(written)))).toBe(false);
});

test("writes after a made-up context are none that other copies take for replaced", () => {
  const replica = new LoneReplica();
  const { actor } = lastOf(dotsOf(replica.put("a", "first")));
  let before = replica.put("a", "claimed", madeUp(actor));
  for (const value of ["second", "third", "fourth"]) {
    const after = replica.put("a", value);
    const added = dotsOf(after).filter((dot) => !isCovered(before.context, dot));
    expect(added).toHaveLength(1);
    before = after;
  }
  expect(before.siblings).toHaveLength(4);
  // One more actor in all, however many writes follow.
  expect(before.context.entries).toHaveLength(2);
});

test("a context that was made up for one key takes no further actor into another", () => {
  const replica = new LoneReplica();
  const { actor } = lastOf(dotsOf(replica.put("a", "first")));
  for (let round = 0; round < 3; round++) {
    const spare = lastOf(dotsOf(replica.put("a", "claimed", madeUp(actor)))).actor;
    replica.put("a", "claimed again", madeUp(spare));
  }
  expect(replica.put("b", "elsewhere").context.entries.map((entry) => entry.actor)).toEqual([
    actor,
  ]);
});
