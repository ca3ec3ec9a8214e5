import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import type { NodeId } from "../../core/model/ids.ts";

/** Under which a replica keeps its hard state. */
export const HARD_STATE = "raft";
const ORIGINAL = 1;
const RECOVERING = 2;
const SUPERSEDED = 4;

/**
 * What a replica must not forget, beside its log: Figure 2's persistent state, and what its store
 * is to the shard.
 */
export interface HardState {
  readonly term: number;
  /** Who got this replica's vote in `term`. */
  readonly votedFor: NodeId | undefined;
  /** The store took part in the shard's birth. */
  readonly original: boolean;
  /** The store may lack entries that this replica has vouched for. */
  readonly recovering: boolean;
  /** The log and the state are those of a group that another one has taken the place of. */
  readonly superseded: boolean;
}

export function encodeHardState(state: HardState): Uint8Array {
  const writer = new ByteWriter();
  writer.u64(state.term);
  writer.u8(
    (state.original ? ORIGINAL : 0) |
      (state.recovering ? RECOVERING : 0) |
      (state.superseded ? SUPERSEDED : 0),
  );
  writer.string(state.votedFor ?? "");
  return writer.copy();
}

/** Throws `MalformedBytesError` for bytes that no `encodeHardState` has made. */
export function decodeHardState(bytes: Uint8Array): HardState {
  const reader = new ByteReader(bytes);
  const term = reader.u64();
  const flags = reader.u8();
  const votedFor = reader.string();
  reader.end();
  return {
    term,
    votedFor: votedFor === "" ? undefined : (votedFor as NodeId),
    original: (flags & ORIGINAL) !== 0,
    recovering: (flags & RECOVERING) !== 0,
    superseded: (flags & SUPERSEDED) !== 0,
  };
}
