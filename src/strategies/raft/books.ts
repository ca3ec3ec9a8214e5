import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { readU32, readU64, writeU32, writeU64 } from "./record.ts";
import { booksKey } from "./state-rows.ts";

/** What a shard's state machine knows of the whole shard; one row of the state. */
export interface Books {
  /** Index and term of the newest entry that is in the state. */
  appliedIndex: number;
  appliedTerm: number;
  /**
   * The clock of the log: the greatest `clockMs` of the entries so far. Never falls, and is equal
   * on all replicas at one index: what has expired follows from it alone.
   */
  clockMs: number;
  /** Of the shard's version tokens; 0 before the first command. */
  salt: number;
  /** No session with this hybrid time or a lesser one is opened any more. */
  sessionFloor: number;
  /** Rows of keys that expire. */
  expiringRows: number;
  /**
   * Sessions, and operations of which is known what became of them: each is counted as a row, though
   * many operations of a session lie in one.
   */
  rememberedRows: number;
  /**
   * A hash over all entries so far and what became of each: equal on all replicas at one index,
   * or the shard has diverged.
   */
  chain: number;
}

/** What `raftBooksOf` tells of a state. */
export type BooksSummary = Pick<Books, "appliedIndex" | "appliedTerm" | "salt" | "chain">;

/** Of a state whose sessions have chunks of slots; builds that know the first alone would not see them. */
const FORMAT = 2;
const FIRST_FORMAT = 1;
const BOOKS_BYTES = 57;

export function emptyBooks(): Books {
  return {
    appliedIndex: 0,
    appliedTerm: 0,
    clockMs: 0,
    salt: 0,
    sessionFloor: 0,
    expiringRows: 0,
    rememberedRows: 0,
    chain: 0,
  };
}

export function encodeBooks(books: Readonly<Books>): Uint8Array {
  const bytes = new Uint8Array(BOOKS_BYTES);
  bytes[0] = FORMAT;
  writeU64(bytes, books.appliedIndex, 1);
  writeU64(bytes, books.appliedTerm, 9);
  writeU64(bytes, books.clockMs, 17);
  writeU32(bytes, books.salt, 25);
  writeU64(bytes, books.sessionFloor, 29);
  writeU64(bytes, books.expiringRows, 37);
  writeU64(bytes, books.rememberedRows, 45);
  writeU32(bytes, books.chain, 53);
  return bytes;
}

/** Throws `MalformedBytesError`. */
export function decodeBooks(bytes: Uint8Array): Books {
  const isKnown = bytes[0] === FORMAT || bytes[0] === FIRST_FORMAT;
  if (bytes.length !== BOOKS_BYTES || !isKnown) {
    throw new MalformedBytesError(`books of ${bytes.length} bytes and format ${bytes[0]}`);
  }
  return {
    appliedIndex: readU64(bytes, 1),
    appliedTerm: readU64(bytes, 9),
    clockMs: readU64(bytes, 17),
    salt: readU32(bytes, 25),
    sessionFloor: readU64(bytes, 29),
    expiringRows: readU64(bytes, 37),
    rememberedRows: readU64(bytes, 45),
    chain: readU32(bytes, 53),
  };
}

/** For those who look into a state from outside: the books, if this is their row. */
export function raftBooksOf(key: Uint8Array, value: Uint8Array): BooksSummary | undefined {
  return Buffer.compare(key, booksKey()) === 0 ? decodeBooks(value) : undefined;
}
