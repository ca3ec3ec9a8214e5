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
    floor: 0,
    reapable: 0,
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
      expect(rebuild.settle(0)).toBe(index < needed ? undefined : "enough");
      if (index === needed) return;
      expect(rebuild.onReply(senderOf(node), chunk(message.requestId), 0)).toBe(true);
    }
    expect(rebuild.settle(0)).toBe("enough");
  });

  test("learns from a majority of its own datacenter, however many of another have been streamed", () => {
    const peers = ["e1", "e2", "w1", "w2", "w3"] as NodeId[];
    const near = peers.slice(0, 2);
    const rebuild = new Rebuild({ peers, replicas: 6, near, startAtMs: 0 });
    const requests = rebuild.requests(0, everybody);
    for (const { node, message } of [...requests].reverse()) {
      expect(rebuild.settle(0)).toBeUndefined();
      rebuild.onReply(senderOf(node), chunk(message.requestId), 0);
    }
    expect(rebuild.settle(0)).toBe("enough");
  });

  test("waits for nobody who cannot be reached once loss is accepted", () => {
    const rebuild = rebuildOf(3);
    const lost = "p1";
    const isReachable = (node: NodeId) => node !== lost;
    const [request] = rebuild.requests(0, isReachable);
    rebuild.acceptLoss(isReachable);
    expect(rebuild.settle(0)).toBeUndefined();
    rebuild.onReply(senderOf("p0"), chunk(request?.message.requestId as number), 0);
    expect(rebuild.settle(0)).toBe("loss-accepted");
  });

  test("waits on, with loss accepted, for one that is back", () => {
    const rebuild = rebuildOf(3);
    const reachable = new Set(["p0"]);
    const isReachable = (node: NodeId) => reachable.has(node);
    rebuild.acceptLoss(isReachable);
    for (const { node, message } of rebuild.requests(0, isReachable)) {
      reachable.add("p1");
      rebuild.onReply(senderOf(node), chunk(message.requestId), 0);
    }
    expect(rebuild.settle(0)).toBeUndefined();
    for (const { node, message } of rebuild.requests(0, isReachable)) {
      rebuild.onReply(senderOf(node), chunk(message.requestId), 0);
    }
    expect(rebuild.settle(0)).toBe("enough");
  });

  test("of five gives two sources that are not whole three more rounds, then ends with all others", () => {
    const rebuild = rebuildOf(5);
    for (const [index, { node, message }] of rebuild.requests(0, everybody).entries()) {
      expect(rebuild.settle(0)).toBeUndefined();
      rebuild.onReply(senderOf(node), chunk(message.requestId, [], { serving: index < 2 }), 0);
    }
    for (let round = 1; round <= 3; round++) {
      expect(rebuild.settle((round - 1) * 1_000)).toBeUndefined();
      expect(rebuild.requests(round * 1_000 - 1, everybody)).toEqual([]);
      const again = rebuild.requests(round * 1_000, everybody);
      expect(again.map(({ node }) => node)).toEqual(["p2", "p3"]);
      for (const { node, message } of again) {
        rebuild.onReply(senderOf(node), chunk(message.requestId, [], { serving: false }), 0);
      }
    }
    expect(rebuild.settle(3_000)).toBe("all-others");
  });

  // A source that was streamed while it was being rebuilt itself never counted again: with another
  // one emptied later, a replica of five gave up, and served, though nothing was lost.
  test("counts a source that has become whole in a later round", () => {
    const rebuild = rebuildOf(3);
    const [first, second] = rebuild.requests(0, everybody);
    rebuild.onReply(senderOf("p0"), chunk(first?.message.requestId ?? 0), 0);
    rebuild.onReply(
      senderOf("p1"),
      chunk(second?.message.requestId ?? 0, [], { serving: false }),
      0,
    );
    expect(rebuild.settle(0)).toBeUndefined();
    const [again] = rebuild.requests(1_000, everybody);
    expect(again?.node).toBe("p1");
    rebuild.onReply(senderOf("p1"), chunk(again?.message.requestId ?? 0), 0);
    expect(rebuild.settle(1_001)).toBe("enough");
  });

  test("a source that was not whole at its first chunk is not whole", () => {
    const rebuild = rebuildOf(2);
    const [first] = rebuild.requests(0, everybody);
    const from = senderOf("p0");
    rebuild.onReply(
      from,
      chunk(first?.message.requestId ?? 0, ["a"], { serving: false, more: true }),
      0,
    );
    const [second] = rebuild.requests(1, everybody);
    rebuild.onReply(from, chunk(second?.message.requestId ?? 0, ["b"]), 0);
    expect(rebuild.settle(1)).toBeUndefined();
    const [again] = rebuild.requests(1_001, everybody);
    expect(again?.message.from).toBeUndefined();
  });

  test("goes on behind the last key, and begins anew with another store", () => {
    const rebuild = rebuildOf(2);
    const [first] = rebuild.requests(0, everybody);
    rebuild.onReply(
      senderOf("p0"),
      chunk(first?.message.requestId ?? 0, ["a", "b"], { more: true }),
      0,
    );
    const [second] = rebuild.requests(1, everybody);
    expect(Buffer.from(second?.message.from ?? [])).toEqual(Buffer.from("b\0"));
    // The event of its new identity may come later than its first answer: neither is taken.
    expect(
      rebuild.onReply(senderOf("p0", 2), chunk(second?.message.requestId ?? 0, ["c"]), 0),
    ).toBe(false);
    const [third] = rebuild.requests(2, everybody);
    expect(third?.message.from).toBeUndefined();
    expect(rebuild.settle(0)).toBeUndefined();
  });

  // Only an answer to the last repetition was taken, and each came after the next one.
  test("takes the first answer to a question that was asked again, whichever that is to, and no other", () => {
    const rebuild = rebuildOf(2);
    const [first] = rebuild.requests(0, everybody);
    const [again] = rebuild.requests(2_000, everybody);
    expect(again?.message).toEqual({ ...first?.message, requestId: again?.message.requestId });
    const answerTo = (asked: typeof first) =>
      chunk(asked?.message.requestId ?? 0, ["a"], { more: true });
    expect(rebuild.onReply(senderOf("p0"), answerTo(first), 3_000)).toBe(true);
    expect(rebuild.onReply(senderOf("p0"), answerTo(again), 4_000)).toBe(false);
    const [next] = rebuild.requests(4_000, everybody);
    expect(rebuild.onReply(senderOf("p0"), answerTo(again), 5_000)).toBe(false);
    expect(Buffer.from(next?.message.from ?? [])).toEqual(Buffer.from("a\0"));
    expect(rebuild.entries).toBe(1);
    // The next chunk may take twice as long as this one did.
    expect(rebuild.requests(9_999, everybody)).toEqual([]);
    expect(rebuild.requests(10_000, everybody)).toHaveLength(1);
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
