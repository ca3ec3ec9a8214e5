import { describe, expect, test } from "vitest";
import type { Sender } from "../../../../src/core/contracts/machine.ts";
import type { Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import type { RangeReply } from "../../../../src/strategies/leaderless/messages.ts";
import { Rebuild } from "../../../../src/strategies/leaderless/rebuild.ts";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";

const everybody = (): boolean => true;

function senderOf(node: string, store = 1): Sender {
  return {
    node: node as NodeId,
    storeId: `${node}-${store}` as StoreId,
    incarnation: 1 as Incarnation,
  };
}

function chunk(
  requestId: number,
  keys: readonly string[] = [],
  more: Partial<Pick<RangeReply, "more" | "serving">> = {},
): RangeReply {
  const stamp = { time: 1, actorHigh: 0, actorLow: 0 };
  return {
    type: "range-reply",
    requestId,
    purpose: "rebuild",
    serving: true,
    more: false,
    entries: keys.map((key) => makeKeyedRecord(Buffer.from(key), stamp, Buffer.from("v"))),
    ...more,
  };
}

function rebuildOf(replicas: number): Rebuild {
  const peers = Array.from({ length: replicas - 1 }, (_, n) => `p${n}` as NodeId);
  return new Rebuild({ peers, replicas, startAtMs: 0 });
}

describe("a rebuild", () => {
  test.each([
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [7, 4],
  ])("of %i replicas needs %i that are whole", (replicas, needed) => {
    const rebuild = rebuildOf(replicas);
    const requests = rebuild.requests(0, everybody);
    expect(requests).toHaveLength(replicas - 1);
    for (const [index, { node, message }] of requests.entries()) {
      expect(rebuild.outcome()).toBe(index < needed ? undefined : "enough");
      if (index === needed) return;
      expect(rebuild.onReply(senderOf(node), chunk(message.requestId))).toBe(true);
    }
    expect(rebuild.outcome()).toBe("enough");
  });

  test("of five goes on while two of four sources are not whole, and ends with all others", () => {
    const rebuild = rebuildOf(5);
    const requests = rebuild.requests(0, everybody);
    for (const [index, { node, message }] of requests.entries()) {
      expect(rebuild.outcome()).toBeUndefined();
      rebuild.onReply(senderOf(node), chunk(message.requestId, [], { serving: index < 2 }));
    }
    expect(rebuild.outcome()).toBe("all-others");
  });

  test("a source that was not whole at its first chunk is not whole", () => {
    const rebuild = rebuildOf(2);
    const [first] = rebuild.requests(0, everybody);
    const from = senderOf("p0");
    rebuild.onReply(
      from,
      chunk(first?.message.requestId ?? 0, ["a"], { serving: false, more: true }),
    );
    const [second] = rebuild.requests(1, everybody);
    rebuild.onReply(from, chunk(second?.message.requestId ?? 0, ["b"]));
    expect(rebuild.outcome()).toBe("all-others");
  });

  test("goes on behind the last key, and begins anew with another store", () => {
    const rebuild = rebuildOf(2);
    const [first] = rebuild.requests(0, everybody);
    rebuild.onReply(
      senderOf("p0"),
      chunk(first?.message.requestId ?? 0, ["a", "b"], { more: true }),
    );
    const [second] = rebuild.requests(1, everybody);
    expect(Buffer.from(second?.message.from ?? [])).toEqual(Buffer.from("b\0"));
    // The event of its new identity may come later than its first answer: neither is taken.
    expect(rebuild.onReply(senderOf("p0", 2), chunk(second?.message.requestId ?? 0, ["c"]))).toBe(
      false,
    );
    const [third] = rebuild.requests(2, everybody);
    expect(third?.message.from).toBeUndefined();
    expect(rebuild.outcome()).toBeUndefined();
  });

  test("asks nobody before its start, nobody who is away, and nobody twice while it waits", () => {
    const rebuild = new Rebuild({ peers: ["p0" as NodeId], replicas: 2, startAtMs: 1_000 });
    expect(rebuild.requests(999, everybody)).toEqual([]);
    expect(rebuild.retryMs(400)).toBe(600);
    expect(rebuild.requests(1_000, () => false)).toEqual([]);
    expect(rebuild.requests(1_000, everybody)).toHaveLength(1);
    expect(rebuild.requests(1_100, everybody)).toHaveLength(0);
    expect(rebuild.requests(3_000, everybody)).toHaveLength(1);
  });
});
