import type { ShardMap } from "../../../core/contracts/machine.ts";
import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import type { Epoch, NodeId } from "../../../core/model/ids.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";
import { readMap, writeMap } from "./shard-map.ts";

const MAX_NODE_CHARACTERS = 64;

/** Orders the tries to decide a map; no two tries have the same. */
export interface Ballot {
  readonly round: number;
  readonly node: NodeId;
  /** Drawn for the try: the node may have forgotten an earlier one. */
  readonly nonce: number;
}

/**
 * What a replica has said to tries to decide which map follows the one of `epoch`: an acceptor of
 * Paxos (Lamport, "Paxos Made Simple", 2001, §2.2), one decision per epoch.
 */
export interface Vote {
  readonly epoch: Epoch;
  readonly promised: Ballot;
  readonly accepted?: { readonly ballot: Ballot; readonly map: ShardMap } | undefined;
}

export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round - b.round;
  if (a.node !== b.node) return a.node < b.node ? -1 : 1;
  return a.nonce - b.nonce;
}

/** `vote` itself where a greater ballot was promised. */
export function promised(vote: Vote | undefined, epoch: Epoch, ballot: Ballot): Vote {
  const known = of(vote, epoch);
  if (known !== undefined && compareBallots(ballot, known.promised) <= 0) return known;
  return { epoch, promised: ballot, accepted: known?.accepted };
}

/** `vote` itself where a greater ballot was promised. */
export function accepted(
  vote: Vote | undefined,
  epoch: Epoch,
  ballot: Ballot,
  map: ShardMap,
): Vote {
  const known = of(vote, epoch);
  if (known !== undefined && compareBallots(ballot, known.promised) < 0) return known;
  return { epoch, promised: ballot, accepted: { ballot, map } };
}

/**
 * What a replica that has lost its own vote goes on with, once it has heard those of as many others
 * as it learns its data from: whatever was decided with it, one of them has accepted.
 */
export function mergedVotes(a: Vote | undefined, b: Vote | undefined): Vote | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? a : b;
  const promise = compareBallots(a.promised, b.promised) >= 0 ? a.promised : b.promised;
  return { epoch: a.epoch, promised: promise, accepted: laterOf(a.accepted, b.accepted) };
}

/** That of the greater ballot. */
export function laterOf(a: Vote["accepted"], b: Vote["accepted"]): Vote["accepted"] {
  if (a === undefined || b === undefined) return a ?? b;
  return compareBallots(a.ballot, b.ballot) >= 0 ? a : b;
}

/** What was said about another epoch says nothing about this one. */
function of(vote: Vote | undefined, epoch: Epoch): Vote | undefined {
  return vote?.epoch === epoch ? vote : undefined;
}

export function writeVote({ epoch, promised: promise, accepted: last }: Vote, writer: ByteWriter) {
  writer.u32(epoch);
  writeBallot(promise, writer);
  writer.u8(last === undefined ? 0 : 1);
  if (last === undefined) return;
  writeBallot(last.ballot, writer);
  writeMap(last.map, writer);
}

/** Throws `MalformedBytesError`, as the next one does. */
export function readVote(reader: ByteReader): Vote {
  const epoch = reader.u32() as Epoch;
  const promise = readBallot(reader);
  const flag = reader.u8();
  if (flag > 1) throw new MalformedBytesError(`flag ${flag}`);
  if (flag === 0) return { epoch, promised: promise };
  const ballot = readBallot(reader);
  return { epoch, promised: promise, accepted: { ballot, map: readMap(reader) } };
}

export function readBallot(reader: ByteReader): Ballot {
  const round = reader.u32();
  const nonce = reader.u32();
  return { round, nonce, node: reader.string(MAX_NODE_CHARACTERS) as NodeId };
}

export function writeBallot({ round, nonce, node }: Ballot, writer: ByteWriter): void {
  writer.u32(round);
  writer.u32(nonce);
  writer.string(node);
}
