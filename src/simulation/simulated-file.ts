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

/** Of a file that is filled piece by piece not all is copied for each piece: room is had in advance. */
class GrowingBytes {
  #room: Buffer;
  bytes: Buffer;

  constructor(content: Uint8Array = new Uint8Array(0)) {
    this.#room = Buffer.alloc(content.length);
    this.#room.set(content);
    this.bytes = this.#room;
  }

  /** What is added is zeros. */
  growTo(size: number): void {
    if (size <= this.bytes.length) return;
    if (size > this.#room.length) {
      this.#room = Buffer.alloc(Math.max(size, 2 * this.#room.length));
      this.#room.set(this.bytes);
    }
    this.bytes = this.#room.subarray(0, size);
  }
}

/**
 * The content of one file: as a process sees it, and as it is on the disk. Between the two lie, for
 * each sector, all states that it was in since it was last synced, oldest first.
 */
export class SimulatedFileContent {
  #seen = new GrowingBytes();
  #stable = new GrowingBytes();
  readonly #unsynced = new Map<number, SectorState[]>();

  get size(): number {
    return this.#seen.bytes.length;
  }

  read(into: Uint8Array, position: number): number {
    const source = this.#seen.bytes.subarray(position, position + into.length);
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
    this.#seen.growTo(end);
    this.#seen.bytes.set(bytes, position);
  }

  /** Begins a sync: what was written until now becomes stable when the returned function is called. */
  beginSync(): () => void {
    const { size } = this;
    const sectors: number[] = [];
    const counts: number[] = [];
    for (const [sector, states] of this.#unsynced) {
      sectors.push(sector);
      counts.push(states.length);
    }
    return () => {
      this.#stable.growTo(size);
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
    this.#seen = new GrowingBytes(this.#stable.bytes);
  }

  /** Changes one bit where it is stored, and in what the process sees. */
  flip(bit: number): void {
    this.#keepAll();
    const at = Math.floor(bit / 8);
    const mask = 1 << (bit % 8);
    for (const { bytes } of [this.#seen, this.#stable]) {
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ mask;
    }
  }

  /** The sector of this byte is all zeros, where it is stored and in what the process sees. */
  zeroSector(at: number): void {
    this.#keepAll();
    const from = at - (at % SECTOR_BYTES);
    for (const { bytes } of [this.#seen, this.#stable]) bytes.fill(0, from, from + SECTOR_BYTES);
  }

  /** Up to the last byte on stable storage that is not 0. */
  get writtenBytes(): number {
    const { bytes } = this.#stable;
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end -= 1;
    return end;
  }

  /** What a process would read. */
  bytes(): Uint8Array {
    return Buffer.from(this.#seen.bytes);
  }

  /** A view of what is on stable storage, until the file changes. */
  get stable(): Uint8Array {
    return this.#stable.bytes;
  }

  /** What is on stable storage. */
  stableBytes(): Uint8Array {
    return Buffer.from(this.#stable.bytes);
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
    if (sizeReached) this.#stable.growTo(this.size);
    for (const [sector, states] of this.#unsynced) {
      const chosen = chosenState(states.length, effect, random);
      if (chosen !== undefined) this.#place(sector, states[chosen]);
    }
  }

  /** A sector beyond the size that the disk knows of is not reached. */
  #place(sector: number, state: SectorState): void {
    const at = sector * SECTOR_BYTES;
    const stable = this.#stable.bytes;
    const room = stable.length - at;
    if (room <= 0) return;
    if (state !== undefined) state.copy(stable, at, 0, room);
    else this.#seen.bytes.copy(stable, at, at, at + Math.min(SECTOR_BYTES, room));
  }

  /** Before the process sees something else: the newest state gets a content of its own. */
  #keep(sector: number, states: SectorState[]): void {
    const from = sector * SECTOR_BYTES;
    states[states.length - 1] ??= Buffer.from(this.#seen.bytes.subarray(from, from + SECTOR_BYTES));
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
