import { afterAll, expect, test } from "vitest";
import { openStore } from "../../../../src/open-store.ts";
import { mostBodyBytes } from "../../../../src/strategies/raft/commands.ts";

const MIB = 1024 * 1024;
const store = await openStore({ keyspaces: { a: { strategy: "raft", shards: 1 } } });
const keyspace = store.keyspace("a");
afterAll(() => store.close());

const batchOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    put: `k${index}`,
    value: new Uint8Array(MIB - 1_024),
  }));

test("a batch that no log and no frame holds is refused, and the store goes on", async () => {
  await expect(keyspace.batch(batchOf(17))).rejects.toMatchObject({
    code: "VALUE_TOO_LARGE",
    outcome: "not-applied",
    message: expect.stringMatching(/^the batch of 17 writes has \d+ bytes .* at most 16773120 /),
    details: { mostBytes: mostBodyBytes() },
  });
  expect(await keyspace.get("k0")).toMatchObject({ found: false });
  expect(await keyspace.batch(batchOf(15))).toHaveLength(15);
  expect(await keyspace.get("k14")).toMatchObject({ found: true });
});

test.each([4_097, 65_536])(
  "a batch of %i writes is refused, and the store goes on",
  async (count) => {
    const batch = Array.from({ length: count }, (_, index) => ({ put: `m${index}`, value: 1 }));
    await expect(keyspace.batch(batch)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      outcome: "not-applied",
      message: `a batch of ${count} writes; at most 4096 take effect together`,
    });
    expect(await keyspace.batch(batch.slice(0, 4_096))).toHaveLength(4_096);
    expect(await keyspace.get("m4095")).toMatchObject({ found: true });
  },
);

test("what takes effect together fits the record that the log takes, and a frame", () => {
  const recordBytes = 64 * 1024;
  expect(mostBodyBytes(recordBytes)).toBeLessThan(recordBytes);
  expect(mostBodyBytes(recordBytes)).toBeGreaterThan(recordBytes - 256);
  expect(mostBodyBytes()).toBeLessThan(16 * MIB);
  expect(mostBodyBytes(64 * MIB)).toBe(mostBodyBytes());
});
