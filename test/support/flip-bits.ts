import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from "node:fs";
import { join, relative } from "node:path";
import type { RandomSource } from "../../src/core/contracts/environment.ts";

export interface Flipped {
  /** Below the folder. */
  readonly file: string;
  readonly positions: readonly number[];
}

/** The regular files below a folder that hold anything. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).size > 0)
    .sort();
}

/**
 * Flips `count` bits of one file, among the bytes that are not zero: what is preallocated and
 * empty says nothing, and nobody misses it.
 */
export function flipBits(
  folder: string,
  file: string,
  count: number,
  random: RandomSource,
): Flipped {
  const descriptor = openSync(file, "r+");
  try {
    const bytes = Buffer.alloc(statSync(file).size);
    readSync(descriptor, bytes, 0, bytes.length, 0);
    const used: number[] = [];
    for (const [at, byte] of bytes.entries()) if (byte !== 0) used.push(at);
    const positions: number[] = [];
    for (let flip = 0; flip < count && used.length > 0; flip += 1) {
      const at = used[random.uint32() % used.length] as number;
      const flipped = (bytes[at] as number) ^ (1 << (random.uint32() % 8));
      writeSync(descriptor, Buffer.of(flipped), 0, 1, at);
      positions.push(at);
    }
    return { file: relative(folder, file), positions };
  } finally {
    closeSync(descriptor);
  }
}
