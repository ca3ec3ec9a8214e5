import { ByteReader, ByteWriter } from "./bytes.ts";
import { describeValue } from "./configuration-problems.ts";
import { CapstanError } from "./errors.ts";
import { hash32 } from "./hash.ts";
import { readVarint, writeVarint } from "./varint.ts";

/**
 * What a client's session has seen of one shard: a number per component, joined by the greater
 * one. What the components are is the strategy's own affair (of raft: the applied index, under the
 * id of the group). An empty mark has seen nothing.
 *
 * A component that is named `group/rank` stands for one of many things that are in one order: by
 * number, then by rank as text. Of a group only the greatest is kept.
 */
export type SessionMark = ReadonlyMap<string, number>;

/** In the place of a token: the call begins a session. */
export const BEGIN_SESSION = "begin";
export const NO_SESSION_MARK: ReadonlyMap<string, number> = new Map();

const RANK_MARK = "/";
const FORMAT = 1;
const FLAG_FULL = 1;
const CHECK_BYTES = 4;
/** With what else a request has, this still fits the 16 KiB that a server takes as headers. */
const MAX_TOKEN_BYTES = 9_216;
export const MAX_SESSION_TOKEN_CHARACTERS = (MAX_TOKEN_BYTES * 4) / 3;
const MAX_COMPONENT_BYTES = 64;
const MAX_COMPONENTS = 255;
/** A token of few shards fits: then nothing has to grow. */
const USUAL_BYTES = 192;

type Marks = ReadonlyMap<number, SessionMark>;

/**
 * What a session has seen of one keyspace: a mark per shard. Immutable, and a join-semilattice
 * (commutative, associative, idempotent): tokens that came back from calls under way at once are
 * joined in any order. A client carries it from node to node and does not look into it.
 *
 * As text, base64url of
 *
 *     format u8 | keyspace hash u32 | flags u8 |
 *     { shard varint | components u8 | { name length u8, UTF-8 | number varint }* }* | hash32 u32
 *
 * with shards and components in order, so that equal tokens are equal text. A session that has seen
 * more than fits becomes `full`: it cannot be vouched for any more, and calls with it are refused.
 */
export class SessionToken {
  readonly keyspaceHash: number;
  readonly isFull: boolean;
  readonly #marks: Marks;
  #text: string | undefined;

  private constructor(keyspaceHash: number, marks: Marks, isFull: boolean) {
    this.keyspaceHash = keyspaceHash;
    this.#marks = marks;
    this.isFull = isFull;
  }

  static begin(keyspaceHash: number): SessionToken {
    return new SessionToken(keyspaceHash, new Map(), false);
  }

  /**
   * The token of a text that a client handed over, or a new one for `BEGIN_SESSION`.
   *
   * @throws CapstanError `INVALID_SESSION`: no text, damaged, another keyspace's, or full.
   */
  static parse(keyspaceHash: number, text: string): SessionToken {
    if (typeof text !== "string") {
      throw new CapstanError(
        "INVALID_SESSION",
        `a session has to be text, not ${describeValue(text)}; "${BEGIN_SESSION}" begins one`,
      );
    }
    if (text === BEGIN_SESSION) return SessionToken.begin(keyspaceHash);
    const token = SessionToken.maybeDecode(text);
    if (token === undefined || token.keyspaceHash !== keyspaceHash) {
      throw new CapstanError(
        "INVALID_SESSION",
        `the session ${JSON.stringify(text.slice(0, 60))} was not made by this keyspace, or is ` +
          `damaged; "${BEGIN_SESSION}" begins one`,
      );
    }
    token.refuseFull();
    return token;
  }

