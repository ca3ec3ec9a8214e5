import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { MAX_HYBRID_TIME } from "../../../../src/core/model/stamp.ts";
import {
  optionAt,
  ownCopy,
  readFlag,
  readHybridTime,
} from "../../../../src/core/model/wire-fields.ts";

test("a flag is one of two bytes, and no other byte is true", () => {
  expect([0, 1].map((byte) => readFlag(new ByteReader(Uint8Array.of(byte))))).toEqual([
    false,
    true,
  ]);
  expect(() => readFlag(new ByteReader(Uint8Array.of(2)))).toThrow(MalformedBytesError);
});

test("a time comes back up to the greatest that there is; what is beyond is malformed", () => {
  const writer = new ByteWriter();
  writer.u64(MAX_HYBRID_TIME);
  expect(readHybridTime(new ByteReader(writer.view()))).toBe(MAX_HYBRID_TIME);
  const beyond = Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0);
  expect(() => readHybridTime(new ByteReader(beyond))).toThrow(MalformedBytesError);
});

test("an option that is not there is malformed, and says of which field", () => {
  expect(optionAt(["a", "b"], 1, "kind")).toBe("b");
  expect(() => optionAt(["a", "b"], 2, "kind")).toThrow("kind 2");
});

test("a copy of its own does not change with the frame that it came in", () => {
  const frame = Uint8Array.of(1, 2, 3);
  const copy = ownCopy(frame.subarray(1));
  frame.fill(9);
  expect([...copy]).toEqual([2, 3]);
});
