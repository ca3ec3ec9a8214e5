import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../../../src/core/model/bytes.ts";
import { hash32 } from "../../../../../src/core/model/hash.ts";
import { writeVarint } from "../../../../../src/core/model/varint.ts";
import { WatchPositions } from "../../../../../src/core/store/watch/watch-cursor.ts";

const SHARDS = 5;
const position = fc.record({
  order: fc.constantFrom("n1@1.1", "n2@3.1", "group"),
  sequence: fc.maxSafeNat(),
  offset: fc.integer({ min: -1, max: 1_000 }),
});
const places = fc.array(fc.option(position, { nil: undefined }), {
  minLength: SHARDS,
  maxLength: SHARDS,
});

describe("a watch's cursor", () => {
  it("comes back as it was, also where a shard was not reached yet", () => {
    fc.assert(
      fc.property(places, (all) => {
        const made = new WatchPositions(9, SHARDS);
        for (const [shard, each] of all.entries()) if (each !== undefined) made.set(shard, each);
        const again = WatchPositions.parse(9, SHARDS, made.toString());
        for (const [shard, each] of all.entries()) expect(again.get(shard)).toEqual(each);
        expect(again.toString()).toBe(made.toString());
      }),
    );
  });

  it("is refused when it is damaged, another keyspace's, or of other shards", () => {
    const made = new WatchPositions(9, SHARDS);
    made.set(1, { order: "n1@1.1", sequence: 4, offset: 0 });
    const text = made.toString();
    const last = text.at(-1) === "A" ? "B" : "A";
    const damaged = ["", "x", text.slice(2), `${text.slice(0, -1)}${last}`];
    const refusal = expect.objectContaining({ code: "INVALID_CURSOR" });
    for (const each of damaged) {
      expect(() => WatchPositions.parse(9, SHARDS, each)).toThrow(refusal);
    }
    expect(() => WatchPositions.parse(8, SHARDS, text)).toThrow(refusal);
    expect(() => WatchPositions.parse(9, SHARDS + 1, text)).toThrow(refusal);
  });

  it("is refused when it names more orders than there are shards", () => {
    const refusal = expect.objectContaining({ code: "INVALID_CURSOR" });
    const cursorOf = (orders: number) => {
      const writer = new ByteWriter();
      writer.u8(1);
      writer.u32(9);
      writeVarint(writer, SHARDS);
      writeVarint(writer, orders);
      for (let order = 0; order < orders; order++) {
        writer.u8(1);
        writer.raw(Buffer.from("o"));
      }
      for (let shard = 0; shard < SHARDS; shard++) writeVarint(writer, 0);
      writer.u32(hash32(writer.view()));
      return Buffer.from(writer.view()).toString("base64url");
    };
    expect(() => WatchPositions.parse(9, SHARDS, cursorOf(SHARDS))).not.toThrow();
    expect(() => WatchPositions.parse(9, SHARDS, cursorOf(SHARDS + 1))).toThrow(refusal);
  });

  it("fails in no other way, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(() =>
          WatchPositions.parse(9, SHARDS, Buffer.from(bytes).toString("base64url")),
        ).toThrow(expect.objectContaining({ code: "INVALID_CURSOR" }));
      }),
    );
  });

  it("stays short for many shards that are told by few", () => {
    const made = new WatchPositions(9, 1_000);
    for (let shard = 0; shard < 1_000; shard++) {
      made.set(shard, { order: `orders-${shard % 3}@12.1`, sequence: 1e6 + shard, offset: 0 });
    }
    expect(made.toString().length).toBeLessThan(8_192);
  });
});
