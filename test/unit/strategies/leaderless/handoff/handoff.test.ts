import { expect, test } from "vitest";
import type { Effects, ReplicaContext } from "../../../../../src/core/contracts/machine.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { Handoff } from "../../../../../src/strategies/leaderless/handoff/handoff.ts";
import type { LeaderlessMessage } from "../../../../../src/strategies/leaderless/messages.ts";
import { makeKeyedRecord } from "../../../../../src/strategies/leaderless/record.ts";
import { DEFAULT_REPAIR } from "../../../../../src/strategies/leaderless/repair-settings.ts";
import { PlainState } from "../../../../support/plain-state.ts";

/** The hints of node a's replica of a shard, whose timer goes off as often as it is armed. */
class HintingReplica {
  replicas = ["a", "b", "c"] as NodeId[];
  readonly sentTo: NodeId[] = [];
  readonly #records = new PlainState();
  readonly #rows = new PlainState();
  readonly handoff: Handoff;
  #isArmed = false;
  readonly effects = {
    get: (key: Uint8Array) => this.#records.get(key),
    getSide: (key: Uint8Array) => this.#rows.get(key),
    putSide: (key: Uint8Array, value: Uint8Array) => this.#rows.put(key, value),
    deleteSide: (key: Uint8Array) => this.#rows.delete(key),
    rangeSide: (...span: Parameters<PlainState["range"]>) => this.#rows.range(...span).entries,
    setTimer: () => {
      this.#isArmed = true;
    },
    send: (to: NodeId) => this.sentTo.push(to),
  } as unknown as Effects<LeaderlessMessage>;

  constructor() {
    this.handoff = this.started();
  }

  /** As another start of the node, upon the same rows. */
  started(): Handoff {
    const context = {
      shardIndex: 0,
      self: { node: "a" },
      placement: () => ({ replicas: this.replicas }),
      isReachable: (node: NodeId) => node !== "c",
    } as unknown as ReplicaContext;
    const handoff = new Handoff(context, DEFAULT_REPAIR);
    handoff.open(this.effects);
    return handoff;
  }

  note(text: string, targets: readonly string[]): void {
    const stamp = { time: 1, actorHigh: 1, actorLow: 1 };
    const { key, record } = makeKeyedRecord(Buffer.from(text), stamp, Buffer.from("v"));
    this.#records.put(key, record);
    this.handoff.note(key, targets as NodeId[], 1_000, this.effects);
  }

  run(handoff = this.handoff): void {
    for (let times = 0; this.#isArmed && times < 100; times++) {
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
