import { expect, test } from "vitest";
import type { ShardMap } from "../../../../../src/core/contracts/machine.ts";
import {
  type Epoch,
  type Incarnation,
  NO_SEQUENCE,
  type NodeId,
  type StoreId,
} from "../../../../../src/core/model/ids.ts";
import type {
  LeaderlessMessage,
  RangeReply,
} from "../../../../../src/strategies/leaderless/messages.ts";
import { atEpoch } from "../../../../../src/strategies/leaderless/place/place-messages.ts";
import { LeaderlessReplica } from "../../../../../src/strategies/leaderless/replica.ts";
import { contextOf, OLD, SendingEffects } from "./place-world.ts";

const NONE = NO_SEQUENCE;
const SEQUENCES = { lastSequence: NONE, appliedSequence: NONE, durableSequence: NONE };

/** Node d, which is to be given the shard. */
class JoiningReplica {
  readonly effects = new SendingEffects();
  readonly #replica = new LeaderlessReplica(contextOf("d"));
  #nowMs = 0;

  constructor() {
    const state = { origin: "kept", ...SEQUENCES } as const;
    this.#replica.step({ type: "opened", state, nowMs: 0, wallMs: 1_000 }, this.effects);
  }

  /** It hears of a map; answers whom it asks for a stream, and by which ids. */
  hear(epoch: number, pending?: readonly string[]): readonly { to: NodeId; requestId: number }[] {
    const map = { epoch: epoch as Epoch, replicas: OLD, pending } as ShardMap;
    this.effects.sent.length = 0;
    this.take("a", { type: "place-map", requestId: 0, map });
    return this.effects.sent.flatMap(({ to, message }) => {
      const carried = message.type === "at-epoch" ? message.message : message;
      return carried.type === "range" ? [{ to, requestId: carried.requestId }] : [];
    });
  }

  /** The source has nothing more. */
  answer(from: string, requestId: number, epoch: number): void {
    const reply: RangeReply = {
      ...{ type: "range-reply", requestId, purpose: "move", serving: true },
      ...{ entries: [], more: false, floor: 0, reapable: 0 },
    };
    this.take(from, atEpoch({ epoch: epoch as Epoch }, reply));
  }

  take(node: string, message: LeaderlessMessage): void {
    const from = {
      node: node as NodeId,
      storeId: `s-${node}` as StoreId,
      incarnation: 1 as Incarnation,
    };
    this.#nowMs += 1;
    const at = { nowMs: this.#nowMs, wallMs: 1_000 + this.#nowMs };
    this.#replica.step({ type: "message", from, shardIndex: 0, message, ...at }, this.effects);
  }

  get isReady(): boolean {
    const { place } = this.#replica.describe() as { readonly place: { readonly ready: boolean } };
    return place.ready;
  }
}

test("a late answer to the stream of a change that was taken back is no answer to the next one's", () => {
  const replica = new JoiningReplica();
  const before = replica.hear(2, ["a", "b", "d"]);
  expect(before.map(({ to }) => to)).toEqual(OLD);
  replica.hear(3);
  const asked = replica.hear(4, ["a", "b", "d"]);
  expect(asked.map(({ to }) => to)).toEqual(OLD);
  for (const { to, requestId } of before) replica.answer(to, requestId, 2);
  expect(replica.isReady).toBe(false);
  for (const { to, requestId } of asked) replica.answer(to, requestId, 4);
  expect(replica.isReady).toBe(true);
});
