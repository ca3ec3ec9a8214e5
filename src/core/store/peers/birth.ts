import type { Environment } from "../../contracts/environment.ts";
import type { OpenedState, Sender } from "../../contracts/machine.ts";
import type { ClusterId, NodeId } from "../../model/ids.ts";
import { founderOf, type Hello } from "./hello.ts";
import type { PeerSession } from "./session.ts";

/** An empty node waits this long for somebody who knows the founders, then joins as `empty`. */
const WAIT_FOR_FOUNDERS_HEARTBEATS = 3;

export interface BirthOptions {
  readonly self: Sender;
  /** All configured nodes, sorted; the first one mints. */
  readonly nodes: readonly NodeId[];
  readonly environment: Environment;
  readonly heartbeatIntervalMs: number;
  readonly saveClusterId: (id: ClusterId, origin: OpenedState["origin"], done: () => void) => void;
  readonly isUnused: boolean;
  readonly onBorn: (id: ClusterId, origin: OpenedState["origin"]) => void;
}

/**
 * How a node comes to its cluster id. A cluster is born once, when every
 * configured node is met and none has an id: the lowest mints it and writes down which stores were
 * there, the *founders*. Whoever adopts the id with the founders knows whether its own store was
 * one of them (`newborn`: nothing was ever written that it could lack); without, it is `empty`.
 * That is always safe: an empty node learns before it counts.
 */
export class Birth {
  readonly #options: BirthOptions;
  #clusterId: ClusterId | undefined;
  /** An id is being made durable: it will be this node's, and nobody hears of it before. */
  #adopting = false;
  readonly #waiting: (() => void)[] = [];
  #founders: readonly string[] | undefined;
  /** An id that was seen without its founders. */
  #seen: { readonly id: ClusterId; readonly sinceMs: number } | undefined;

  constructor(options: BirthOptions) {
    this.#options = options;
  }

  get clusterId(): ClusterId | undefined {
    return this.#clusterId;
  }

  /** In the order of the nodes; undefined if this process was not told. */
  get founders(): readonly string[] | undefined {
    return this.#founders;
  }

  /** With the stored id, or alone, at once; else it waits for hellos. */
  start(storedClusterId: ClusterId | undefined): void {
    if (storedClusterId !== undefined) this.#become(storedClusterId, "kept");
    else if (this.#options.nodes.length === 1) this.#mint([founderOf(this.#options.self.storeId)]);
  }

  /** Called once the node has its cluster id; at once if it has. */
  whenBorn(told: () => void): void {
    if (this.#clusterId !== undefined) told();
    else this.#waiting.push(told);
  }

  /** A hello that was accepted. */
  onHello(hello: Hello): void {
    if (this.#isDecided || hello.clusterId === undefined) return;
    this.#seen ??= { id: hello.clusterId, sinceMs: this.#options.environment.monotonicMs() };
    if (hello.founders === undefined || this.#seen.id !== hello.clusterId) return;
    if (hello.founders.length !== this.#options.nodes.length) return;
    this.#founders = hello.founders;
    const mine = hello.founders[this.#options.nodes.indexOf(this.#options.self.node)];
    const isFounder = mine === founderOf(this.#options.self.storeId);
    this.#adopt(hello.clusterId, isFounder ? this.#founderOrigin : "empty");
  }

  /** After every accepted hello and with every heartbeat. */
  review(sessions: ReadonlyMap<NodeId, PeerSession>): void {
    if (this.#isDecided) return;
    if (this.#seen !== undefined) {
      const waitedMs = this.#options.environment.monotonicMs() - this.#seen.sinceMs;
      const patienceMs = WAIT_FOR_FOUNDERS_HEARTBEATS * this.#options.heartbeatIntervalMs;
      if (waitedMs >= patienceMs) this.#adopt(this.#seen.id, "empty");
      return;
    }
    const { nodes, self } = this.#options;
    if (nodes[0] !== self.node) return;
    const founders: string[] = [];
    for (const node of nodes) {
      const identity = node === self.node ? self : identityOfUnborn(sessions.get(node));
      if (identity === undefined) return;
      founders.push(founderOf(identity.storeId));
    }
    this.#mint(founders);
  }

  get #isDecided(): boolean {
    return this.#adopting || this.#clusterId !== undefined;
  }

  get #founderOrigin(): OpenedState["origin"] {
    return this.#options.isUnused ? "newborn" : "empty";
  }

  #mint(founders: readonly string[]): void {
    const bytes = this.#options.environment.random("cluster-id").bytes(16);
    this.#founders = founders;
    this.#adopt(Buffer.from(bytes).toString("hex") as ClusterId, this.#founderOrigin);
  }

  #adopt(id: ClusterId, origin: OpenedState["origin"]): void {
    this.#adopting = true;
    this.#options.saveClusterId(id, origin, () => this.#become(id, origin));
  }

  #become(id: ClusterId, origin: OpenedState["origin"]): void {
    this.#clusterId = id;
    this.#options.onBorn(id, origin);
    for (const told of this.#waiting.splice(0)) told();
  }
}

/** Who the peer is, if it is here now and said that it knows no cluster id. */
function identityOfUnborn(session: PeerSession | undefined): Sender | undefined {
  if (session === undefined || !session.connected || !session.accepted || !session.alive) {
    return undefined;
  }
  return session.clusterId === undefined ? session.identity : undefined;
}
