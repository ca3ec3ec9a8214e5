import type { RandomSource } from "../core/contracts/environment.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/**
 * What a power cut does to sectors that were not synced: keeps the newest, keeps the synced ones,
 * or decides for each of them, where any state that it was in since the last sync may be left.
 */
export type CutEffect = (typeof CUT_EFFECTS)[number];

export const CUT_EFFECTS = Object.freeze(["keep", "lose", "mix"] as const);

/**
 * The content of one file: as a process sees it, and as it is on the disk. Between the two lie, for
 * each sector, all states that it was in since it was last synced, oldest first.
 */
export class SimulatedFileContent {
  #seen: Buffer = Buffer.alloc(0);
  #stable: Buffer = Buffer.alloc(0);
  readonly #unsynced = new Map<number, Buffer[]>();

  get size(): number {
    return this.#seen.length;
  }

  read(into: Uint8Array, position: number): number {
    const source = this.#seen.subarray(position, position + into.length);
    into.set(source);
    return source.length;
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.#seen.length) this.#seen = grown(this.#seen, end);
    this.#seen.set(bytes, position);
    const first = Math.floor(position / SECTOR_BYTES);
    for (let sector = first; sector * SECTOR_BYTES < end; sector += 1) {
      const from = sector * SECTOR_BYTES;
      const states = this.#unsynced.get(sector) ?? [];
      states.push(Buffer.from(this.#seen.subarray(from, from + SECTOR_BYTES)));
      this.#unsynced.set(sector, states);
    }
  }

  /** Begins a sync: what was written until now becomes stable when the returned function is called. */
  beginSync(): () => void {
    const size = this.#seen.length;
    const counts = [...this.#unsynced].map(([sector, states]) => [sector, states.length] as const);
    return () => {
      if (size > this.#stable.length) this.#stable = grown(this.#stable, size);
      for (const [sector, count] of counts) this.#settle(sector, count);
    };
  }

  /**
   * What a failed sync leaves: the pages count as written, so that no later sync writes them, while
   * none or some of them are on the disk.
   */
  failSync(random: RandomSource): void {
    this.#reachDisk("mix", random);
    this.#unsynced.clear();
  }

  /** Afterwards the process's view is what the disk has. */
  cutPower(effect: CutEffect, random: RandomSource): void {
    this.#reachDisk(effect, random);
    this.#unsynced.clear();
    this.#seen = Buffer.from(this.#stable);
  }

  /** Changes one bit where it is stored, and in what the process sees. */
  flip(bit: number): void {
    const at = Math.floor(bit / 8);
    const mask = 1 << (bit % 8);
    for (const bytes of [this.#seen, this.#stable]) {
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ mask;
    }
  }

  /** The sector of this byte is all zeros, where it is stored and in what the process sees. */
  zeroSector(at: number): void {
    const from = at - (at % SECTOR_BYTES);
    for (const bytes of [this.#seen, this.#stable]) bytes.fill(0, from, from + SECTOR_BYTES);
  }

  /** Up to the last byte on stable storage that is not 0. */
  get writtenBytes(): number {
    let end = this.#stable.length;
    while (end > 0 && this.#stable[end - 1] === 0) end -= 1;
    return end;
  }

  /** What a process would read. */
  bytes(): Uint8Array {
    return Buffer.from(this.#seen);
  }

  /** A view of what is on stable storage, until the file changes. */
  get stable(): Uint8Array {
    return this.#stable;
  }

  /** What is on stable storage. */
  stableBytes(): Uint8Array {
    return Buffer.from(this.#stable);
  }

  #settle(sector: number, count: number): void {
    const states = this.#unsynced.get(sector);
    if (states === undefined) return;
    const newest = states[count - 1];
    if (newest !== undefined) this.#place(sector, newest);
    states.splice(0, count);
    if (states.length === 0) this.#unsynced.delete(sector);
  }

  #reachDisk(effect: CutEffect, random: RandomSource): void {
    const sizeReached = effect === "keep" || (effect === "mix" && random.fraction() < 0.5);
    if (sizeReached && this.#seen.length > this.#stable.length) {
      this.#stable = grown(this.#stable, this.#seen.length);
    }
    for (const [sector, states] of this.#unsynced) {
      const state = chosenState(states, effect, random);
      if (state !== undefined) this.#place(sector, state);
    }
  }

  /** A sector beyond the size that the disk knows of is not reached. */
  #place(sector: number, state: Buffer): void {
    const at = sector * SECTOR_BYTES;
    if (at < this.#stable.length) state.copy(this.#stable, at, 0, this.#stable.length - at);
  }
}

function chosenState(
  states: readonly Buffer[],
  effect: CutEffect,
  random: RandomSource,
): Buffer | undefined {
  if (effect === "lose") return undefined;
  if (effect === "keep") return states.at(-1);
  const choice = random.fraction();
  if (choice < 0.4) return undefined;
  if (choice < 0.8) return states.at(-1);
  return states[random.uint32() % states.length];
}

function grown(bytes: Buffer, size: number): Buffer {
  const larger = Buffer.alloc(size);
  bytes.copy(larger);
  return larger;
}
