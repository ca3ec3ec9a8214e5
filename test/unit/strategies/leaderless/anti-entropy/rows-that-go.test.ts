import { expect, test } from "vitest";
import {
  type Epoch,
  type Incarnation,
  NO_SEQUENCE,
  type NodeId,
  type StoreId,
} from "../../../../../src/core/model/ids.ts";
import { Summary } from "../../../../../src/strategies/leaderless/anti-entropy/fingerprint.ts";
import type { LeaderlessMessage } from "../../../../../src/strategies/leaderless/messages.ts";
import { makeKeyedRecord } from "../../../../../src/strategies/leaderless/record.ts";
import { LeaderlessReplica } from "../../../../../src/strategies/leaderless/replica.ts";
import { contextOf } from "../place/place-world.ts";
import { SidedEffects } from "../sided-effects.ts";

const NONE = NO_SEQUENCE;
const KEPT = {
  origin: "kept",
  lastSequence: NONE,
  appliedSequence: NONE,
  durableSequence: NONE,
} as const;
const STAMP = { time: 1, actorHigh: 1, actorLow: 1 };
const KEYED = makeKeyedRecord(Buffer.from("key"), STAMP, Buffer.from("v"));
const LATER = makeKeyedRecord(Buffer.from("key"), { ...STAMP, time: 2 }, Buffer.from("w"));
const MOVED = { epoch: 2 as Epoch, replicas: ["b", "c", "d"] as NodeId[] };

/** Node a's replica, which holds one record and has summed it up. */
class SummedReplica {
  readonly effects = new SidedEffects();
  readonly #replica = new LeaderlessReplica(contextOf("a"));
  #nowMs = 0;

  constructor() {
    this.effects.keep("complete", new Uint8Array([1]));
    this.#replica.step({ type: "opened", state: KEPT, nowMs: 0, wallMs: 1_000 }, this.effects);
    this.take("b", {
      type: "write",
      requestId: 1,
      kind: "first-hand",
      proof: undefined,
      keyed: KEYED,
    });
    this.fire("reconcile-round");
    this.fire("reconcile-work");
  }

  get fingerprint(): string | undefined {
    const { antiEntropy } = this.#replica.describe() as {
      readonly antiEntropy: { readonly fingerprint?: string };
    };
    return antiEntropy.fingerprint;
  }

  /** What the rows come to that are there. */
  get sumOfRows(): string {
    const sum = new Summary();
    for (const { key, value } of this.effects.rows().entries) sum.addEntry(key, value);
    return sum.describe();
  }

  take(node: string, message: LeaderlessMessage): void {
    const from = {
      node: node as NodeId,
      storeId: `s-${node}` as StoreId,
      incarnation: 1 as Incarnation,
    };
    const at = { nowMs: this.#nowMs, wallMs: 1_000 + this.#nowMs };
    this.#replica.step({ type: "message", from, shardIndex: 0, message, ...at }, this.effects);
  }

  fire(timer: string): void {
    this.#nowMs += 1_000;
    const at = { nowMs: this.#nowMs, wallMs: 1_000 + this.#nowMs };
    this.#replica.step({ type: "timer", timer, ...at }, this.effects);
  }

  /** Whoever was sent records has them. */
  acknowledge(): void {
    for (const { to, message } of this.effects.sent.splice(0)) {
      if (message.type !== "handoff") continue;
      this.take(to, { type: "handoff-ack", requestId: message.requestId });
    }
  }
}

test("a replica's fingerprint is the sum of its rows", () => {
  const replica = new SummedReplica();
  expect(replica.effects.rows().entries).toHaveLength(1);
  expect(replica.fingerprint).toBe(replica.sumOfRows);
});

// Seed 402326: by a hint, and the sum of what had gone stayed with the node's next place there.
test.each([
  ["by the walk over all of it", "place-leave", []],
  ["by hints, as it came when it had left,", "handoff", [LATER]],
])("a record that a former replica hands over %s is out of its fingerprint", (_, timer, came) => {
  const replica = new SummedReplica();
  replica.take("b", { type: "place-map", requestId: 0, map: MOVED });
  if (came.length > 0) replica.take("c", { type: "handoff", requestId: 1, records: came });
  for (const _target of MOVED.replicas) {
    replica.fire(timer);
    replica.acknowledge();
  }
  expect(replica.effects.rows().entries).toEqual([]);
  expect(replica.fingerprint ?? replica.sumOfRows).toBe(replica.sumOfRows);
});
