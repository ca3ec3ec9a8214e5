import { expect, test } from "vitest";
import type { Sender } from "../../../../../src/core/contracts/machine.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import type { HandoffMessage } from "../../../../../src/strategies/leaderless/handoff/handoff-messages.ts";
import { Leaving } from "../../../../../src/strategies/leaderless/place/leaving.ts";
import { makeKeyedRecord } from "../../../../../src/strategies/leaderless/record.ts";
import { DEFAULT_REPAIR } from "../../../../../src/strategies/leaderless/repair-settings.ts";
import { contextOf, OLD, SendingEffects } from "./place-world.ts";

interface Sent {
  readonly to: string;
  readonly requestId: number;
  readonly keys: readonly string[];
}

/** Node d, which holds the shard no more. */
class LeavingNode {
  readonly left: string[] = [];
  readonly notices: unknown[] = [];
  readonly unreachable = new Set<string>();
  nowMs = 0;
  #dueAtMs = Number.POSITIVE_INFINITY;
  readonly #effects = new SendingEffects();
  readonly #leaving: Leaving;

  constructor(keys: readonly string[]) {
    const stamp = { time: 1, actorHigh: 1, actorLow: 1 };
    for (const text of keys) {
      const { key, record } = makeKeyedRecord(Buffer.from(text), stamp, Buffer.from("v"));
      this.#effects.put(key, record);
    }
    Object.assign(this.#effects, {
      setTimer: (_name: string, afterMs: number) => {
        this.#dueAtMs = this.nowMs + afterMs;
      },
      emit: (notice: unknown) => this.notices.push(notice),
    });
    this.#leaving = new Leaving({
      context: { ...contextOf("d"), isReachable: (node) => !this.unreachable.has(node) },
      settings: DEFAULT_REPAIR,
      replicas: () => OLD,
      onLeft: (key) => this.left.push(Buffer.from(key).toString()),
    });
    this.#leaving.start(this.#effects);
  }

  get held(): number {
    return this.#effects.range(undefined, undefined, 1_000_000).entries.length;
  }

  get refused(): unknown {
    return this.#leaving.describe().refused;
  }

  /** What it has sent by then. */
  run(toMs: number): readonly Sent[] {
    while (this.#dueAtMs <= toMs) {
      this.nowMs = this.#dueAtMs;
      this.#dueAtMs = Number.POSITIVE_INFINITY;
      this.#leaving.onTimer("place-leave", this.nowMs, this.#effects);
    }
    this.nowMs = toMs;
    return this.#effects.sent.splice(0).map(({ to, message }) => {
      const { requestId, records } = message as HandoffMessage;
      return { to, requestId, keys: records.map(({ key }) => Buffer.from(key).toString()) };
    });
  }

  acknowledge({ to, requestId, keys }: Sent, refusing: readonly string[] = []): void {
    const from = { node: to as NodeId, storeId: "s", incarnation: 1 } as unknown as Sender;
    const refused = keys.flatMap((key, place) => (refusing.includes(key) ? place : []));
    this.#leaving.onAck(from, { requestId, refused }, this.nowMs, this.#effects);
  }
}

// Every two seconds all of it was sent again: a link over which an answer takes ten carried each batch five times.
test("a batch is sent again after ever longer waits, to whoever has not acknowledged it, and any answer counts", () => {
  const node = new LeavingNode(["key"]);
  const [first, ...others] = node.run(20);
  for (const sent of others) node.acknowledge(sent);
  const again = node.run(20_000);
  expect(new Set(again.map(({ to }) => to))).toEqual(new Set([first?.to]));
  expect(again.length).toBeGreaterThanOrEqual(3);
  expect(again.length).toBeLessThanOrEqual(4);
  expect(node.left).toEqual([]);
  node.acknowledge(first as Sent);
  expect(node.left).toEqual(["key"]);
});

test("whoever comes back is sent it at once, however long it was waited for before", () => {
  const node = new LeavingNode(["key"]);
  const [first] = node.run(60_000);
  const { to } = first as Sent;
  node.unreachable.add(to);
  node.run(70_000);
  node.unreachable.delete(to);
  expect(node.run(72_000).map((sent) => sent.to)).toContain(to);
});

// The batch was never acknowledged, and nothing behind it was ever handed over.
test("what a replica refuses stays, all else goes, and it is offered again", () => {
  const node = new LeavingNode(["a", "b", "c"]);
  for (const sent of node.run(20)) node.acknowledge(sent, sent.to === OLD[1] ? ["b"] : []);
  expect([node.left, node.held, node.refused]).toEqual([["a", "c"], 1, 1]);
  expect(node.run(59_000)).toEqual([]);
  expect(node.notices).toEqual([{ type: "hints-refused", shard: 0, peer: OLD[1], records: 1 }]);
  const again = node.run(62_000);
  expect(again.map(({ keys }) => keys)).toEqual([["b"], ["b"], ["b"]]);
  for (const sent of again) node.acknowledge(sent);
  node.run(63_000);
  expect([node.held, node.refused]).toEqual([0, 0]);
  expect(node.notices.at(-1)).toEqual({ type: "shard-left", shard: 0, entries: 3 });
});
