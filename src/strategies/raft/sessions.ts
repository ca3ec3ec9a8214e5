import { type Stamp, wallMsOf } from "../../core/model/stamp.ts";
import type { Books } from "./books.ts";
import type { Identity } from "./commands.ts";
import { readU64, writeU64 } from "./record.ts";
import { MEMORY_BYTES, type MemoryOfOperation, readMemory, writeMemory } from "./remembered.ts";
import { type SessionMemo, SessionMemos } from "./session-memos.ts";
import { slotOfSequence } from "./slot-chunk.ts";
import { SlotChunks, type StateWriter } from "./slot-chunks.ts";
import { ownKeyExpiryKey, ownKeyRow, sessionKey } from "./state-rows.ts";

/** Of one shard. Beyond it no new session and no further key of a user's own is taken. */
const MAX_REMEMBERED_ROWS = 2_000_000;
/** A session's last use is written down when it has moved by this part of the lifetime. */
const LAST_USE_PARTS = 8;

/**
 * - `new`: it was never applied, and from now on is remembered.
 * - `known`: it was met before.
 * - `forgotten`: whether it was applied nobody knows: the session is over, or its window has moved.
 * - `full`: nothing more can be remembered.
 */
export type Recollection =
  | { readonly type: "new" | "forgotten" | "full" }
  | { readonly type: "known"; readonly memory: MemoryOfOperation };

const NEW: Recollection = Object.freeze({ type: "new" });
const FORGOTTEN: Recollection = Object.freeze({ type: "forgotten" });
const FULL: Recollection = Object.freeze({ type: "full" });
/** A session's own row: when it was last used, by the clock of the log; 0 once it is closed. */
const LAST_USE_BYTES = 8;

/**
 * At most once (thesis §6.3), as rows of the shard's state. A session is opened by the entry of its
 * first operation, and is over once it was not used for its lifetime.
 *
 * Why a session that is over is never opened again, so that a late copy of one of its operations
 * is refused: the id of a session is the stamp of its making, and one that is swept raises
 * `books.sessionFloor` to it. At or below the floor nothing is opened, and the floor never falls.
 */
export class Sessions {
  readonly #books: Books;
  readonly #memos = new SessionMemos();
  readonly #chunks: SlotChunks;

  /** @param hasSlotRows see `SlotChunks`. */
  constructor(books: Books, hasSlotRows = false) {
    this.#books = books;
    this.#chunks = new SlotChunks(hasSlotRows);
  }

