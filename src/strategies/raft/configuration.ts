import { type ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import type { NodeId, StoreId } from "../../core/model/ids.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import { sealEntry, unsealedEntry } from "./entry.ts";

/**
 * The store with which a node took part in its shard's birth. At birth nobody knows the others'
 * store ids; each knows whether its own store was there (`Identity.original`).
 */
export const ORIGINAL_STORE = "" as StoreId;

/** Who votes and counts: a node with one particular store. */
export interface Member {
  readonly node: NodeId;
  readonly storeId: StoreId;
}

/** As whom a replica answers. `original`: its store is the one that it was born with. */
export interface Identity extends Member {
  readonly original: boolean;
}

export interface MemberSet {
  /** Sorted by node. */
  readonly voters: readonly Member[];
  readonly learners: readonly Member[];
}

/**
 * Who replicates a shard; an entry of its log, in force from its append on (extended paper §6).
 *
 * Invariants:
 * - `voters` is never empty;
 * - joint ⟺ `outgoing` is not empty; then a decision needs a majority of both sets;
 * - no member is in `learners` and in `voters` (the same node with another store may be).
 */
export interface Configuration extends MemberSet {
  /** The voters that a joint configuration leads away from. */
  readonly outgoing: readonly Member[];
  /** What a change under way leads to: kept here, so that the next leader goes on with it. */
  readonly goal: MemberSet | undefined;
}

const MAX_MEMBERS = 64;

/** The configuration with which a shard is born. */
export function bornConfiguration(nodes: readonly NodeId[]): Configuration {
  const voters = nodes.map((node) => ({ node, storeId: ORIGINAL_STORE }));
  return { voters: sortMembers(voters), outgoing: [], learners: [], goal: undefined };
}

export function sortMembers(members: readonly Member[]): readonly Member[] {
  return [...members].sort(
    (a, b) => compareText(a.node, b.node) || compareText(a.storeId, b.storeId),
  );
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

/** Whether one who answers like this is the member that is meant. */
export function isMember(member: Member, identity: Identity): boolean {
  if (member.node !== identity.node) return false;
  if (member.storeId === ORIGINAL_STORE) return identity.original;
  return member.storeId === identity.storeId;
}

export function isSameMember(a: Member, b: Member): boolean {
  return a.node === b.node && a.storeId === b.storeId;
}

export function isSameSet(a: readonly Member[], b: readonly Member[]): boolean {
  return (
    a.length === b.length && a.every((member) => b.some((other) => isSameMember(member, other)))
  );
}

/** Asked for with every proposal: a loop makes no garbage. */
export function isAmong(members: readonly Member[], identity: Identity): boolean {
  for (const member of members) if (isMember(member, identity)) return true;
  return false;
}

export function isVoter(configuration: Configuration, identity: Identity): boolean {
  const { voters, outgoing } = configuration;
  return isAmong(voters, identity) || isAmong(outgoing, identity);
}

/** Every node that has to do with the configuration, each once, in a fixed order. */
export function nodesOf(configuration: Configuration): readonly NodeId[] {
  const { voters, outgoing, learners, goal } = configuration;
  const all = [
    ...voters,
    ...outgoing,
    ...learners,
    ...(goal?.voters ?? []),
    ...(goal?.learners ?? []),
  ];
  return [...new Set(all.map((member) => member.node))].sort(compareText);
}

/** Every node that has a vote. */
export function votingNodes({ voters, outgoing }: Configuration): readonly NodeId[] {
  return [...new Set([...voters, ...outgoing].map((member) => member.node))];
}

/** Whether those for whom `holds` is true decide: a majority of the voters, and of the outgoing. */
export function isQuorum(
  configuration: Configuration,
  holds: (member: Member) => boolean,
): boolean {
  const { voters, outgoing } = configuration;
  return isMajority(voters, holds) && (outgoing.length === 0 || isMajority(outgoing, holds));
}

function isMajority(members: readonly Member[], holds: (member: Member) => boolean): boolean {
  let count = 0;
  for (const member of members) if (holds(member)) count++;
  return count >= majorityOf(members.length);
}

/**
 * The greatest number that a quorum has reached: the lesser of what a majority of each set has
 * reached. With sorted values v(1) ≥ v(2) ≥ … ≥ v(n) a majority has reached v(⌊n / 2⌋ + 1).
 */
export function reachedByQuorum(
  configuration: Configuration,
  reached: (member: Member) => number,
): number {
  const { voters, outgoing } = configuration;
  const incoming = reachedByMajority(voters, reached);
  if (outgoing.length === 0) return incoming;
  return Math.min(incoming, reachedByMajority(outgoing, reached));
}

function reachedByMajority(
  members: readonly Member[],
  reached: (member: Member) => number,
): number {
  const [first, second, third] = members;
  // With every record that is durable, and every answer: the usual numbers without a list.
  if (members.length === 1) return reached(first as Member);
  if (members.length === 3) {
    return medianOf(reached(first as Member), reached(second as Member), reached(third as Member));
  }
  const values = members.map(reached);
  values.sort((a, b) => b - a);
  return values[majorityOf(members.length) - 1] as number;
}

function medianOf(a: number, b: number, c: number): number {
  if (a < b) return b < c ? b : Math.max(a, c);
  return a < c ? a : Math.max(b, c);
}

export function writeConfiguration(writer: ByteWriter, configuration: Configuration): void {
  writeMembers(writer, configuration.voters);
  writeMembers(writer, configuration.outgoing);
  writeMembers(writer, configuration.learners);
  writer.u8(configuration.goal === undefined ? 0 : 1);
  if (configuration.goal === undefined) return;
  writeMembers(writer, configuration.goal.voters);
  writeMembers(writer, configuration.goal.learners);
}

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const writer = new ByteWriter();
  writeConfiguration(writer, configuration);
  return writer.copy();
}

/** An entry that puts it in force. */
export function configurationRecord(configuration: Configuration, term: number): Uint8Array {
  const record = unsealedEntry(encodeConfiguration(configuration));
  sealEntry(record, "configuration", term);
  return record;
}

export function readConfiguration(reader: ByteReader): Configuration {
  const voters = readMembers(reader);
  if (voters.length === 0) throw new MalformedBytesError("a configuration without voters");
  const outgoing = readMembers(reader);
  const learners = readMembers(reader);
  const hasGoal = reader.u8() === 1;
  const goal = hasGoal ? { voters: readMembers(reader), learners: readMembers(reader) } : undefined;
  return { voters, outgoing, learners, goal };
}

function writeMembers(writer: ByteWriter, members: readonly Member[]): void {
  writer.u8(members.length);
  for (const member of members) {
    writer.string(member.node);
    writer.string(member.storeId);
  }
}

function readMembers(reader: ByteReader): readonly Member[] {
  const count = reader.u8();
  if (count > MAX_MEMBERS) throw new MalformedBytesError(`${count} members in one set`);
  const members: Member[] = [];
  for (let i = 0; i < count; i++) {
    members.push({ node: reader.string() as NodeId, storeId: reader.string() as StoreId });
  }
  return members;
}

/** For people: `a b c`, `a b+c → a b d`, learners behind a slash. */
export function describeConfiguration(configuration: Configuration): string {
  const { voters, outgoing, learners, goal } = configuration;
  const from = outgoing.length === 0 ? "" : `${describeMembers(outgoing)} → `;
  const aside = learners.length === 0 ? "" : ` / ${describeMembers(learners)}`;
  const aim = goal === undefined ? "" : ` (to ${describeMembers(goal.voters)})`;
  return `${from}${describeMembers(voters)}${aside}${aim}`;
}

function describeMembers(members: readonly Member[]): string {
  return members
    .map(({ node, storeId }) =>
      storeId === ORIGINAL_STORE ? node : `${node}@${storeId.slice(0, 4)}`,
    )
    .join(" ");
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
