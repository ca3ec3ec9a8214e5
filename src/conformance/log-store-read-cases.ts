import type { LogRecord } from "../core/contracts/storage.ts";
import type { ShardId } from "../core/model/ids.ts";
import { LogProbe } from "./log-store-probe.ts";
import { SHARD_A, SHARD_B, SHARD_C, type StorageCase } from "./storage-harness.ts";
import { check, checkEqual, checkThrows } from "./suite.ts";

function isRangeError(error: unknown): boolean {
  return error instanceof RangeError;
}

/** `1:text`, `2:text`, … as `LogProbe.texts` gives them. */
function numbered(from: number, texts: string): string[] {
  return [...texts].map((text, index) => `${from + index}:${text}`);
}

function appendEach(probe: LogProbe, shard: ShardId, texts: string): void {
  for (const text of texts) probe.append(shard, text);
}

const READS: readonly StorageCase[] = [
  {
    name: "a read gives the shard's records in order, and no other shard's",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (let round = 0; round < 300; round += 1) {
        for (const shard of [SHARD_A, SHARD_B, SHARD_C]) probe.append(shard, `${shard}#${round}`);
        if (round % 50 === 0) probe.flush();
      }
      await probe.makeDurable();
      for (const shard of [SHARD_A, SHARD_B, SHARD_C]) {
        const expected = Array.from({ length: 300 }, (_, at) => `${at + 1}:${shard}#${at}`);
        checkEqual(await probe.texts(shard), expected, `records of shard ${shard}`);
      }
    },
  },
  {
    name: "a read sees records that are not durable yet",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "abc");
      checkEqual(await probe.texts(SHARD_A), numbered(1, "abc"), "records before any flush");
    },
  },
  {
    name: "a read begins at `from`, and below 1 at 1",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "abcd");
      await probe.makeDurable();
      checkEqual(await probe.texts(SHARD_A, 3), numbered(3, "cd"), "from 3");
      checkEqual(await probe.texts(SHARD_A, 0), numbered(1, "abcd"), "from 0");
    },
  },
  {
    name: "a read behind the last record is empty and at the end",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "ab");
      for (const [shard, from] of [
        [SHARD_A, 3],
        [SHARD_A, 99],
        [SHARD_B, 1],
      ] as const) {
        const result = await probe.read(shard, from);
        checkEqual(result, { type: "records", records: [], end: true }, `read from ${from}`);
      }
    },
  },
  {
    name: "a read stops at `maxBytes`, gives at least one record, and says when it is at the end",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (let at = 1; at <= 7; at += 1)
        probe.appendBytes(SHARD_A, at, new Uint8Array(10).fill(at));
      await probe.makeDurable();
      const counts: number[] = [];
      const seen: LogRecord[] = [];
      for (let isEnd = false; !isEnd; ) {
        const result = await probe.read(SHARD_A, seen.length + 1, 25);
        check(
          result.type === "records" && result.records.length > 0,
          "no record though there is one",
        );
        counts.push(result.records.length);
        seen.push(...result.records);
        isEnd = result.end;
        check(isEnd === (seen.length === 7), `end is ${isEnd} after ${seen.length} of 7 records`);
      }
      checkEqual(counts, [2, 2, 2, 1], "records of 10 bytes per read of 25");
      const tight = await probe.read(SHARD_A, 1, 1);
      check(
        tight.type === "records" && tight.records.length === 1,
        "not exactly one record of 10 bytes in 1",
      );
    },
  },
  {
    name: "payloads come back byte for byte: empty, large, and part of a larger buffer",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      const large = Uint8Array.from({ length: 1 << 20 }, (_, at) => (at * 31) & 0xff);
      const payloads = [new Uint8Array(0), large, large.subarray(5, 300)];
      payloads.forEach((payload, at) => {
        probe.appendBytes(SHARD_A, at + 1, payload);
      });
      await probe.makeDurable();
      const result = await probe.read(SHARD_A);
      check(result.type === "records", "the records cannot be read");
      checkEqual(
        result.records.map(({ payload }) => payload),
        payloads,
        "payloads",
      );
    },
  },
];

