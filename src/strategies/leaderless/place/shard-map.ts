import type { ShardMap } from "../../../core/contracts/machine.ts";
import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import type { Epoch, NodeId } from "../../../core/model/ids.ts";
import type { Level } from "../../../core/model/levels.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";
import { majorityOf, mapChangeQuorum, rebuildSources } from "../../../core/model/quorum.ts";
import { neededFor } from "../receipts.ts";

export const FIRST_EPOCH = 1 as Epoch;
const MAX_NODES = 31;
const MAX_NODE_CHARACTERS = 64;
const SETTLED = 0;
const PENDING = 1;
const SWITCHING = 2;

/**
 * - `settled`: `replicas` alone hold the shard.
 * - `pending`: `replicas` hold it, and `pending` are being given it.
 * - `switching`: `replicas` and `leaving` hold it.
 */
export type Stage = "settled" | "pending" | "switching";

export function stageOf({ pending, leaving }: ShardMap): Stage {
  if (pending !== undefined) return "pending";
  return leaving === undefined ? "settled" : "switching";
}

/** Whoever holds the shard or is being given it, each once. */
export function membersOf({ replicas, pending, leaving }: ShardMap): readonly NodeId[] {
  const others = pending ?? leaving;
  if (others === undefined) return replicas;
  return [...replicas, ...others.filter((node) => !replicas.includes(node))];
}

/** Those whose copy answers for the shard: `leaving` do until the switch is in force. */
export function isHolder({ replicas, leaving }: ShardMap, node: NodeId): boolean {
  return replicas.includes(node) || leaving?.includes(node) === true;
}

/** The set of which a node's copy is one, and from which it learns when it has lost it. */
export function homeOf({ replicas, leaving }: ShardMap, node: NodeId): readonly NodeId[] {
  return replicas.includes(node) || leaving === undefined ? replicas : leaving;
}

export function isSameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node) => b.includes(node));
}

export function withPending({ epoch, replicas }: ShardMap, pending: readonly NodeId[]): ShardMap {
  return { epoch: next(epoch), replicas, pending };
}

/** The switch: decided, and in force with the map after it. */
export function switched({ epoch, replicas, pending }: ShardMap): ShardMap {
  return { epoch: next(epoch), replicas: pending ?? replicas, leaving: replicas };
}

/** `replicas` alone: a pending change is taken back, a switch is in force. */
export function settledAfter({ epoch, replicas }: ShardMap): ShardMap {
  return { epoch: next(epoch), replicas };
}

/** The smallest counts that the keyspace's promises rest on. */
export interface PromisedLevels {
  readonly read: Level;
  readonly write: Level;
}

/**
 * How many of the old replicas have to know of a change, durably, before it is in force: among any
 * that could acknowledge a write of the epoch before, and any that could answer a read, there is one
 * that knows and refuses. And never fewer than a majority, so that two changes have one in common
 * that knows of both.
 */
export function changeQuorum(replicas: number, levels: PromisedLevels): number {
  const least = majorityOf(replicas);
  const quorum = mapChangeQuorum(
    replicas,
    countOf(levels.write, replicas),
    countOf(levels.read, replicas),
  );
  return Math.max(least, quorum);
}

/** Old replicas that a new one learns from, itself included where it is one of them. */
export function learnedFrom(replicas: number, levels: PromisedLevels): number {
  return rebuildSources(replicas, countOf(levels.write, replicas));
}

/**
 * Who of `next` has to learn what the old replicas hold before the switch: all that are new, and the
 * others where too few might be left that hold a write. Of `w` old replicas that acknowledged it, as
 * many as leave may be gone; every new one has it: `max(0, w − leavers) + joiners` hold it for
 * certain.
 */
export function learnersOf(
  replicas: readonly NodeId[],
  next: readonly NodeId[],
  levels: PromisedLevels,
): readonly NodeId[] {
  const joiners = next.filter((node) => !replicas.includes(node));
  const leavers = replicas.filter((node) => !next.includes(node)).length;
  const held = Math.max(0, countOf(levels.write, replicas.length) - leavers) + joiners.length;
  return held >= countOf(levels.write, next.length) ? joiners : next;
}

/** A level that names no count of the shard's own may be one replica's. */
function countOf(level: Level, replicas: number): number {
  return Math.min(majorityOf(replicas), neededFor(level, replicas) ?? 1);
}

function next(epoch: Epoch): Epoch {
  return (epoch + 1) as Epoch;
}

export function writeMap(map: ShardMap, writer: ByteWriter): void {
  const stage = stageOf(map);
  writer.u32(map.epoch);
  writer.u8(stage === "settled" ? SETTLED : stage === "pending" ? PENDING : SWITCHING);
  writeNodes(map.replicas, writer);
  const others = map.pending ?? map.leaving;
  if (others !== undefined) writeNodes(others, writer);
}

/** Throws `MalformedBytesError`. */
export function readMap(reader: ByteReader): ShardMap {
  const epoch = reader.u32() as Epoch;
  if (epoch < FIRST_EPOCH) throw new MalformedBytesError(`a map of epoch ${epoch}`);
  const stage = reader.u8();
  const replicas = readNodes(reader);
  if (stage === SETTLED) return { epoch, replicas };
  const others = readNodes(reader);
  if (stage === PENDING) return { epoch, replicas, pending: others };
  if (stage === SWITCHING) return { epoch, replicas, leaving: others };
  throw new MalformedBytesError(`a map of stage ${stage}`);
}

export function writeNodes(nodes: readonly NodeId[], writer: ByteWriter): void {
  writer.u8(nodes.length);
  for (const node of nodes) writer.string(node);
}

/** Throws `MalformedBytesError`. */
export function readNodes(reader: ByteReader): readonly NodeId[] {
  const count = reader.u8();
  if (count === 0 || count > MAX_NODES) throw new MalformedBytesError(`${count} replicas`);
  const nodes: NodeId[] = [];
  for (let i = 0; i < count; i++) {
    const node = reader.string(MAX_NODE_CHARACTERS) as NodeId;
    if (node.length === 0 || nodes.includes(node)) {
      throw new MalformedBytesError(`the replica ${JSON.stringify(node)} among ${count}`);
    }
    nodes.push(node);
  }
  return nodes;
}
