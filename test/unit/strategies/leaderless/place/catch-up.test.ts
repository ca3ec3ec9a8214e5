import { beforeEach, describe, expect, test } from "vitest";
import type { ReplicaContext, ShardMap } from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import type { RangeReply } from "../../../../../src/strategies/leaderless/messages.ts";
import { CatchUp } from "../../../../../src/strategies/leaderless/place/catch-up.ts";
import { ReplicaPlace } from "../../../../../src/strategies/leaderless/place/replica-place.ts";
import { keyRecord } from "../../../../../src/strategies/leaderless/record.ts";
import { DEFAULT_REPAIR } from "../../../../../src/strategies/leaderless/repair-settings.ts";
import { contextOf, LEVELS, OLD, SendingEffects } from "./place-world.ts";

const REBUILD_DELAY_MS = 1_000;
const PENDING = ["a", "b", "d"];

/** A copy at a node that knows of the change from a, b, c to `pending`. */
class Copy {
  readonly effects = new SendingEffects();
  readonly catchUp: CatchUp;
  readonly place: ReplicaPlace;

  constructor(node: string, settings: object = LEVELS) {
    const context = {
      ...contextOf(node),
      settings: { ...settings, rebuildDelayMs: REBUILD_DELAY_MS },
    } as unknown as ReplicaContext;
    this.place = new ReplicaPlace(context, {}, () => undefined);
    this.catchUp = new CatchUp(context, DEFAULT_REPAIR, this.place);
  }

  hear(epoch: number, more: Partial<ShardMap> = { pending: PENDING as NodeId[] }): void {
    const map = { epoch: epoch as Epoch, replicas: OLD, ...more } as ShardMap;
    const message = { type: "place-map", requestId: 0, map } as const;
    this.place.onMessage(contextOf("a").self, message, () => true, this.effects);
  }

  review(nowMs = 0): void {
    this.catchUp.review(nowMs, this.effects);
  }

  /** Whom it asks for a part of the shard, by which number and under which epoch. */
  get asked() {
    return this.effects.sent.flatMap(({ to, message }) => {
      if (message.type !== "at-epoch" || message.message.type !== "range") return [];
      const { requestId, purpose } = message.message;
      return [{ to, requestId, purpose, epoch: message.epoch }];
    });
  }

  /** All that the source has, of one entry. */
  answer(from: string, more = false, nowMs = 1): boolean {
    const requestId = this.asked.findLast(({ to }) => to === from)?.requestId ?? -1;
    const entries = [keyRecord(Buffer.from("k"), Buffer.from("record"))];
    const reply: RangeReply = {
      ...{ type: "range-reply", requestId, purpose: "move", serving: true },
      ...{ entries, more, floor: 0, reapable: 0 },
    };
    const isTaken = this.catchUp.takes(contextOf(from).self, reply, nowMs);
    if (isTaken) this.catchUp.advance(nowMs, this.effects);
    return isTaken;
  }

  get emitted(): readonly string[] {
    return this.effects.lines
      .filter((line) => line.startsWith("emit move") || line.startsWith("emit writes"))
      .map((line) => line.split(" ")[1] as string);
  }
}

let copy: Copy;
beforeEach(() => {
  copy = new Copy("d");
});

describe("a copy that is to be given the shard", () => {
  test("asks the old replicas under the pending map", () => {
    copy.hear(2);
    copy.review();
    expect(copy.asked.map(({ to, purpose, epoch }) => [to, purpose, epoch])).toEqual(
      OLD.map((node) => [node, "move", 2]),
    );
    expect(copy.emitted).toEqual(["move-started"]);
    expect(copy.place.isReady).toBe(false);
  });

  test("is ready once so many have given all they have that a write is among it", () => {
    copy.hear(2);
    copy.review();
    expect(copy.answer("a")).toBe(true);
    expect(copy.place.isReady).toBe(false);
    copy.answer("b");
    expect(copy.place.isReady).toBe(true);
    expect(copy.emitted.at(-1)).toBe("move-streamed");
    expect(copy.effects.lines.at(-2)).toBe("keep place-ready");
    expect(copy.catchUp.describe()).toBeUndefined();
  });

  test("is not ready while a source has more", () => {
    copy.hear(2);
    copy.review();
    for (const node of ["a", "b"]) copy.answer(node, true);
    expect(copy.place.isReady).toBe(false);
    expect(copy.answer("stranger")).toBe(false);
  });

  test("begins anew with a source that came back as somebody else", () => {
    copy.hear(2);
    copy.review();
    copy.answer("a");
    copy.catchUp.onIdentity({ ...contextOf("a").self, incarnation: 2 as never });
    copy.answer("b");
    expect(copy.place.isReady).toBe(false);
  });

  test("does not ask again once it is ready, and not before there is a change", () => {
    copy.review();
    expect(copy.asked).toEqual([]);
    copy.hear(2);
    copy.place.ready(copy.effects);
    copy.review();
    expect(copy.asked).toEqual([]);
  });

  test("gives up the stream when the change is taken back: answers to it are nobody's", () => {
    copy.hear(2);
    copy.review();
    copy.hear(3, {});
    copy.review();
    expect(copy.answer("a")).toBe(false);
    expect(copy.effects.lines.at(-1)).toBe("no timer place-stream");
  });

  test("that was lost asks only when no write that its old self acknowledged is pending", () => {
    copy.hear(2);
    copy.catchUp.wasLost = true;
    copy.review();
    expect(copy.asked).toEqual([]);
    expect(copy.catchUp.onTimer("place-stream", REBUILD_DELAY_MS - 1, copy.effects)).toBe(true);
    expect(copy.asked).toEqual([]);
    copy.catchUp.onTimer("place-stream", REBUILD_DELAY_MS, copy.effects);
    expect(copy.asked.map(({ to }) => to)).toEqual(OLD);
  });
});

describe("a copy that stays", () => {
  test("has nothing to learn where enough of those who hold a write stay", () => {
    const staying = new Copy("a");
    staying.hear(2);
    staying.review();
    expect([staying.asked.length, staying.place.isReady]).toEqual([0, false]);
  });

  test("learns from the others where too few stay, its own copy being one of those it needs", () => {
    const staying = new Copy("a");
    staying.hear(2, { pending: ["a"] as NodeId[] });
    staying.review();
    expect(staying.asked.map(({ to }) => to)).toEqual(["b", "c"]);
    staying.answer("b");
    expect(staying.place.isReady).toBe(true);
  });
});

test("what has come is told of once a second", () => {
  copy.hear(2);
  copy.review();
  copy.answer("a", true, 1);
  copy.answer("b", true, 900);
  expect(copy.emitted.filter((type) => type === "move-progress")).toHaveLength(1);
  copy.answer("c", true, 1_001);
  expect(copy.emitted.filter((type) => type === "move-progress")).toHaveLength(2);
});

test("another's timer is left to it", () => {
  expect(copy.catchUp.onTimer("rebuild", 0, copy.effects)).toBe(false);
});
