import type { Denial } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";

/**
 * A network inside one process: transports made with the same hub reach each other. Make one per
 * cluster of a test (clusters of different names on one hub stay apart).
 */
export interface MemoryHub {
  /** Cuts the node off: its peers and it itself see each other disconnected, frames are lost. */
  detach(node: string): void;
  /** Undoes `detach`. */
  reattach(node: string): void;
}

/** What the hub knows of a transport. */
export interface HubMember {
  readonly self: NodeId;
  readonly cluster: string;
  hasPeer(node: NodeId): boolean;
  isConnectedWith(member: HubMember): boolean;
  connect(member: HubMember): void;
  disconnect(member: HubMember): void;
  /** Another member has taken its place. */
  replaced(): void;
  /** What `claimant`, which says to be this member's peer and is not connected, is told. */
  answerClaim(node: NodeId, claimant: string): Denial;
  denied(peer: NodeId, denial: Denial): void;
}

/** Decides who is connected with whom; frames do not pass through it. */
export class Hub implements MemoryHub {
  readonly #members = new Map<string, HubMember>();
  readonly #detached = new Set<string>();
  #named = 0;

  detach(node: string): void {
    this.#detached.add(node);
    this.#reviewAll(node);
  }

  reattach(node: string): void {
    this.#detached.delete(node);
    this.#reviewAll(node);
  }

  /** Tells one process from another that has its id. */
  nextName(): string {
    this.#named += 1;
    return `member ${this.#named}`;
  }

  /** A member under the same cluster and id is replaced, as a restart replaces a process. */
  attach(member: HubMember): void {
    const replaced = this.#members.get(keyOf(member));
    if (replaced !== undefined) this.remove(replaced);
    this.#members.set(keyOf(member), member);
    this.review(member);
    replaced?.replaced();
  }

  /** A member that was replaced, and still lives, comes back, or is told why it cannot. */
  claim(member: HubMember, claimant: string): void {
    if (!this.#members.has(keyOf(member))) {
      this.attach(member);
      return;
    }
    for (const other of [...this.#members.values()]) {
      if (other.self === member.self || !this.#mayConnect(member, other)) continue;
      member.denied(other.self, other.answerClaim(member.self, claimant));
    }
  }

  has(member: HubMember): boolean {
    return this.#members.get(keyOf(member)) === member;
  }

  remove(member: HubMember): void {
    if (this.#members.get(keyOf(member)) !== member) return;
    this.#members.delete(keyOf(member));
    for (const other of this.#members.values()) unlink(member, other);
  }

  /** Connects and disconnects the member with every other, as things stand now. */
  review(member: HubMember): void {
    if (this.#members.get(keyOf(member)) !== member) return;
    for (const other of this.#members.values()) {
      if (other === member) continue;
      if (!this.#mayConnect(member, other)) unlink(member, other);
      else if (!member.isConnectedWith(other)) link(member, other);
    }
  }

  #reviewAll(node: string): void {
    for (const member of this.#members.values()) if (member.self === node) this.review(member);
  }

  #mayConnect(a: HubMember, b: HubMember): boolean {
    return (
      a.cluster === b.cluster &&
      a.hasPeer(b.self) &&
      b.hasPeer(a.self) &&
      !this.#detached.has(a.self) &&
      !this.#detached.has(b.self)
    );
  }
}

/** The hub belongs to the caller: there is none that is shared by default. */
export function createMemoryHub(): MemoryHub {
  return new Hub();
}

function link(a: HubMember, b: HubMember): void {
  a.connect(b);
  b.connect(a);
}

function unlink(a: HubMember, b: HubMember): void {
  if (!a.isConnectedWith(b)) return;
  a.disconnect(b);
  b.disconnect(a);
}

/** Node ids hold no slash. */
function keyOf(member: HubMember): string {
  return `${member.self}/${member.cluster}`;
}
