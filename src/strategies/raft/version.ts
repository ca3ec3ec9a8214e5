import { base64urlOf } from "../../core/model/version-token.ts";

/** Marks the tokens of revisions; other strategies use other letters. */
const REVISION_MARK = "r";
const TOKEN_CHARACTERS = 23;
const TOKEN_BYTES = 16;
const TWO_POW_32 = 4_294_967_296;
/** Spreads shard indices over 32 bits: 2^32 divided by the golden ratio. */
const SPREAD = 0x9e37_79b1;
/** No life has it: leaders draw others. */
const NO_SALT = 0;

/**
 * What an opaque version token of a raft keyspace names: the log index of the write, in one life of
 * one shard. A shard whose members have all lost their memory counts its log from 1 again, so the
 * index alone could name two states of one key.
 */
export interface RevisionToken {
  readonly keyspaceHash: number;
  /** See `lifeMarkOf`. */
  readonly lifeMark: number;
  readonly revision: number;
}

/** Differs between the shards of a keyspace, and between the lives of a shard. */
export function lifeMarkOf(salt: number, shardIndex: number): number {
  return (salt ^ Math.imul(shardIndex + 1, SPREAD)) >>> 0;
}

/** Of a state that no command was applied to: its life is not known yet. */
export function isOfNoLife(lifeMark: number, shardIndex: number): boolean {
  return lifeMark === lifeMarkOf(NO_SALT, shardIndex);
}

/** Names the order of changes that all replicas of a shard share in one of its lives. */
export function orderOf(lifeMark: number): string {
  return lifeMark.toString(16);
}

export function encodeRevision(keyspaceHash: number, lifeMark: number, revision: number): string {
  const high = Math.floor(revision / TWO_POW_32);
  return REVISION_MARK + base64urlOf(keyspaceHash, lifeMark, high, revision - high * TWO_POW_32);
}

/** Undefined if the text is not a version of a raft keyspace. */
export function decodeRevision(token: string): RevisionToken | undefined {
  if (token.length !== TOKEN_CHARACTERS || !token.startsWith(REVISION_MARK)) return undefined;
  const bytes = Buffer.from(token.slice(1), "base64url");
  if (bytes.length !== TOKEN_BYTES) return undefined;
  const revision = bytes.readUInt32BE(8) * TWO_POW_32 + bytes.readUInt32BE(12);
  if (revision > Number.MAX_SAFE_INTEGER) return undefined;
  return { keyspaceHash: bytes.readUInt32BE(0), lifeMark: bytes.readUInt32BE(4), revision };
}