const CUTS: readonly StorageCase[] = [
  {
    name: "truncateSuffix drops the records above, and the shard goes on from there",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "abcd");
      await probe.makeDurable();
      probe.truncateSuffix(SHARD_A, 2);
      checkEqual(storage.log.lastSequence(SHARD_A), 2, "lastSequence after the cut");
      appendEach(probe, SHARD_A, "XY");
      await probe.makeDurable();
      checkEqual(await probe.texts(SHARD_A), numbered(1, "abXY"), "records after the cut");
      probe.truncateSuffix(SHARD_A, 0);
      checkEqual(await probe.texts(SHARD_A), [], "records after a cut to 0");
    },
  },
  {
    name: "truncateSuffix at or above the last record drops nothing",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "ab");
      probe.truncateSuffix(SHARD_A, 2);
      probe.truncateSuffix(SHARD_A, 9);
      checkEqual(storage.log.lastSequence(SHARD_A), 2, "lastSequence");
      checkEqual(await probe.texts(SHARD_A), numbered(1, "ab"), "records");
    },
  },
  {
    name: "truncateSuffix leaves other shards alone",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (const shard of [SHARD_A, SHARD_B, SHARD_C]) appendEach(probe, shard, "ab");
      probe.truncateSuffix(SHARD_A, 0);
      checkEqual(await probe.texts(SHARD_B), numbered(1, "ab"), "another shard's records");
      checkEqual(await probe.texts(SHARD_C), numbered(1, "ab"), "another keyspace's records");
    },
  },
  {
    name: "truncateSuffix and reset are announced like records",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "ab");
      await probe.makeDurable();
      const before = storage.log.lastPosition;
      checkEqual(probe.truncateSuffix(SHARD_A, 1), before + 1, "position of the cut");
      await probe.makeDurable();
      checkEqual(probe.announcements.at(-1)?.position, before + 1, "announced after the cut");
      checkEqual(probe.reset(SHARD_A, 5), before + 2, "position of the reset");
      await probe.makeDurable();
      checkEqual(probe.announcements.at(-1)?.position, before + 2, "announced after the reset");
    },
  },
  {
    name: "reset forgets the shard, which goes on with the sequence that was named",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (const shard of [SHARD_A, SHARD_B]) appendEach(probe, shard, "abc");
      probe.reset(SHARD_A, 10);
      checkEqual(storage.log.lastSequence(SHARD_A), 9, "lastSequence after reset(10)");
      checkEqual(await probe.read(SHARD_A, 1), { type: "compacted", first: 10 }, "read from 1");
      checkThrows(
        () => probe.appendBytes(SHARD_A, 4, new Uint8Array(1)),
        isRangeError,
        "append of 4",
      );
      appendEach(probe, SHARD_A, "jk");
      await probe.makeDurable();
      checkEqual(await probe.texts(SHARD_A, 10), numbered(10, "jk"), "records after the reset");
      checkEqual(await probe.texts(SHARD_B), numbered(1, "abc"), "another shard's records");
      checkThrows(() => probe.reset(SHARD_A, 0), isRangeError, "reset to sequence 0");
    },
  },
];

const RELEASES: readonly StorageCase[] = [
  {
    name: "what was released is compacted, the rest is there",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      for (const shard of [SHARD_A, SHARD_B]) appendEach(probe, shard, "abcde");
      await probe.makeDurable();
      probe.release(SHARD_A, 4);
      for (const from of [0, 1, 3]) {
        const result = await probe.read(SHARD_A, from);
        checkEqual(result, { type: "compacted", first: 4 }, `read from ${from}`);
      }
      checkEqual(await probe.texts(SHARD_A, 4), numbered(4, "de"), "records that are still needed");
      checkEqual(await probe.texts(SHARD_B), numbered(1, "abcde"), "another shard's records");
    },
  },
  {
    name: "lastSequence survives the release of everything",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "abc");
      await probe.makeDurable();
      probe.release(SHARD_A, 1000);
      checkEqual(storage.log.lastSequence(SHARD_A), 3, "lastSequence");
      checkEqual(await probe.read(SHARD_A, 1), { type: "compacted", first: 4 }, "read from 1");
      appendEach(probe, SHARD_A, "d");
      checkEqual(await probe.texts(SHARD_A, 4), numbered(4, "d"), "records appended since");
    },
  },
  {
    name: "a release never takes effect backwards",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "abc");
      await probe.makeDurable();
      probe.release(SHARD_A, 3);
      probe.release(SHARD_A, 2);
      checkEqual(await probe.read(SHARD_A, 2), { type: "compacted", first: 3 }, "read from 2");
      probe.release(SHARD_B, 7);
      checkEqual(storage.log.lastSequence(SHARD_B), 0, "lastSequence of a shard without records");
    },
  },
  {
    name: "a cut below what was released is refused",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      appendEach(probe, SHARD_A, "abcd");
      await probe.makeDurable();
      probe.release(SHARD_A, 3);
      checkThrows(
        () => probe.truncateSuffix(SHARD_A, 1),
        isRangeError,
        "a cut to 1 with 3 the first",
      );
      probe.truncateSuffix(SHARD_A, 2);
      checkEqual(storage.log.lastSequence(SHARD_A), 2, "lastSequence after a cut to the release");
    },
  },
  {
    name: "appends and releases that go on for long keep every record that is needed",
    run: async (storage, { clock }) => {
      const probe = new LogProbe(storage, clock);
      const kept = 30;
      for (let at = 1; at <= 1_000; at += 1) {
        probe.append(SHARD_A, `${at}`);
        if (at % 100 === 0) await probe.makeDurable();
        if (at > kept && at % 7 === 0) probe.release(SHARD_A, at - kept);
        if (at % 97 === 0) {
          const texts = await probe.texts(SHARD_A, at - kept + 1);
          const expected = Array.from({ length: kept }, (_, index) => at - kept + 1 + index);
          checkEqual(
            texts,
            expected.map((each) => `${each}:${each}`),
            `the last ${kept} of ${at}`,
          );
        }
      }
    },
  },
];

/** Reading, and what cuts, resets and releases do to it. */
export const READ_CASES: readonly StorageCase[] = Object.freeze([...READS, ...CUTS, ...RELEASES]);