  recall(identity: Identity, state: StateWriter): Recollection {
    if (identity.type === "own-key") return this.#recallOwnKey(identity.key, state);
    const { session, sequence } = identity;
    const memo = this.#memoOf(session, state);
    if (memo === undefined && session.time <= this.#books.sessionFloor) return FORGOTTEN;
    if (memo === undefined && this.#isFull) return FULL;
    // Nothing was remembered under a session that is to be opened.
    if (memo === undefined) return NEW;
    const slot = slotOfSequence(sequence);
    const chunk = this.#chunks.of(session, slot, state);
    const there = chunk.sequenceIn(slot);
    if (there === undefined) return NEW;
    if (there === sequence) return { type: "known", memory: chunk.memoryIn(slot) };
    return there > sequence ? FORGOTTEN : NEW;
  }

  /** Only after `recall` has answered `new` for it, within the same entry. */
  remember(
    identity: Identity,
    memory: MemoryOfOperation,
    lifetimeMs: number,
    state: StateWriter,
  ): void {
    if (identity.type === "own-key") {
      this.#rememberOwnKey(identity.key, memory, lifetimeMs, state);
      return;
    }
    const { session, sequence } = identity;
    this.#use(session, lifetimeMs, state);
    const chunk = this.#chunks.of(session, slotOfSequence(sequence), state);
    if (chunk.set(sequence, memory)) this.#books.rememberedRows++;
  }

  /** Writes down what is remembered since the last call: the state has it from here on. */
  flush(state: StateWriter): void {
    this.#chunks.flush(state);
  }

  /**
   * Closes a session whose time has come, unless it was used since. One that is closed already goes
   * altogether: the leader says so once none of its slots is left.
   */
  sweepSession(session: Stamp, lifetimeMs: number, state: StateWriter): void {
    this.#memos.forget(session);
    const key = sessionKey(session);
    const row = state.get(key);
    if (row === undefined) return;
    if (isClosed(row)) {
      state.delete(key);
      this.#books.rememberedRows--;
    } else if (isOver(session, row, this.#books.clockMs, lifetimeMs)) {
      state.put(key, new Uint8Array(LAST_USE_BYTES));
      this.#books.sessionFloor = Math.max(this.#books.sessionFloor, session.time);
    }
  }

  /** A slot goes once its session is closed. */
  sweepSlot(session: Stamp, slot: number, state: StateWriter): void {
    const row = state.get(sessionKey(session));
    if (row !== undefined && !isClosed(row)) return;
    const chunk = this.#chunks.of(session, slot, state);
    if (chunk.clear(slot)) this.#books.rememberedRows--;
  }

  sweepOwnKey(ownKey: string, state: StateWriter): void {
    const key = ownKeyRow(ownKey);
    const row = state.get(key);
    if (row === undefined) return;
    const expiresAtMs = readU64(row, 0);
    if (expiresAtMs > this.#books.clockMs) return;
    state.delete(key);
    state.delete(ownKeyExpiryKey(expiresAtMs, ownKey));
    this.#books.rememberedRows--;
  }

  get #isFull(): boolean {
    return this.#books.rememberedRows >= MAX_REMEMBERED_ROWS;
  }

  /** Undefined: the session is not open. */
  #memoOf(session: Stamp, state: StateWriter): SessionMemo | undefined {
    const there = this.#memos.get(session);
    if (there !== undefined) return there;
    const row = state.get(sessionKey(session));
    if (row === undefined || isClosed(row)) return undefined;
    return this.#memorise(session, readU64(row, 0));
  }

  #memorise(session: Stamp, lastUseMs: number): SessionMemo {
    const memo: SessionMemo = { session, lastUseMs };
    this.#memos.add(memo);
    return memo;
  }

  #use(session: Stamp, lifetimeMs: number, state: StateWriter): void {
    // 0 is what the row of a closed session says.
    const clockMs = Math.max(1, this.#books.clockMs);
    const known = this.#memoOf(session, state);
    if (known !== undefined && clockMs - known.lastUseMs < lifetimeMs / LAST_USE_PARTS) return;
    const key = sessionKey(session);
    if (known === undefined && state.get(key) === undefined) this.#books.rememberedRows++;
    const used = new Uint8Array(LAST_USE_BYTES);
    writeU64(used, clockMs, 0);
    state.put(key, used);
    if (known === undefined) this.#memorise(session, clockMs);
    else known.lastUseMs = clockMs;
  }

  /** A row whose time has come and that was not swept yet counts as gone. */
  #recallOwnKey(ownKey: string, state: StateWriter): Recollection {
    const row = state.get(ownKeyRow(ownKey));
    if (row !== undefined && readU64(row, 0) > this.#books.clockMs) {
      return { type: "known", memory: readMemory(row, 0) };
    }
    return row === undefined && this.#isFull ? FULL : NEW;
  }

  #rememberOwnKey(
    ownKey: string,
    memory: MemoryOfOperation,
    lifetimeMs: number,
    state: StateWriter,
  ): void {
    const key = ownKeyRow(ownKey);
    const before = state.get(key);
    if (before === undefined) this.#books.rememberedRows++;
    else state.delete(ownKeyExpiryKey(readU64(before, 0), ownKey));
    const expiresAtMs = this.#books.clockMs + lifetimeMs;
    state.put(key, encodeMemory(expiresAtMs, memory));
    state.put(ownKeyExpiryKey(expiresAtMs, ownKey), new Uint8Array(0));
  }
}

/** Whether the session of this row is over for good: only what is left of it has to go. */
export function isClosed(row: Uint8Array): boolean {
  return readU64(row, 0) === 0;
}

/** Whether the session of this row has not been used for its lifetime. */
export function isOver(
  session: Stamp,
  row: Uint8Array,
  clockMs: number,
  lifetimeMs: number,
): boolean {
  // Its row may lag behind its last use by a part of the lifetime.
  const lagMs = lifetimeMs / LAST_USE_PARTS;
  const lastUseMs = Math.max(readU64(row, 0) + lagMs, wallMsOf(session.time));
  return clockMs > lastUseMs + lifetimeMs;
}

function encodeMemory(expiresAtMs: number, memory: MemoryOfOperation): Uint8Array {
  const bytes = Buffer.allocUnsafe(MEMORY_BYTES);
  writeMemory(bytes, 0, expiresAtMs, memory);
  return bytes;
}
