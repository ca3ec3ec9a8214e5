import { describe, expect, test } from "vitest";
import {
  bodyOfRecord,
  headCommand,
  proposedRecord,
  RECORD_HEAD_BYTES,
} from "../../../../src/strategies/raft/commands.ts";
import { RecordSlab } from "../../../../src/strategies/raft/record-slab.ts";

const HEADER = { clockMs: 1, salt: 2, sessionLifetimeMs: 3 };

function recordOf(slab: RecordSlab, body: Uint8Array): Uint8Array {
  slab.begin(body.length).raw(body);
  return slab.take();
}

describe("RecordSlab", () => {
  test("hands out what proposedRecord makes, also of bodies that are longer than a slab", () => {
    const slab = new RecordSlab();
    const bodies = [1, 300, 5_000, 70_000, 20, 65_536, 3].map((bytes, index) =>
      new Uint8Array(bytes).fill(index + 1),
    );
    const records = bodies.map((body) => recordOf(slab, body));
    for (const [index, body] of bodies.entries()) {
      expect(Buffer.compare(records[index] as Uint8Array, proposedRecord(body))).toBe(0);
    }
  });

  test("writes nothing into a record that was taken, nor does the head of one reach another", () => {
    const slab = new RecordSlab();
    const first = recordOf(slab, Buffer.from("first"));
    const second = recordOf(slab, Buffer.from("second"));
    const before = Buffer.from(second);
    headCommand(first, HEADER);
    for (let times = 0; times < 1_000; times++) recordOf(slab, new Uint8Array(200).fill(0xee));
    expect(Buffer.from(bodyOfRecord(first)).toString()).toBe("first");
    expect(Buffer.compare(second, before)).toBe(0);
  });

  test("gives up what was begun and not taken", () => {
    const slab = new RecordSlab();
    slab.begin(5).raw(Buffer.from("given up"));
    slab.begin(4).raw(Buffer.from("kept"));
    expect(slab.bodyBytes).toBe(4);
    const record = slab.take();
    expect(record.length).toBe(RECORD_HEAD_BYTES + 4);
    expect(Buffer.from(bodyOfRecord(record)).toString()).toBe("kept");
  });
});
