import type { RandomSource } from "../core/contracts/environment.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/**
 * What a power cut does to sectors that were not synced: keeps the newest, keeps the synced ones,
 * or decides for each of them, where any state that it was in since the last sync may be left.
 */
export type CutEffect = (typeof CUT_EFFECTS)[number];

export const CUT_EFFECTS = Object.freeze(["keep", "lose", "mix"] as const);

/** The content, or undefined as long as the process still sees it: then it is the last of its sector. */
type SectorState = Buffer | undefined;

/**
 * The content of one file: as a process sees it, and as it is on the disk. Between the two lie, for
 * each sector, all states that it was in since it was last synced, oldest first.
 */
export class SimulatedFileContent {
  #seen: Buffer = Buffer.alloc(0);
  #stable: Buffer = Buffer.alloc(0);
  readonly #unsynced = new Map<number, SectorState[]>();

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
    const first = Math.floor(position / SECTOR_BYTES);
    for (let sector = first; sector * SECTOR_BYTES < end; sector += 1) {
      const states = this.#unsynced.get(sector);
      if (states === undefined) this.#unsynced.set(sector, [undefined]);
      else {
        this.#keep(sector, states);
        states.push(undefined);
      }
    }
    if (end > this.#seen.length) this.#seen = grown(this.#seen, end);
    this.#seen.set(bytes, position);
  }

  /** Begins a sync: what was written until now becomes stable when the returned function is called. */
  beginSync(): () => void {
    const size = this.#seen.length;
    const sectors: number[] = [];
    const counts: number[] = [];
    for (const [sector, states] of this.#unsynced) {
      sectors.push(sector);
      counts.push(states.length);
    }
    return () => {
      if (size > this.#stable.length) this.#stable = grown(this.#stable, size);
      for (let at = 0; at < sectors.length; at += 1) {
        this.#settle(sectors[at] as number, counts[at] as number);
      }
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
    this.#keepAll();
    const at = Math.floor(bit / 8);
    const mask = 1 << (bit % 8);
    for (const bytes of [this.#seen, this.#stable]) {
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ mask;
    }
  }

  /** The sector of this byte is all zeros, where it is stored and in what the process sees. */
  zeroSector(at: number): void {
    this.#keepAll();
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
    if (count <= states.length) this.#place(sector, states[count - 1]);
    if (states.length <= count) this.#unsynced.delete(sector);
    else states.splice(0, count);
  }

  #reachDisk(effect: CutEffect, random: RandomSource): void {
    const sizeReached = effect === "keep" || (effect === "mix" && random.fraction() < 0.5);
    if (sizeReached && this.#seen.length > this.#stable.length) {
      this.#stable = grown(this.#stable, this.#seen.length);
    }
    for (const [sector, states] of this.#unsynced) {
      const chosen = chosenState(states.length, effect, random);
      if (chosen !== undefined) this.#place(sector, states[chosen]);
    }
  }

  /** A sector beyond the size that the disk knows of is not reached. */
  #place(sector: number, state: SectorState): void {
    const at = sector * SECTOR_BYTES;
    const room = this.#stable.length - at;
    if (room <= 0) return;
    if (state !== undefined) state.copy(this.#stable, at, 0, room);
    else this.#seen.copy(this.#stable, at, at, at + Math.min(SECTOR_BYTES, room));
  }

  /** Before the process sees something else: the newest state gets a content of its own. */
  #keep(sector: number, states: SectorState[]): void {
    const from = sector * SECTOR_BYTES;
    states[states.length - 1] ??= Buffer.from(this.#seen.subarray(from, from + SECTOR_BYTES));
  }

  #keepAll(): void {
    for (const [sector, states] of this.#unsynced) this.#keep(sector, states);
  }
}

/** Its place among the states; undefined for the one that was synced. */
function chosenState(count: number, effect: CutEffect, random: RandomSource): number | undefined {
  if (effect === "lose") return undefined;
  if (effect === "keep") return count - 1;
  const choice = random.fraction();
  if (choice < 0.4) return undefined;
  if (choice < 0.8) return count - 1;
  return random.uint32() % count;
}

function grown(bytes: Buffer, size: number): Buffer {
  const larger = Buffer.alloc(size);
  bytes.copy(larger);
  return larger;
}
