import type { Effects, StateReader } from "../../core/contracts/machine.ts";
import type { StateEntry } from "../../core/contracts/storage.ts";
import type { Stamp } from "../../core/model/stamp.ts";
import { isSameSession } from "./session-memos.ts";
import { CHUNK_SLOTS, chunkOfSlot, SlotChunk } from "./slot-chunk.ts";
import { allSlotsRange, chunkKey, slotKey } from "./state-rows.ts";

/** What of `Effects` the state machine uses. */
export type StateWriter = Pick<Effects<unknown>, "get" | "put" | "delete">;

/** Of one shard: some for each of several coordinators, whose operations come nearly in order. */
const MAX_HELD = 16;

/**
 * What became of the sessions' operations, by chunks of neighbouring slots. Those that were met last
 * are held, and what a step changes of them is written once, at its end.
 *
 * Invariants
 * - A held chunk says what the state does, with what `flush` has still to write of it.
 * - The rows after `flush` follow from the entries alone, however they were cut into steps.
 * - Where a chunk has a row, none of its slots has one of its own, as builds before chunks kept them:
 *   those go over into the chunk's row with the first change of it.
 */
export class SlotChunks {
  readonly #hasSlotRows: boolean;
  readonly #held: SlotChunk[] = [];
  #newest: SlotChunk | undefined;
  /** The place of the chunk that makes room next. */
  #next = 0;

  /** @param hasSlotRows whether any slot of the shard may lie in a row of its own. */
  constructor(hasSlotRows: boolean) {
    this.#hasSlotRows = hasSlotRows;
  }

  /** The chunk that has the slot; good until another one is asked for. */
  of(session: Stamp, slot: number, state: StateWriter): SlotChunk {
    const number = chunkOfSlot(slot);
    const newest = this.#newest;
    if (newest !== undefined && isOf(newest, session, number)) return newest;
    this.#newest = this.#find(session, number) ?? this.#load(session, number, state);
    return this.#newest;
  }

  /** Writes down what has changed since the last call. */
  flush(state: StateWriter): void {
    for (const chunk of this.#held) if (chunk.isDirty) write(chunk, state);
  }

  #find(session: Stamp, number: number): SlotChunk | undefined {
    for (const chunk of this.#held) if (isOf(chunk, session, number)) return chunk;
    return undefined;
  }

  #load(session: Stamp, number: number, state: StateWriter): SlotChunk {
    const row = state.get(chunkKey(session, number));
    const chunk = new SlotChunk(session, number, row);
    if (row === undefined && this.#hasSlotRows) chunk.adopt(slotRowsOf(session, number, state));
    if (this.#held.length < MAX_HELD) {
      this.#held.push(chunk);
      return chunk;
    }
    const leaving = this.#held[this.#next] as SlotChunk;
    if (leaving.isDirty) write(leaving, state);
    this.#held[this.#next] = chunk;
    this.#next = (this.#next + 1) % MAX_HELD;
    return chunk;
  }
}

function isOf(chunk: SlotChunk, session: Stamp, number: number): boolean {
  return chunk.number === number && isSameSession(chunk.session, session);
}

function write(chunk: SlotChunk, state: StateWriter): void {
  chunk.isDirty = false;
  for (const key of chunk.slotRows) state.delete(key);
  chunk.slotRows = [];
  if (!chunk.isEmpty) state.put(chunk.key, chunk.encode());
  else if (chunk.isStored) state.delete(chunk.key);
  chunk.isStored = !chunk.isEmpty;
}

/** One by one: a step reads no ranges once it has written. */
function slotRowsOf(session: Stamp, number: number, state: StateWriter): readonly StateEntry[] {
  const rows: StateEntry[] = [];
  for (let slot = number * CHUNK_SLOTS; slot < (number + 1) * CHUNK_SLOTS; slot++) {
    const key = slotKey(session, slot);
    const value = state.get(key);
    if (value !== undefined) rows.push({ key, value });
  }
  return rows;
}

/** Whether builds before chunks have left something. To be asked before a step writes. */
export function hasSlotRows(state: Pick<StateReader, "range">): boolean {
  const { from, to } = allSlotsRange();
  return state.range(from, to, 1, 1).entries.length > 0;
}