  /** Undefined for what is no token of any keyspace. */
  static maybeDecode(text: string): SessionToken | undefined {
    if (text.length > MAX_SESSION_TOKEN_CHARACTERS) return undefined;
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length < CHECK_BYTES || bytes.toString("base64url") !== text) return undefined;
    const checked = bytes.subarray(0, bytes.length - CHECK_BYTES);
    if (bytes.readUInt32BE(checked.length) !== hash32(checked)) return undefined;
    try {
      return decode(checked, (hash, marks, isFull) => new SessionToken(hash, marks, isFull));
    } catch {
      return undefined;
    }
  }

  /** What the session has seen of the shard; empty if nothing. */
  mark(shardIndex: number): SessionMark {
    return this.#marks.get(shardIndex) ?? NO_SESSION_MARK;
  }

  /** The same session after it has seen this, too. */
  with(shardIndex: number, seen: SessionMark): SessionToken {
    const held = this.mark(shardIndex);
    const joined = joinMarks(held, seen);
    if (joined === held || this.isFull) return this;
    if (joined.size > MAX_COMPONENTS) return this.#full();
    const marks = new Map(this.#marks).set(shardIndex, joined);
    return new SessionToken(this.keyspaceHash, marks, false);
  }

  /** A session that has seen what both have. Both are the same keyspace's. */
  join(other: SessionToken): SessionToken {
    if (other.isFull) return other;
    let joined: SessionToken = this;
    for (const [shardIndex, mark] of other.#marks) joined = joined.with(shardIndex, mark);
    return joined;
  }

  /** @throws CapstanError `INVALID_SESSION` if more was seen than the token can hold. */
  refuseFull(): void {
    if (!this.isFull) return;
    throw new CapstanError(
      "INVALID_SESSION",
      `the session has seen more than a token of ${MAX_SESSION_TOKEN_CHARACTERS} characters ` +
        `holds; begin another one ("${BEGIN_SESSION}")`,
    );
  }

  /** The token as a client carries it. */
  toString(): string {
    this.#text ??= this.#encode();
    return this.#text;
  }

  #full(): SessionToken {
    return new SessionToken(this.keyspaceHash, new Map(), true);
  }

  #encode(): string {
    const writer = new ByteWriter(USUAL_BYTES);
    writer.u8(FORMAT);
    writer.u32(this.keyspaceHash);
    writer.u8(this.isFull ? FLAG_FULL : 0);
    for (const shardIndex of [...this.#marks.keys()].sort((a, b) => a - b)) {
      writeVarint(writer, shardIndex);
      writeMark(writer, this.mark(shardIndex));
    }
    if (writer.length + CHECK_BYTES > MAX_TOKEN_BYTES) return this.#full().toString();
    writer.u32(hash32(writer.view()));
    return writer.base64url();
  }
}

/** The greater number of each component, or of each group; `a` itself if `b` adds nothing. */
export function joinMarks(a: SessionMark, b: SessionMark): SessionMark {
  let joined: Map<string, number> | undefined;
  for (const [component, number] of b) {
    const rival = rivalOf(joined ?? a, component);
    const held = rival === undefined ? -1 : ((joined ?? a).get(rival) as number);
    if (held > number || (held === number && (rival as string) >= component)) continue;
    joined ??= new Map(a);
    if (rival !== undefined) joined.delete(rival);
    joined.set(component, number);
  }
  return joined ?? a;
}

/** What of the mark is in the place of the component: itself, or another of its group. */
function rivalOf(mark: SessionMark, component: string): string | undefined {
  const end = component.indexOf(RANK_MARK);
  if (end < 0) return mark.has(component) ? component : undefined;
  const group = component.slice(0, end + 1);
  for (const other of mark.keys()) if (other.startsWith(group)) return other;
  return undefined;
}

function writeMark(writer: ByteWriter, mark: SessionMark): void {
  const components = [...mark.keys()].sort();
  writer.u8(components.length);
  for (const component of components) {
    const name = Buffer.from(component, "utf8");
    if (name.length > MAX_COMPONENT_BYTES) {
      throw new RangeError(`a component of ${name.length} bytes; at most ${MAX_COMPONENT_BYTES}`);
    }
    writer.u8(name.length);
    writer.raw(name);
    writeVarint(writer, mark.get(component) as number);
  }
}

function decode(
  bytes: Uint8Array,
  make: (keyspaceHash: number, marks: Marks, isFull: boolean) => SessionToken,
): SessionToken | undefined {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== FORMAT) return undefined;
  const keyspaceHash = reader.u32();
  const flags = reader.u8();
  if (flags > FLAG_FULL) return undefined;
  const marks = new Map<number, SessionMark>();
  let lastShard = -1;
  while (reader.remaining > 0) {
    const shardIndex = readVarint(reader);
    if (shardIndex <= lastShard) return undefined;
    lastShard = shardIndex;
    marks.set(shardIndex, readMark(reader));
  }
  return make(keyspaceHash, marks, flags === FLAG_FULL);
}

function readMark(reader: ByteReader): SessionMark {
  const mark = new Map<string, number>();
  for (let left = reader.u8(); left > 0; left--) {
    const name = Buffer.from(reader.raw(reader.u8())).toString("utf8");
    mark.set(name, readVarint(reader));
  }
  return mark;
}
