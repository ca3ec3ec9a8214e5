import {
  type Configuration,
  describeConfiguration,
  isMember,
  isQuorum,
  isSameMember,
  type Member,
} from "../../../../../src/strategies/raft/configuration.ts";
import type { AppliedPoint } from "../../../../../src/strategies/raft/consensus-types.ts";
import { payloadOfEntry, termOfEntry } from "../../../../../src/strategies/raft/entry.ts";
import { groupOf } from "../../../../../src/strategies/raft/group.ts";
import { BrokenProperty } from "./broken-property.ts";
import type { World } from "./world.ts";
import type { WorldNode } from "./world-node.ts";

/** In election timeouts. */
const READY_WITHIN = 3;

interface Committed {
  readonly term: number;
  readonly text: string;
}

/** What one group has committed; see `src/strategies/raft/group.ts`. */
class History {
  /** From index 1 on. */
  readonly committed: Committed[] = [];
  readonly committedAtMs: number[] = [];
  readonly acked = new Map<number, string>();
}

interface Proposal {
  readonly text: string;
  readonly term: number;
}

/**
 * The five properties of Figure 3, and what else must hold at every step of a world: they look at
 * all nodes at once, as no node can.
 */
export class WorldChecks {
  readonly #world: World;
  readonly #leaders = new Map<number, string>();
  readonly #ledSinceMs = new Map<number, number>();
  /** What was appended under (index, term), and the term before it. */
  readonly #entries = new Map<string, string>();
  readonly #histories = new Map<number, History>([[0, new History()]]);
  /** The latest group: to those before it nothing is promised. */
  #group = 0;
  /** Proposals that are undecided, by node, index and term. */
  readonly #proposals = new Map<string, Proposal>();
  readonly #seen = new Map<
    WorldNode,
    { term: number; commit: number; applied: number; life: number; group: number }
  >();
  ackedIndex = 0;
  ackedCount = 0;
  readsConfirmed = 0;
  leaseReads = 0;
  elections = 0;
  installs = 0;
  truncations = 0;
  changes = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get committedLength(): number {
    return this.#history(this.#group).committed.length;
  }

