import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../../src/core/model/malformed-bytes-error.ts";
import {
  KeyReader,
  KeyWriter,
} from "../../../../../src/strategies/leaderless/anti-entropy/front-coding.ts";

function encode(keys: readonly (Uint8Array | undefined)[]): Uint8Array {
  const writer = new ByteWriter();
  const into = new KeyWriter(writer);
  for (const key of keys) into.write(key);
  return writer.copy();
}

function decode(bytes: Uint8Array, count: number): (Uint8Array | undefined)[] {
  const reader = new ByteReader(bytes);
  const from = new KeyReader(reader);
  const keys = Array.from({ length: count }, () => from.read());
  reader.end();
  return keys;
}

test("keys come back as they went, in any order, some of them none", () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 400, max: 2 });
  const keys = fc.array(fc.option(key, { nil: undefined }), { maxLength: 20 });
  fc.assert(
    fc.property(keys, (all) => {
      expect(decode(encode(all), all.length)).toEqual(all);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("what a key shares with the one before is not written again", () => {
  const keys = ["key-00001000", "key-00001001", "key-00001001"].map((text) => Buffer.from(text));
  expect(encode(keys)).toHaveLength(3 + 12 + (3 + 1) + 3);
});

test("a key cannot share more than there was before it", () => {
  expect(() => decode(Uint8Array.of(1, 0, 1, 97), 1)).toThrow(MalformedBytesError);
});
