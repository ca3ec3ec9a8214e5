import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../../src/core/model/malformed-bytes-error.ts";
import {
  type WatchMessage,
  watchCodec,
} from "../../../../../src/core/store/watch/watch-messages.ts";

const position = fc.record({
  order: fc.constantFrom("n1@1.1", "group"),
  sequence: fc.maxSafeNat(),
  offset: fc.integer({ min: -1, max: 9 }),
});
const bytes = fc.uint8Array({ maxLength: 20 });
const maybe = <T>(each: fc.Arbitrary<T>) => fc.option(each, { nil: undefined });
const change = fc.record({
  type: fc.constantFrom("put", "delete", "expire", "conflict"),
  key: bytes,
  value: maybe(bytes),
  siblings: maybe(fc.array(bytes, { maxLength: 3 })),
  version: maybe(fc.string()),
  sequence: fc.maxSafeNat(),
  offset: fc.nat(9),
});
const head = { watch: fc.nat(), number: fc.nat() };
const message = fc.oneof(
  fc.record({
    type: fc.constant("pull"),
    ...head,
    wait: fc.boolean(),
    from: maybe(position),
    prefix: maybe(fc.uint8Array({ minLength: 1, maxLength: 9 })),
  }),
  fc.record({
    type: fc.constant("page"),
    ...head,
    page: fc.record({
      events: fc.array(change, { maxLength: 4 }),
      position,
      gap: maybe(fc.string({ minLength: 1 })),
      more: fc.boolean(),
      caughtUp: fc.boolean(),
    }),
  }),
  fc.record({ type: fc.constant("refusal"), ...head }),
) as fc.Arbitrary<WatchMessage>;

function encoded(each: WatchMessage): Uint8Array {
  const writer = new ByteWriter();
  watchCodec.encode(each, writer);
  return writer.copy();
}

describe("what two nodes' watches tell each other", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(message, (each) => {
        expect(watchCodec.decode(new ByteReader(encoded(each)))).toEqual(each);
      }),
    );
  });

  it("is refused as malformed when it is cut, lengthened, or anything else", () => {
    fc.assert(
      fc.property(message, fc.nat(), (each, cut) => {
        const whole = encoded(each);
        const short = whole.subarray(0, cut % whole.length);
        expect(() => watchCodec.decode(new ByteReader(short))).toThrow(MalformedBytesError);
        const long = Buffer.concat([whole, Buffer.from([0])]);
        expect(() => watchCodec.decode(new ByteReader(long))).toThrow(MalformedBytesError);
      }),
    );
    const unknown = new ByteReader(new Uint8Array([7, 0, 0, 0, 0, 0, 0, 0, 0]));
    expect(() => watchCodec.decode(unknown)).toThrow(MalformedBytesError);
  });
});
