import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type LogReadResult,
  SPACES,
  type Storage,
} from "../../../../src/core/contracts/storage.ts";
import type { LogSequence, ShardId } from "../../../../src/core/model/ids.ts";
import {
  GOLDEN_KEYS,
  GOLDEN_RECORDS,
  GOLDEN_SHARDS,
  goldenText,
  openGolden,
} from "../../../support/golden-disk.ts";
import { runBeside } from "../../../support/run-beside.ts";
import { VirtualTime } from "../../../support/virtual-environment.ts";

const time = new VirtualTime();
let path: string;
let storage: Storage;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), "capstan-golden-"));
  const golden = fileURLToPath(new URL("../../../golden/disk-v1", import.meta.url));
  await cp(golden, path, { recursive: true });
  storage = await runBeside(time, openGolden(path, time));
});
afterAll(async () => {
  await runBeside(time, storage.close());
  await rm(path, { recursive: true, force: true });
});

test("the data directory of format 1 opens whole, as one that was closed", () => {
  expect(storage.problems).toEqual([]);
  expect(storage.log.health().damagedShards).toEqual([]);
  expect(storage.identity).toEqual({
    storeId: expect.stringMatching(/^[0-9a-f]{32}$/),
    incarnation: 2,
    fresh: false,
    kept: "memory",
  });
});

test("its state has every entry, and nothing else", () => {
  const { state } = storage;
  expect([state.committedPosition, state.durablePosition]).toEqual([4, 4]);
  const [first, second, third] = GOLDEN_SHARDS;
  expect(state.shards()).toEqual([
    { shard: first, generation: 1 },
    { shard: second, generation: 2 },
    { shard: third, generation: 1 },
  ]);
  for (const shard of GOLDEN_SHARDS) {
    const view = state.view(shard);
    for (const space of SPACES) {
      const { entries } = view.range(space, undefined, undefined, Number.POSITIVE_INFINITY);
      const found = entries.map(({ key, value }) => [[...key], Buffer.from(value).toString()]);
      const expected = GOLDEN_KEYS.map((key, at) => [[...key], goldenText(shard, space, at)]);
      expect(found, `${space} of shard ${shard}`).toEqual(expected);
    }
    view.close();
  }
});

test("its log has every record", async () => {
  const { log } = storage;
  expect(log.lastPosition).toBe(GOLDEN_SHARDS.length * (GOLDEN_RECORDS + 2));
  const read = (shard: ShardId): Promise<LogReadResult> =>
    new Promise((resolve) => log.read(shard, 1 as LogSequence, 1e6, resolve));
  for (const shard of GOLDEN_SHARDS) {
    expect(log.lastSequence(shard)).toBe(GOLDEN_RECORDS);
    const result = await runBeside(time, read(shard));
    const records = result.type === "records" ? result.records : [];
    const expected = Array.from({ length: GOLDEN_RECORDS }, (_, at) =>
      goldenText(shard, "data", at + 1),
    );
    expect(records.map(({ payload }) => Buffer.from(payload).toString())).toEqual(expected);
  }
});
