import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import {
  NODE_SHARD,
  SPACES,
  type Space,
  type StateMutation,
  type Storage,
} from "../../src/core/contracts/storage.ts";
import type { LogPosition, LogSequence, ShardId } from "../../src/core/model/ids.ts";
import { lockDirectory } from "../../src/storage/disk/directory/directory-lock.ts";
import { openDiskStorage } from "../../src/storage/disk/disk-storage.ts";
import { openSegmentedLog } from "../../src/storage/disk/log/open-segmented-log.ts";
import { NodeDisk } from "../../src/storage/disk/node-disk.ts";
import { openLmdbFile } from "../../src/storage/disk/state/state-file.ts";
import { VirtualEnvironment, type VirtualTime } from "./virtual-environment.ts";

/** What the golden data directory holds: made from this, and compared with it. */
export const GOLDEN_SHARDS: readonly ShardId[] = Object.freeze([
  NODE_SHARD,
  0x1234_5678_0001,
  0xfedc_ba98_0002,
] as ShardId[]);
export const GOLDEN_RECORDS = 5;

export function goldenText(shard: ShardId, space: Space, at: number): string {
  return `${space} ${at} of shard ${shard}, ä${"+".repeat(at * 400)}`;
}

/** Keys of bytes that order in every way: none, 0, 255. */
export const GOLDEN_KEYS: readonly Uint8Array[] = Object.freeze(
  [[], [0], [97], [97, 0], [255, 255]].map((bytes) => Uint8Array.from(bytes)),
);

/** Small files; the machine's boot is nobody's business. */
export function openGolden(path: string, time: VirtualTime): Promise<Storage> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "golden", environment, observer: SILENT_OBSERVER };
  return openDiskStorage({ path, segmentBytes: "16KiB", maxBatchBytes: "4KiB" }, context, {
    disk: new NodeDisk(),
    readBootId: async () => undefined,
    lock: lockDirectory,
    openStateFile: openLmdbFile,
    openLog: openSegmentedLog,
  });
}

/** Fills a new data directory and closes it. */
export async function makeGolden(path: string, time: VirtualTime): Promise<void> {
  const storage = await openGolden(path, time);
  const { log, state } = storage;
  const failed = (error: Error): void => {
    throw error;
  };
  log.start({ onDurable: () => undefined, onFailed: failed });
  state.start({ onFailed: failed });
  for (const shard of GOLDEN_SHARDS) {
    for (let sequence = 1; sequence <= GOLDEN_RECORDS + 1; sequence += 1) {
      const payload = Buffer.from(goldenText(shard, "data", sequence));
      log.append({ shard, sequence: sequence as LogSequence, payload }, "fsync");
    }
    log.truncateSuffix(shard, GOLDEN_RECORDS as LogSequence);
  }
  log.flush();
  state.commit({ mutations: GOLDEN_SHARDS.flatMap(entriesOf), position: 3 as LogPosition });
  const [, shard] = GOLDEN_SHARDS as [ShardId, ShardId];
  const generation = state.newGeneration(shard);
  state.commit({
    mutations: [{ type: "switch-generation", shard, generation }, ...entriesOf(shard)],
    position: 4 as LogPosition,
  });
  await storage.close();
}

function entriesOf(shard: ShardId): StateMutation[] {
  const puts = SPACES.flatMap((space) =>
    GOLDEN_KEYS.map((key, at): StateMutation => {
      const value = Buffer.from(goldenText(shard, space, at));
      return { type: "put", shard, space, key, value };
    }),
  );
  const key = Buffer.from("gone");
  const gone = { shard, space: "data", key } as const;
  return [...puts, { type: "put", ...gone, value: key }, { type: "delete", ...gone }];
}
