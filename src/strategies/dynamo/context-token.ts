import { createHmac, timingSafeEqual } from "node:crypto";
import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { hashPair } from "../../core/model/hash.ts";
import { type HybridTime, MAX_HYBRID_TIME } from "../../core/model/stamp.ts";
import {
  CausalContext,
  CONTEXT_ENTRY_BYTES,
  readTimedDots,
  type TimedDot,
  writeTimedDots,
} from "./causal-context.ts";
import { encodedContextOf, timeAbove } from "./dotted-record.ts";

/** Marks tokens of contexts; those of stamped versions begin with another letter. */
const MARK = "d";
const FORMAT = 2;
const FLAG_SIGNED = 1;
/** Versions are named that the context covers, and that were not seen. */
const FLAG_UNSEEN = 2;
/** What RFC 2104 §5 allows to be left of a SHA-256: half of it. */
const SIGNATURE_BYTES = 16;
const CHECKSUM_BYTES = 8;
/** Two independent halves of a checksum against damage. */
const SEEDS = Object.freeze([0x646f7473, 0x63747874] as const);
const HEADER_BYTES = 2 + 8;

/** The longest token, in characters, as a client carries it. */
export const MAX_CONTEXT_CHARACTERS = 4_096;
/** A key with more in its context takes no further actor. */
export const MAX_CONTEXT_BYTES =
  Math.floor(((MAX_CONTEXT_CHARACTERS - 1) * 3) / 4) - HEADER_BYTES - SIGNATURE_BYTES;

/** What a client has seen of a key. */
export interface SeenContext {
  readonly context: CausalContext;
  /** Versions that were not seen though the context covers them: they stood beside a write. */
  readonly unseen: readonly TimedDot[];
  /** Greatest time of any event in it: what follows it is stamped above. */
  readonly newestTime: HybridTime;
  /** False: nothing vouches for it but a checksum. */
  readonly isSigned: boolean;
}

/**
 * Makes and checks the opaque `version` of a keyspace: the context of a key, bound to key and
 * keyspace. With the cluster's key it is signed (HMAC-SHA-256), and a forged one is refused like
 * one that is damaged or another key's; without it only the latter two are recognised.
 */
export class ContextTokens {
  readonly #keyspace: string;
  readonly #keyspaceHash: number;
  readonly #clusterKey: Uint8Array | undefined;
  readonly #writer = new ByteWriter();

  constructor(keyspace: string, keyspaceHash: number, clusterKey: Uint8Array | undefined) {
    this.#keyspace = keyspace;
    this.#keyspaceHash = keyspaceHash;
    this.#clusterKey = clusterKey;
  }

  tokenOf(key: Uint8Array, context: CausalContext, newestTime: HybridTime): string {
    // What follows it has to be an event that its base does not cover.
    const from = this.#begin(key, Math.max(newestTime, context.base), 0);
    context.write(this.#writer);
    return this.#end(from);
  }

  /**
   * `tokenOf` what a record that was checked says of itself, which is not read into objects for it,
   * but for versions of it that were not seen.
   */
  tokenOfRecord(key: Uint8Array, record: Uint8Array, unseen: readonly TimedDot[]): string {
    const context = encodedContextOf(record);
    if (context.length + unseenBytes(unseen) > MAX_CONTEXT_BYTES) {
      // That nothing was seen is always true enough: all stays beside what is written next.
      return this.tokenOf(key, CausalContext.EMPTY, timeAbove(record));
    }
    const from = this.#begin(key, timeAbove(record), unseen.length === 0 ? 0 : FLAG_UNSEEN);
    this.#writer.raw(context);
    if (unseen.length > 0) writeTimedDots(this.#writer, unseen);
    return this.#end(from);
  }

  #begin(key: Uint8Array, newestTime: HybridTime, flags: number): number {
    const writer = this.#boundTo(key);
    const from = writer.length;
    writer.u8(FORMAT);
    writer.u8(flags | this.#signedFlag);
    writer.u64(newestTime);
    return from;
  }

  get #signedFlag(): number {
    return this.#clusterKey === undefined ? 0 : FLAG_SIGNED;
  }

  #end(from: number): string {
    this.#seal(this.#writer);
    return MARK + this.#writer.base64url(from);
  }

