import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeOperationId,
  decodeSessionOperationId,
  encodeOperationId,
  encodeSessionOperationId,
  keyspaceHashOfOperationId,
} from "../../../../src/core/model/operation-id.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const stamp = fc.record({ time: whole, actorHigh: u32, actorLow: u32 });
const sessionId = fc.record({
  keyspaceHash: u32,
  session: stamp,
  sequence: whole,
  shardIndex: fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 0xfffe })),
});

describe("ids of stamped writes", () => {
  test("come back as they were made, with when what they brought is gone, or without", () => {
    const key = fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined });
    const gone = fc.option(whole, { nil: undefined });
    fc.assert(
      fc.property(u32, stamp, key, gone, (keyspaceHash, of, bytes, expiresAtMs) => {
        const id = { keyspaceHash, stamp: of, key: bytes, expiresAtMs };
        const text = encodeOperationId(id);
        expect(decodeOperationId(text)).toEqual(id);
        expect(keyspaceHashOfOperationId(text)).toBe(keyspaceHash);
      }),
    );
  });
});

describe("ids of a session's operations", () => {
  test("come back as they were made", () => {
    fc.assert(
      fc.property(sessionId, (id) => {
        const text = encodeSessionOperationId(id);
        expect(decodeSessionOperationId(text)).toEqual(id);
        expect(keyspaceHashOfOperationId(text)).toBe(id.keyspaceHash);
      }),
    );
  });

  test("are none when a character is another, and none of stamped keyspaces", () => {
    fc.assert(
      fc.property(sessionId, fc.nat(), (id, at) => {
        const text = encodeSessionOperationId(id);
        const place = at % text.length;
        const other = text[place] === "A" ? "B" : "A";
        const damaged = text.slice(0, place) + other + text.slice(place + 1);
        expect(decodeSessionOperationId(damaged)).toBeUndefined();
        expect(() => decodeOperationId(text)).toThrow("was not made by this store");
      }),
    );
  });

  test("are told from stamped ids and from a user's own keys", () => {
    const stamped = encodeOperationId({
      keyspaceHash: 5,
      stamp: { time: 1, actorHigh: 2, actorLow: 3 },
      key: undefined,
    });
    expect(decodeSessionOperationId(stamped)).toBeUndefined();
    expect(keyspaceHashOfOperationId(stamped)).toBe(5);
    expect(decodeSessionOperationId("order-17")).toBeUndefined();
    expect(keyspaceHashOfOperationId("order-17")).toBeUndefined();
  });
});
