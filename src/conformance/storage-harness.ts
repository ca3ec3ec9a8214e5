import type { Space, Storage } from "../core/contracts/storage.ts";
import type { LogSequence, ShardId } from "../core/model/ids.ts";
import { type ConformanceCase, check, type SuiteClock } from "./suite.ts";

/** How the storage suites get at the storage that they test. */
export interface StorageHarness {
  /** The clock of the environment that the storage is opened with. */
  readonly clock: SuiteClock;
  /** What `capabilities.persistent` of both stores says; chooses the cases. */
  readonly persistent: boolean;
  /**
   * Opens new, empty storage; with `previous`, that same one again, after it was closed, crashed
   * or made to fail (persistent storage only). `options` are handed to the factory.
   */
  open(previous?: Storage, options?: Readonly<Record<string, unknown>>): Promise<Storage>;
  /**
   * A power cut under open storage: what was not durable is lost, or part of it. Its calls may do
   * anything from then on but change what `open` finds. Without it those cases are left out.
   */
  crash?(storage: Storage): Promise<void>;
  readonly faults?: StorageFaults;
}

/** Ways to break what is stored. Each case needs one of them, and is left out without it. */
export interface StorageFaults {
  /** The next sync of the log fails. */
  failLogSync?(storage: Storage): void;
  /** The next commit of the state fails to become durable. */
  failStateSync?(storage: Storage): void;
  /** Changes a durable record where it is stored. The storage is closed. */
  damageLogRecord?(storage: Storage, shard: ShardId, sequence: LogSequence): Promise<void>;
  /** Changes a durable entry where it is stored. The storage is closed. */
  damageStateEntry?(storage: Storage, shard: ShardId, space: Space, key: Uint8Array): Promise<void>;
}

/** One obligation, to be asked of storage that was just opened for it. */
export interface StorageCase {
  readonly name: string;
  /** Whether the harness can ask this; default: always. */
  readonly needs?: (harness: StorageHarness) => boolean;
  readonly run: (storage: Storage, harness: StorageHarness) => Promise<void> | void;
}

/** Binds the cases that the harness can ask. Each opens storage of its own, and closes it. */
export function bindCases(
  harness: StorageHarness,
  cases: readonly StorageCase[],
): ConformanceCase[] {
  return cases
    .filter(({ needs }) => needs === undefined || needs(harness))
    .map(({ name, run }) => ({
      name,
      run: async () => {
        const storage = await harness.open();
        try {
          await run(storage, harness);
        } finally {
          await storage.close();
        }
      },
    }));
}

export function isPersistent(harness: StorageHarness): boolean {
  return harness.persistent;
}

export function canCrash(harness: StorageHarness): boolean {
  return harness.persistent && harness.crash !== undefined;
}

/** Runs `use` over `previous`, opened again, and closes it. `previous` is closed first. */
export async function reopened(
  harness: StorageHarness,
  previous: Storage,
  use: (storage: Storage) => Promise<void> | void,
): Promise<void> {
  await previous.close();
  await afterOpening(harness, previous, use);
}

/** The same over a power cut. */
export async function crashed(
  harness: StorageHarness,
  previous: Storage,
  use: (storage: Storage) => Promise<void> | void,
): Promise<void> {
  check(harness.crash !== undefined, "the harness cannot crash");
  await harness.crash(previous);
  await afterOpening(harness, previous, use);
}

async function afterOpening(
  harness: StorageHarness,
  previous: Storage,
  use: (storage: Storage) => Promise<void> | void,
): Promise<void> {
  const storage = await harness.open(previous);
  try {
    await use(storage);
  } finally {
    await storage.close();
  }
}

/** Shards of two keyspaces, as the store numbers them: beyond 32 bits. */
export const SHARD_A = 0x1234_5678_0001 as ShardId;
export const SHARD_B = 0x1234_5678_0002 as ShardId;
export const SHARD_C = 0xfedc_ba98_0001 as ShardId;

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

export function isError(error: unknown): boolean {
  return error instanceof Error;
}
