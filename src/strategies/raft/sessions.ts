import type { Effects } from "../../core/contracts/machine.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { type Stamp, wallMsOf } from "../../core/model/stamp.ts";
import type { Books } from "./books.ts";
import type { Identity } from "./commands.ts";
import { readU32, readU64, writeU32, writeU64 } from "./record.ts";
import { SessionMemo, SessionMemos } from "./session-memos.ts";
import { ownKeyExpiryKey, ownKeyRow, sessionKey, slotKey } from "./state-rows.ts";

/** What of `Effects` the state machine uses. */
export type StateWriter = Pick<Effects<unknown>, "get" | "put" | "delete">;

/**
 * How many sequences of a session are remembered. Sequence `s` lies in slot `s mod WINDOW`, which
 * the sequence `s + WINDOW` takes over: what was in a slot and is not any more is forgotten.
 */
export const SESSION_WINDOW = 4_096;

/** Of one shard. Beyond it no new session and no further key of a user's own is taken. */
const MAX_REMEMBERED_ROWS = 2_000_000;
/** A session's last use is written down when it has moved by this part of the lifetime. */
const LAST_USE_PARTS = 8;

/** What became of an operation: the reasons are those of `WriteResult.rejected`. */
export const REMEMBERED = Object.freeze({
  written: 1,
  "version-mismatch": 2,
  exists: 3,
  absent: 4,
  fenced: 5,
});
export type Remembered = keyof typeof REMEMBERED;
const OUTCOMES = Object.freeze(Object.keys(REMEMBERED)) as readonly Remembered[];

export interface MemoryOfOperation {
  readonly outcome: Remembered;
  readonly revision: number;
  /** Hash of what was to be written. */
  readonly fingerprint: number;
}

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
const MEMORY_BYTES = 21;
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

  constructor(books: Books) {
    this.#books = books;
  }

  recall(identity: Identity, state: StateWriter): Recollection {
    if (identity.type === "own-key") return this.#recallOwnKey(identity.key, state);
    const { session, sequence } = identity;
    const memo = this.#memoOf(session, state);
    if (memo === undefined && session.time <= this.#books.sessionFloor) return FORGOTTEN;
    if (memo === undefined && this.#isFull) return FULL;
    const slot = sequence % SESSION_WINDOW;
    if (memo?.isKnown(slot) === true && sequence > memo.greatest) return NEW;
    const known = state.get(slotKey(session, slot));
    const there = known === undefined ? undefined : readU64(known, 0);
    memo?.note(slot, there);
    if (known === undefined || there === undefined) return NEW;
    if (there === sequence) return { type: "known", memory: decodeMemory(known) };
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
    const memo = this.#use(session, lifetimeMs, state);
    const slot = sequence % SESSION_WINDOW;
    const key = slotKey(session, slot);
    const isTaken = memo.isKnown(slot) ? memo.isTaken(slot) : state.get(key) !== undefined;
    if (!isTaken) this.#books.rememberedRows++;
    memo.note(slot, sequence);
    state.put(key, encodeMemory(sequence, memory));
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
    this.#memos.forget(session);
    const row = state.get(sessionKey(session));
    if (row !== undefined && !isClosed(row)) return;
    const key = slotKey(session, slot);
    if (state.get(key) === undefined) return;
    state.delete(key);
    this.#books.rememberedRows--;
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
    const memo = new SessionMemo(session, lastUseMs, SESSION_WINDOW);
    // A row that says 0 reads as one of a closed session: it is read each time.
    if (lastUseMs > 0) this.#memos.add(memo);
    return memo;
  }

  #use(session: Stamp, lifetimeMs: number, state: StateWriter): SessionMemo {
    const { clockMs } = this.#books;
    const known = this.#memoOf(session, state);
    if (known !== undefined && clockMs - known.lastUseMs < lifetimeMs / LAST_USE_PARTS) {
      return known;
    }
    const key = sessionKey(session);
    if (known === undefined && state.get(key) === undefined) this.#books.rememberedRows++;
    const used = new Uint8Array(LAST_USE_BYTES);
    writeU64(used, clockMs, 0);
    state.put(key, used);
    if (known === undefined) return this.#memorise(session, clockMs);
    known.lastUseMs = clockMs;
    return known;
  }

  /** A row whose time has come and that was not swept yet counts as gone. */
  #recallOwnKey(ownKey: string, state: StateWriter): Recollection {
    const row = state.get(ownKeyRow(ownKey));
    if (row !== undefined && readU64(row, 0) > this.#books.clockMs) {
      return { type: "known", memory: decodeMemory(row) };
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

/** `sequence or expiry, outcome, revision, fingerprint`. */
function encodeMemory(
  head: number,
  { outcome, revision, fingerprint }: MemoryOfOperation,
): Uint8Array {
  const bytes = Buffer.allocUnsafe(MEMORY_BYTES);
  writeU64(bytes, head, 0);
  bytes[8] = REMEMBERED[outcome];
  writeU64(bytes, revision, 9);
  writeU32(bytes, fingerprint, 17);
  return bytes;
}

function decodeMemory(bytes: Uint8Array): MemoryOfOperation {
  const outcome = OUTCOMES[(bytes[8] as number) - 1];
  if (outcome === undefined || bytes.length !== MEMORY_BYTES) {
    throw new MalformedBytesError(`a remembered outcome ${bytes[8]} in ${bytes.length} bytes`);
  }
  return { outcome, revision: readU64(bytes, 9), fingerprint: readU32(bytes, 17) };
}
