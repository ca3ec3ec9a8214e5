import type { NodeId } from "../../core/model/ids.ts";
import type { NatsNode } from "./nats-node.ts";
import { PeerLink } from "./peer-link.ts";
import { decodeToken, encodeToken } from "./subjects.ts";

/** The links of one node: one for each peer that it is to be connected with. */
export class PeerLinks {
  readonly #node: NatsNode;
  readonly #byPeer = new Map<NodeId, PeerLink>();
  /** By the token of their name. */
  readonly #bySender = new Map<string, PeerLink>();

  constructor(node: NatsNode) {
    this.#node = node;
  }

  get(peer: NodeId): PeerLink | undefined {
    return this.#byPeer.get(peer);
  }

  /** As they are now: a handler may change them while somebody goes through them. */
  all(): readonly PeerLink[] {
    return [...this.#byPeer.values()];
  }

  /** Replaces the peers. Gives those that were open and are no more. */
  set(peers: ReadonlySet<NodeId>): readonly NodeId[] {
    const ended: NodeId[] = [];
    for (const link of this.all()) {
      if (peers.has(link.peer)) continue;
      if (link.isOpen) ended.push(link.peer);
      link.destroy();
      this.#byPeer.delete(link.peer);
      this.#bySender.delete(encodeToken(link.peer));
    }
    for (const peer of peers) {
      if (this.#byPeer.has(peer)) continue;
      const link = new PeerLink(this.#node, peer);
      this.#byPeer.set(peer, link);
      this.#bySender.set(encodeToken(peer), link);
      if (this.#node.limits !== undefined) link.begin();
    }
    return ended;
  }

  /** The link of whoever has this token in the subjects under which it publishes. */
  ofSender(token: string): PeerLink | undefined {
    const link = this.#bySender.get(token);
    if (link === undefined) this.#refuse(token);
    return link;
  }

  #refuse(token: string): void {
    const { faults } = this.#node;
    const name = decodeToken(token);
    if (name === undefined) {
      faults.note("warn", "malformed-sender", "dropped a message", `from ${token}`);
    } else {
      faults.note("info", "unnamed-sender", "dropped a message", `from ${name}, no peer`);
    }
  }
}