  /** @throws CapstanError `INVALID_ARGUMENT` for what was not made for this key, here. */
  parse(key: Uint8Array, token: string): SeenContext {
    const seen = token.length <= MAX_CONTEXT_CHARACTERS ? this.#maybeParse(key, token) : undefined;
    if (seen !== undefined) return seen;
    const keyText = JSON.stringify(Buffer.from(key).toString("utf8").slice(0, 60));
    throw new CapstanError(
      "INVALID_ARGUMENT",
      `context ${JSON.stringify(token.slice(0, 40))} is not one that was given for the key ` +
        `${keyText} of the keyspace "${this.#keyspace}"; allowed: the version of a read or a write of it`,
      { details: { option: "context" } },
    );
  }

  #maybeParse(key: Uint8Array, token: string): SeenContext | undefined {
    if (!token.startsWith(MARK)) return undefined;
    const bytes = Buffer.from(token.slice(MARK.length), "base64url");
    // One text for one context: what decodes to the same bytes is not the same token.
    if (bytes.toString("base64url") !== token.slice(MARK.length)) return undefined;
    const sealAt = bytes.length - this.#sealBytes;
    if (sealAt < HEADER_BYTES) return undefined;
    const writer = this.#boundTo(key);
    writer.raw(bytes.subarray(0, sealAt));
    const from = writer.length;
    this.#seal(writer);
    if (!timingSafeEqual(writer.view(from), bytes.subarray(sealAt))) return undefined;
    try {
      return this.#decode(bytes.subarray(0, sealAt));
    } catch {
      return undefined;
    }
  }

  #decode(bytes: Uint8Array): SeenContext | undefined {
    const reader = new ByteReader(bytes);
    const isSigned = this.#clusterKey !== undefined;
    if (reader.u8() !== FORMAT) return undefined;
    const flags = reader.u8();
    if ((flags & ~FLAG_UNSEEN) !== this.#signedFlag) return undefined;
    const newestTime = reader.u64();
    const context = CausalContext.read(reader);
    const unseen = (flags & FLAG_UNSEEN) === 0 ? [] : readTimedDots(reader);
    reader.end();
    const isPossible =
      newestTime <= MAX_HYBRID_TIME &&
      context.base <= newestTime &&
      unseen.every((dot) => context.covers(dot, dot.time));
    return isPossible ? { context, unseen, newestTime, isSigned } : undefined;
  }

  get #sealBytes(): number {
    return this.#clusterKey === undefined ? CHECKSUM_BYTES : SIGNATURE_BYTES;
  }

  /** What a token is about, in front of what it says: the keyspace, and the key with its length. */
  #boundTo(key: Uint8Array): ByteWriter {
    const writer = this.#writer;
    writer.reset();
    writer.u32(this.#keyspaceHash);
    writer.bytes(key);
    return writer;
  }

  /** Over all that was written. */
  #seal(writer: ByteWriter): void {
    const bytes = writer.view();
    if (this.#clusterKey !== undefined) {
      const hmac = createHmac("sha256", this.#clusterKey).update(bytes);
      writer.raw(hmac.digest().subarray(0, SIGNATURE_BYTES));
      return;
    }
    const [high, low] = SEEDS;
    const sums = { high, low };
    hashPair(bytes, sums);
    writer.u32(sums.high);
    writer.u32(sums.low);
  }
}

/** Two bytes of their number, and each as long as an entry of a context. */
function unseenBytes(unseen: readonly TimedDot[]): number {
  return unseen.length === 0 ? 0 : 2 + unseen.length * CONTEXT_ENTRY_BYTES;
}
