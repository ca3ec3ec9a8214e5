import type { NodeId } from "../../model/ids.ts";
import type { PeerNetworkEvents } from "../seams.ts";
import type { Birth } from "./birth.ts";
import type { Notices } from "./notices.ts";
import type { PeerSession } from "./session.ts";
import { type Side, sideOf } from "./side.ts";

export interface ReachabilityOptions {
  readonly events: PeerNetworkEvents;
  readonly notices: Notices;
  readonly birth: Birth;
  readonly sessions: ReadonlyMap<NodeId, PeerSession>;
  readonly clusterTag: number;
  readonly sessionTag: number;
}

/**
 * What follows from a session's state. Invariant: `open` and `reachable` of every session, the
 * count and the side are changed here alone, and the host is told in the same breath.
 */
export class Reachability {
  readonly #options: ReachabilityOptions;
  #reachablePeers = 0;
  #side: Side;
  /** Some peer says that another store is to be who we are: until it is settled, we count nowhere. */
  #isRefused = false;
  #closed = false;
  #hasCounted = false;
  #isFrozen = false;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
    this.#side = sideOf(0, options.sessions.size + 1);
  }

  /** Some peer was to be sent messages of this process, as its node's. */
  get hasCounted(): boolean {
    return this.#hasCounted;
  }

  get side(): Side {
    return this.#side;
  }

  /** This process counts nowhere any more, whatever it is told. */
  freeze(): void {
    this.#isFrozen = true;
    for (const session of this.#options.sessions.values()) this.refresh(session);
  }

  refresh(session: PeerSession): void {
    if (this.#closed) return;
    const sessions = [...this.#options.sessions.values()];
    const isRefused = this.#isFrozen || sessions.some(({ refusesUs }) => refusesUs);
    if (isRefused === this.#isRefused) {
      this.#apply(session);
      return;
    }
    this.#isRefused = isRefused;
    for (const each of sessions) this.#apply(each);
  }

  #apply(session: PeerSession): void {
    const { birth, clusterTag, sessionTag, events } = this.#options;
    const open =
      !this.#isRefused &&
      session.connected &&
      session.accepted &&
      session.acceptedUs &&
      birth.clusterId !== undefined &&
      session.clusterId === birth.clusterId;
    if (open !== session.open) {
      session.open = open;
      this.#hasCounted ||= open;
      if (!open) session.outbox.drop();
      else session.outbox.begin({ cluster: clusterTag, sender: sessionTag, receiver: session.tag });
    }
    const reachable = open && !session.suspected;
    if (reachable === session.reachable) return;
    session.reachable = reachable;
    this.#reachablePeers += reachable ? 1 : -1;
    events.onReachability(session.node, reachable);
    this.#reviewSide();
  }

  /** Nobody is told any more. */
  close(sessions: Iterable<PeerSession>): void {
    this.#closed = true;
    for (const session of sessions) {
      session.open = false;
      session.reachable = false;
      session.outbox.drop();
    }
  }

  #reviewSide(): void {
    const nodes = this.#options.sessions.size + 1;
    const side = sideOf(this.#reachablePeers, nodes);
    if (side === this.#side) return;
    this.#side = side;
    const reachable = this.#reachablePeers + 1;
    this.#options.notices.say("side", { side, reachable, nodes });
  }
}
