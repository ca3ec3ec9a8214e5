import type { StateEntry } from "../../core/contracts/storage.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import type { Stamp } from "../../core/model/stamp.ts";
import { readU64 } from "./record.ts";
import {
  hasMemory,
  MEMORY_BYTES,
  type MemoryOfOperation,
  readMemory,
  writeMemory,
} from "./remembered.ts";
import { chunkKey } from "./state-rows.ts";

/**
 * How many sequences of a session are remembered. Sequence `s` lies in slot `s mod WINDOW`, which
 * the sequence `s + WINDOW` takes over: what was in a slot and is not any more is forgotten.
 */
export const SESSION_WINDOW = 4_096;

/** So many neighbouring slots are one row: the writes of a step are mostly neighbours. */
export const CHUNK_SLOTS = 64;

export function slotOfSequence(sequence: number): number {
  return sequence % SESSION_WINDOW;
}

export function chunkOfSlot(slot: number): number {
  return Math.floor(slot / CHUNK_SLOTS);
}

/**
 * Neighbouring slots of a session, to be read and written in place. Their row has what was taken of
 * them, in the order of the slots, and nothing of the others.
 */
export class SlotChunk {
  readonly session: Stamp;
  readonly number: number;
  /** Of its row. */
  readonly key: Uint8Array;
  /** Says more than its row does. */
  isDirty = false;
  /** Whether the state has its row. */
  isStored: boolean;
  /** Rows of single slots that its own is to take the place of. */
  slotRows: readonly Uint8Array[] = [];
  readonly #slots = new Uint8Array(CHUNK_SLOTS * MEMORY_BYTES);
  #taken = 0;

  /** @param row undefined: none of the slots is taken. Throws `MalformedBytesError`. */
  constructor(session: Stamp, number: number, row: Uint8Array | undefined) {
    this.session = session;
    this.number = number;
    this.key = chunkKey(session, number);
    this.isStored = row !== undefined;
    if (row !== undefined) this.#takeAll(row);
  }

  get isEmpty(): boolean {
    return this.#taken === 0;
  }

  /** Undefined: nothing is there. */
  sequenceIn(slot: number): number | undefined {
    const at = placeOf(slot);
    return hasMemory(this.#slots, at) ? readU64(this.#slots, at) : undefined;
  }

  /** Only where `sequenceIn` has something. */
  memoryIn(slot: number): MemoryOfOperation {
    return readMemory(this.#slots, placeOf(slot));
  }

  /** True if nothing was in its slot. */
  set(sequence: number, memory: MemoryOfOperation): boolean {
    const at = placeOf(slotOfSequence(sequence));
    const wasFree = !hasMemory(this.#slots, at);
    if (wasFree) this.#taken++;
    writeMemory(this.#slots, at, sequence, memory);
    this.isDirty = true;
    return wasFree;
  }

  /** True if something was there. */
  clear(slot: number): boolean {
    const at = placeOf(slot);
    if (!hasMemory(this.#slots, at)) return false;
    this.#slots.fill(0, at, at + MEMORY_BYTES);
    this.#taken--;
    this.isDirty = true;
    return true;
  }

  /** Takes up slots that lie in rows of their own. */
  adopt(rows: readonly StateEntry[]): void {
    for (const { value } of rows) {
      if (value.length !== MEMORY_BYTES) throw malformed(value);
      this.#take(value, 0);
    }
    this.slotRows = rows.map(({ key }) => key);
  }

  /** Its row: bytes of their own. */
  encode(): Uint8Array {
    const row = Buffer.allocUnsafe(this.#taken * MEMORY_BYTES);
    if (this.#taken === CHUNK_SLOTS) {
      row.set(this.#slots, 0);
      return row;
    }
    let to = 0;
    for (let at = 0; to < row.length; at += MEMORY_BYTES) {
      if (!hasMemory(this.#slots, at)) continue;
      copyMemory(this.#slots, at, row, to);
      to += MEMORY_BYTES;
    }
    return row;
  }

  #takeAll(row: Uint8Array): void {
    const count = countIn(row);
    if (count < CHUNK_SLOTS) {
      for (let at = 0; at < row.length; at += MEMORY_BYTES) this.#take(row, at);
      return;
    }
    for (let at = 0; at < row.length; at += MEMORY_BYTES) this.#check(row, at, at);
    this.#slots.set(row, 0);
    this.#taken = count;
  }

  #take(row: Uint8Array, from: number): void {
    const to = placeOf(slotOfSequence(readU64(row, from)));
    this.#check(row, from, to);
    if (hasMemory(this.#slots, to)) throw malformed(row);
    copyMemory(row, from, this.#slots, to);
    this.#taken++;
  }

  #check(row: Uint8Array, from: number, to: number): void {
    const slot = slotOfSequence(readU64(row, from));
    const isHere = chunkOfSlot(slot) === this.number && placeOf(slot) === to;
    if (!isHere || !hasMemory(row, from)) throw malformed(row);
  }
}

/** The slots that a chunk's row has something of. */
export function slotsInRow(row: Uint8Array): number[] {
  return Array.from({ length: countIn(row) }, (_, index) =>
    slotOfSequence(readU64(row, index * MEMORY_BYTES)),
  );
}

function countIn(row: Uint8Array): number {
  const count = row.length / MEMORY_BYTES;
  if (!Number.isInteger(count) || count > CHUNK_SLOTS) throw malformed(row);
  return count;
}

/** Without a view on the bytes, which would cost more than they do. */
function copyMemory(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let at = 0; at < MEMORY_BYTES; at++) target[to + at] = source[from + at] as number;
}

function placeOf(slot: number): number {
  return (slot % CHUNK_SLOTS) * MEMORY_BYTES;
}

function malformed(row: Uint8Array): MalformedBytesError {
  return new MalformedBytesError(`remembered outcomes of ${row.length} bytes`);
}