  /** The node goes on alone with the log that it has; of what others had nothing is promised. */
  recovered(node: WorldNode): void {
    const group = this.#groupOf(node);
    const before = this.#history(this.#group);
    const now = new History();
    this.#histories.set(group, now);
    for (const { term, text } of node.applied) {
      now.committed.push({ term, text });
      now.committedAtMs.push(this.#world.nowMs);
    }
    for (const [index, text] of before.acked) {
      if (now.committed[index - 1]?.text === text) now.acked.set(index, text);
    }
    this.#group = Math.max(this.#group, group);
    this.ackedIndex = Math.max(0, ...this.#history(this.#group).acked.keys());
    for (const each of this.#world.nodes) each.reads.clear();
  }

  /** Of which group what the node has is. */
  #groupOf({ consensus, disk, applied }: WorldNode): number {
    if (this.#histories.size === 1 && groupOf(consensus?.standing.term ?? 0) === 0) return 0;
    if (consensus?.describe().state !== "superseded") return groupOf(consensus?.standing.term ?? 0);
    const record = disk.image.record(disk.image.last);
    return groupOf(record === undefined ? (applied.at(-1)?.term ?? 0) : termOfEntry(record));
  }

  #history(group: number): History {
    const known = this.#histories.get(group);
    if (known === undefined) throw new Error(`nobody has begun the group ${group}`);
    return known;
  }

  /** When the leader of the term was first seen to lead. */
  leaderSinceMs(term: number): number {
    return this.#ledSinceMs.get(term) ?? this.#world.nowMs;
  }

  proposed(node: WorldNode, text: string, index: number, term: number): void {
    this.#proposals.set(`${node.id} ${index} ${term}`, { text, term });
  }

  /** Log Matching: (index, term) names one entry, and one entry before it. */
  appended(node: WorldNode, index: number, record: Uint8Array): void {
    const { image } = node.disk;
    const before = image.record(index - 1);
    const previous = before === undefined ? "?" : String(termOfEntry(before));
    const term = termOfEntry(record);
    const text = Buffer.from(payloadOfEntry(record)).toString("latin1");
    const key = `${index} ${term}`;
    const known = this.#entries.get(key);
    const [knownPrevious = previous, knownText = text] = known?.split("\n") ?? [];
    if (knownText !== text) this.#fail("Log Matching", node, key, knownText, text);
    if (previous !== "?" && knownPrevious !== "?" && knownPrevious !== previous) {
      this.#fail("Log Matching", node, key, `after ${knownPrevious}`, `after ${previous}`);
    }
    if (known === undefined || knownPrevious === "?") {
      this.#entries.set(key, `${previous}\n${text}`);
    }
  }

  /** Leader Append-Only is an assertion of the machine's own. */
  truncated(): void {
    this.truncations++;
  }

  /** State Machine Safety, and each entry once and in its place. */
  applied(node: WorldNode, index: number, term: number, text: string, length: number): void {
    const last = node.applied.at(-2)?.index ?? 0;
    if (index !== last + 1 && node.applied.length > 1) {
      this.#fail("applied in order, each once", node, last, index);
    }
    const { committed, committedAtMs } = this.#history(this.#groupOf(node));
    if (index > committed.length + 1) {
      this.#fail("applied without a hole", node, committed.length, index);
    }
    const known = committed[index - 1];
    if (known === undefined) {
      committed.push({ term, text });
      committedAtMs.push(this.#world.nowMs);
      this.#checkDurable(node, index, term);
    } else if (known.term !== term || known.text !== text) {
      this.#fail(
        "State Machine Safety",
        node,
        index,
        `${known.term} ${known.text}`,
        `${term} ${text}`,
      );
    }
    if (length < 0) this.#fail("an entry has its header", node, index);
    this.#maybeAck(node, index, term, text);
  }

  installed(node: WorldNode, point: AppliedPoint): void {
    this.installs++;
    const { applied } = node;
    const { committed } = this.#history(groupOf(point.term));
    if (applied.length !== point.index) {
      this.#fail("a snapshot has what it says", node, point.index, applied.length);
    }
    for (const { index, term, text } of applied) {
      const known = committed[index - 1];
      if (known?.term !== term || known.text !== text) {
        this.#fail("State Machine Safety (snapshot)", node, index, `${term} ${text}`);
      }
    }
  }

  readConfirmed(node: WorldNode, token: number, index: number): void {
    const least = node.reads.get(token);
    node.reads.delete(token);
    if (least === undefined || this.#groupOf(node) !== this.#group) return;
    this.readsConfirmed++;
    if (index < least)
      this.#fail("a read sees what was acknowledged before it", node, least, index);
  }

  /** To be asked at any moment: a lease holds only where the newest state is. */
  checkLease(node: WorldNode): void {
    const { consensus } = node;
    if (consensus === undefined || !consensus.leaseHolds(node.now())) return;
    if (this.#groupOf(node) !== this.#group) return;
    this.leaseReads++;
    if (consensus.appliedIndex < this.ackedIndex) {
      this.#fail(
        "a lease sees what was acknowledged",
        node,
        this.ackedIndex,
        consensus.appliedIndex,
      );
    }
  }

  /** After every step of a node. */
  stepped(node: WorldNode): void {
    const { consensus } = node;
    if (consensus === undefined) return;
    const { role, term } = consensus.standing;
    const { commitIndex: commit, appliedIndex: applied } = consensus;
    const seen = this.#seen.get(node);
    const group = this.#groupOf(node);
    const isSameLife = seen?.life === node.incarnation;
    if (isSameLife && term < seen.term) this.#fail("the term never falls", node, seen.term, term);
    if (isSameLife && group === seen.group) {
      if (commit < seen.commit)
        this.#fail("the commit index never falls", node, seen.commit, commit);
      if (applied < seen.applied) {
        this.#fail("the applied index never falls", node, seen.applied, applied);
      }
    }
    this.#seen.set(node, { term, commit, applied, life: node.incarnation, group });
    if (role !== "leader") return;
    this.#checkOwnTerm(node, isSameLife && group === seen.group ? seen.commit : commit, commit);
    const leader = this.#leaders.get(term);
    if (leader === undefined) {
      this.#leaders.set(term, `${node.id} ${node.incarnation}`);
      this.#ledSinceMs.set(term, this.#world.nowMs);
      this.elections++;
      this.#checkComplete(node, term);
    } else if (leader !== `${node.id} ${node.incarnation}`) {
      this.#fail("Election Safety", node, term, leader);
    }
  }

  /** §5.4.2: only entries of its own term are committed by a leader's counting. */
  #checkOwnTerm(node: WorldNode, before: number, commit: number): void {
    const record = node.disk.image.record(commit);
    const term = node.consensus?.standing.term;
    if (commit === before || record === undefined || termOfEntry(record) === term) return;
    this.#fail("a leader commits entries of its own term", node, commit, termOfEntry(record));
  }

  /** Any two quorums of configurations that follow each other meet (§6). */
  reconfigured(node: WorldNode, before: Configuration, after: Configuration): void {
    this.#checkReady(node, before, after);
    const names = [...before.voters, ...before.outgoing, ...after.voters, ...after.outgoing];
    const members = names.filter(
      (member, i) => names.findIndex((other) => isSameMember(other, member)) === i,
    );
    for (let bits = 0; bits < 2 ** members.length; bits++) {
      const isIn = (member: Member): boolean =>
        (bits & (1 << members.findIndex((other) => isSameMember(other, member)))) !== 0;
      if (isQuorum(before, isIn) && isQuorum(after, (member) => !isIn(member))) {
        const from = describeConfiguration(before);
        this.#fail("quorums meet", node, from, describeConfiguration(after));
      }
    }
  }

  /** Thesis §4.2.1: who begins to vote has nearly everything. */
  #checkReady(leader: WorldNode, before: Configuration, after: Configuration): void {
    const since = this.#world.nowMs - READY_WITHIN * this.#world.timing.electionTimeoutMs;
    const { committedAtMs } = this.#history(this.#groupOf(leader));
    const settled = committedAtMs.findLastIndex((atMs) => atMs <= since) + 1;
    for (const member of after.voters) {
      if ([...before.voters, ...before.outgoing].some((m) => isSameMember(m, member))) continue;
      const disk = this.#world.node(member.node)?.disk;
      const has = Math.max(disk?.image.last ?? 0, disk?.state.point?.index ?? 0);
      // A disk that was lost since is another matter.
      if (has > 0 && has < settled)
        this.#fail("voters are ready", leader, member.node, has, settled);
    }
  }

  /** At the end: nothing that was acknowledged is missing, and every state is what was committed. */
  finish(): void {
    for (const node of this.#world.nodes) {
      if (!node.isUp || this.#groupOf(node) !== this.#group) continue;
      for (const { index, term, text } of node.applied) {
        const known = this.#history(this.#group).committed[index - 1];
        if (known?.term === term && known.text === text) continue;
        this.#fail("State Machine Safety (at the end)", node, index, `${term} ${text}`);
      }
    }
    const { acked, committed } = this.#history(this.#group);
    for (const [index, text] of acked) {
      if (committed[index - 1]?.text !== text) {
        this.#fail("what was acknowledged is there", undefined, index, text);
      }
    }
  }

  /** Leader Completeness: everything that was committed is in its log, or in its state. */
  #checkComplete(node: WorldNode, term: number): void {
    const { image } = node.disk;
    const { committed } = this.#history(this.#groupOf(node));
    for (let index = image.first; index <= committed.length; index++) {
      const record = image.record(index);
      const known = committed[index - 1] as Committed;
      if (known.term >= term) continue;
      if (record === undefined || termOfEntry(record) !== known.term) {
        this.#fail("Leader Completeness", node, term, `lacks ${index} of term ${known.term}`);
      }
    }
  }

  /** A quorum of the configuration in force has it on its disks. */
  #checkDurable(node: WorldNode, index: number, term: number): void {
    const { consensus } = node;
    if (consensus === undefined || consensus.standing.role !== "leader") return;
    const inForce = node.configurationsAtCommit(index);
    const holds = (member: Member): boolean => {
      const other = this.#world.node(member.node);
      if (other === undefined) return false;
      const { durable, durableState, image } = other.disk;
      const original = other.isOriginal;
      if (!isMember(member, { node: other.id, storeId: other.storeId, original })) return false;
      if ((durableState.point?.index ?? 0) >= index) return true;
      const record = durable.record(index);
      return (record !== undefined && termOfEntry(record) === term) || image.first > index;
    };
    // Members whose tail was lost on purpose had it once.
    const isHeld = inForce.some((configuration) => isQuorum(configuration, holds));
    if (!isHeld && this.#world.tailsLost === 0) {
      this.#fail("committed is durable with a quorum", node, index, term);
    }
  }

  #maybeAck(node: WorldNode, index: number, term: number, text: string): void {
    const key = `${node.id} ${index} ${term}`;
    const proposal = this.#proposals.get(key);
    if (proposal === undefined) return;
    this.#proposals.delete(key);
    if (proposal.text !== text) this.#fail("(index, term) names the proposal", node, index, text);
    const group = this.#groupOf(node);
    this.#history(group).acked.set(index, text);
    this.ackedCount++;
    if (group === this.#group && index > this.ackedIndex) this.ackedIndex = index;
    for (const other of this.#world.nodes) this.checkLease(other);
  }

  #fail(
    property: string,
    node: WorldNode | undefined,
    ...values: readonly (string | number)[]
  ): never {
    const where = node === undefined ? "" : ` at ${node.id}`;
    throw new BrokenProperty(
      `${property}${where}: ${values.join(", ")}; ${Math.round(this.#world.nowMs)} ms, seed ${this.#world.seed}`,
    );
  }
}
