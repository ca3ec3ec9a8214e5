import type { NodeId } from "../model/ids.ts";
import type { Environment } from "./environment.ts";
import type { Observer } from "./observer.ts";

/**
 * `control`: heartbeats, votes, hellos. `log`: operations and replication. `bulk`: snapshots,
 * streams, repair. No lane puts more than 64 KiB ahead of `control` on the way to a peer.
 */
export type Lane = "control" | "log" | "bulk";

export const LANES: readonly Lane[] = Object.freeze(["control", "log", "bulk"]);

/**
 * - `accepted`: the frame may arrive, once, more than once, late, or never.
 * - `saturated`: nothing was taken; `onWritable` tells when to try again.
 * - `disconnected`: nothing was taken and nothing of it left this node.
 */
export type SendResult = "accepted" | "saturated" | "disconnected";

export interface PeerAddress {
  readonly node: NodeId;
  /** `host:port`, or undefined where the transport needs none. */
  readonly address: string | undefined;
}

export interface TransportCapabilities {
  /** Needs `PeerAddress.address`. */
  readonly addressed: boolean;
  /** Frames of one lane to one peer arrive in order while a connection lasts. */
  readonly ordered: boolean;
  /** Frames leave this process. */
  readonly remote: boolean;
}

/**
 * Why a peer is not connected with this process: with another one, under this node's id.
 *
 * - `identity-taken`: it may be an earlier life of this node that looks alive.
 * - `identity-conflict`: it was found alive while this one had begun.
 * - `identity-forked`: likewise, and the peer has taken messages of it for this node's.
 */
export type Denial = (typeof DENIALS)[number];

export const DENIALS = Object.freeze([
  "identity-taken",
  "identity-conflict",
  "identity-forked",
] as const);

export interface TransportHandlers {
  /**
   * A whole frame, from the peer that it says. `frame` is a view that is valid until the handler
   * returns. Called only after `start` was called, also before its promise settles.
   */
  onFrame(from: NodeId, frame: Uint8Array, lane: Lane): void;
  /**
   * Whether frames can be handed over for the peer now. `connected` again without a
   * `disconnected` in between means that a connection was replaced: what was in flight is lost.
   */
  onPeer(peer: NodeId, state: "connected" | "disconnected"): void;
  /** After a `saturated`: the lane to this peer takes frames again. */
  onWritable(peer: NodeId, lane: Lane): void;
  /** The transport cannot go on (its listening socket died); the node stops. */
  onFailed(error: Error): void;
  /**
   * A process that says to be this peer was not let in, since frames still come from the one that is
   * connected. `claimant` names it, the same at each of its attempts and never that of another one.
   * The answer is told to it; `identity-taken` where this handler is left out.
   */
  onClaim?(peer: NodeId, claimant: string): Denial;
  /**
   * This peer said so of this process; repeated each time that it does. Undefined once it is not known
   * to say so any more (it is silent, or away); `connected` ends it as well.
   */
  onDenied?(peer: NodeId, denial: Denial | undefined): void;
}

export interface TransportContext {
  readonly self: NodeId;
  /** Keeps two clusters on one network apart. */
  readonly cluster: string;
  /** Where this node listens, for a transport that needs addresses. */
  readonly address: string | undefined;
  readonly environment: Environment;
  readonly observer: Observer;
  /**
   * Every node sends something to each peer that it is connected with at least so often, in
   * milliseconds: where nothing comes for much longer, the connection is dead, though nothing says so.
   * Left out: they do not.
   */
  readonly heartbeatMs?: number;
}

/**
 * Carries frames between the nodes of one cluster.
 *
 * Obligations
 * - Order: none. Frames may be lost, doubled, late, out of order; but a frame that arrives is
 *   whole, and from the node that `from` names.
 * - Durability at return: none.
 * - Buffers: `send` borrows the frame until it returns; `onFrame` lends it until it returns.
 * - Concurrency: every handler runs one at a time and never inside a call into the transport,
 *   so that `send` within `onFrame` is allowed and does not recurse.
 * - Errors: `send` throws only a RangeError for a frame of 0 bytes or above `maxFrameBytes`, and a
 *   TypeError for a peer that `setPeers` has not named. After `close` it answers `disconnected`.
 * - Bounds: what waits for a peer is bounded per lane; beyond it `send` answers `saturated`.
 * - Identity: of two processes under one id a peer is connected with one at a time; as long as frames
 *   come from it, the other is not let in, and is told so (`onDenied`), whichever of the two dials. A
 *   transport within one process may put the newer in the older one's place, which is then told.
 * - Reconnecting, with backoff and jitter, is the transport's own affair and never ends.
 */
export interface Transport {
  readonly capabilities: TransportCapabilities;
  /** At least 8 MiB + 64 KiB; a transport chunks what its medium cannot carry whole. */
  readonly maxFrameBytes: number;
  /** Listens. Settles once peers may connect; rejects with `PORT_IN_USE` and the like. Called once. */
  start(handlers: TransportHandlers): Promise<void>;
  /**
   * The nodes to be connected with, without this one. Replaces the earlier list: connections to
   * nodes that it no longer names are closed, and frames from nodes that it does not name refused.
   */
  setPeers(peers: readonly PeerAddress[]): void;
  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult;
  /** Bytes accepted for the peer, over all lanes, that have not left this process. */
  bufferedBytes(peer: NodeId): number;
  /** What was accepted is given up to `timeoutMs` to leave; then everything is closed. Idempotent. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** What a module binds, and what configuration names by `transport.type`. */
export type TransportFactory = (
  options: Readonly<Record<string, unknown>>,
  context: TransportContext,
) => Transport;
