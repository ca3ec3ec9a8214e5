/**
 * The seams between the rooms of the store: what the host of machines, the peer network and the
 * store itself know of each other. Internal; plug-ins see `core/contracts` alone.
 */
import type { MessageCodec, OpenedState, Sender } from "../contracts/machine.ts";
import type { Engine } from "../contracts/strategy.ts";
import type { Lane } from "../contracts/transport.ts";
import type { ByteReader } from "../model/bytes.ts";
import type { CapstanError } from "../model/errors.ts";
import type { MessageRole } from "../model/frames.ts";
import type { ClusterId, NodeId, StoreId } from "../model/ids.ts";
import type { KeyspaceStanding } from "./peers/hello-outline.ts";

/** Routes one message to one machine, or to a watch. 11 bytes on the wire, with the length. */
export interface MessageAddress {
  readonly role: MessageRole;
  readonly keyspaceHash: number;
  readonly shardIndex: number;
}

/**
 * - `queued`: it leaves with the next flush; from here on it may be anywhere.
 * - `unreachable`: nothing was taken: the peer is not connected, or has not been met yet.
 * - `saturated`: nothing was taken: the lane's bound is reached.
 */
export type QueueResult = "queued" | "unreachable" | "saturated";

/**
 * The other nodes: sessions and their identities, the outbox (one frame per peer, lane and turn),
 * the frame filter, the failure detector, and the birth of the cluster.
 */
export interface PeerNetwork {
  start(): Promise<void>;
  /** Encodes the message into the peer's outbox. `peer` is never this node. */
  send<Message>(
    peer: NodeId,
    lane: Lane,
    address: MessageAddress,
    codec: MessageCodec<Message>,
    message: Message,
  ): QueueResult;
  /** The turn's messages are complete: hand one frame per peer and lane to the transport. */
  flush(): void;
  /** Connected, met (hello accepted) and not suspected; and given the keyspace, if one is named. */
  isReachable(peer: NodeId, keyspaceHash?: number): boolean;
  /** Whether the peer's accepted session was given another configuration, without this keyspace. */
  lacks(peer: NodeId, keyspaceHash: number): boolean;
  /** Of all peers, in the order of the configuration's nodes. */
  standingsOf(keyspace: string): readonly PeerStanding[];
  /** Some peer that can be reached has replicas that are being rebuilt, and has yet to say which. */
  readonly awaitsWord: boolean;
  /** The identity that the peer's accepted hello gave; undefined before. */
  identityOf(peer: NodeId): Sender | undefined;
  readonly clusterId: ClusterId | undefined;
  describe(): PeerNetworkDescription;
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

/** What one node has learned of a keyspace of its own from a peer that it has met in its cluster. */
export interface PeerStanding {
  readonly node: NodeId;
  /**
   * - `unmet`: nothing, yet.
   * - `never`: the peer does not have the keyspace, nor anything of it that is to be learned here.
   * - `left-out`: its configuration does not have it, and its store may hold something.
   * - else what it says of itself: see `KeyspaceStanding`.
   */
  readonly standing: "unmet" | "never" | "left-out" | KeyspaceStanding;
  readonly storeId: StoreId | undefined;
  readonly persistent: boolean;
  /**
   * It has accepted this start of this node. Before it has, it may yet say that another store has
   * stood in the place of this one, or that this one is an old copy.
   */
  readonly acceptsUs: boolean;
}

/** What a node says of its own keyspaces. */
export interface OwnKeyspaces {
  /** Some keyspace is new to this store, and it is not known yet how it begins here. */
  readonly isWaiting: boolean;
  readonly isPersistent: boolean;
  /**
   * Those that the configuration leaves out, and of which this store may hold something that
   * `toStore` would have to learn; followed: if another store has stood in its place.
   */
  leftOutTo(toStore: StoreId | undefined, isFollowed: boolean): readonly string[];
  standing(keyspace: string, toStore: StoreId | undefined): KeyspaceStanding;
}

export interface PeerNetworkEvents {
  /** The reader stands at the message's body and ends with it; its bytes are borrowed. */
  onMessage(from: Sender, address: MessageAddress, body: ByteReader): void;
  /** What is known of the peers' keyspaces may be more than before. */
  onStandings?(): void;
  /** All messages of a frame were delivered. */
  onTurnEnd(): void;
  onReachability(peer: NodeId, reachable: boolean): void;
  /** A peer was met for the first time, or came back as somebody else. Before any of its messages. */
  onIdentity(peer: Sender): void;
  /** The cluster's id is known: shards may open, with this origin. Once. */
  onBorn(clusterId: ClusterId, origin: OpenedState["origin"]): void;
  /** Refused for good: another cluster's data, another node under this id. */
  onFatal(error: CapstanError): void;
  /** A peer has met more of this store than it holds: its data must not be gone on with. */
  onDisowned(error: CapstanError): void;
  /**
   * A peer has met another store of this node after this one: what that one has acknowledged is to be
   * learned. `done` once no replica that may lack it can count any more, also after a crash; perhaps
   * inside the call. Once in the life of a process.
   */
  onFollowed(done: () => void): void;
  onNotice(notice: { readonly type: string; readonly [field: string]: unknown }): void;
}

export interface PeerDescription {
  readonly node: NodeId;
  readonly connected: boolean;
  readonly reachable: boolean;
  readonly identity: Sender | undefined;
  /** It is met and answers, but one of the two has not joined the cluster yet. */
  readonly joining: boolean;
  /** Milliseconds since the last frame; undefined if there was none. */
  readonly silentMs: number | undefined;
  readonly bufferedBytes: number;
  /** Why the peer's last hello was refused: another configuration, cluster or identity. */
  readonly refusal?: string | undefined;
  /** Of the configuration in that hello, if it is what was refused. */
  readonly refusedDigest?: string | undefined;
  /** Likewise: what differs in it, as paths. */
  readonly refusedPaths?: readonly string[] | undefined;
  /** Keyspaces of this node that it was not given, while it is met. */
  readonly lacking?: readonly string[] | undefined;
  /** Keyspaces that it was given and this node was not, likewise. */
  readonly further?: readonly string[] | undefined;
  /** It is connected with another process of this node's id. */
  readonly isTaken?: boolean;
}

export interface PeerNetworkDescription {
  readonly peers: readonly PeerDescription[];
  readonly framesDropped: number;
  /** What the node thinks of its own side; for people and events, never for refusals. */
  readonly side: "majority" | "minority" | "isolated";
}

/** Decides about each frame between outbox and transport, and between transport and outbox. */
export interface FrameFilter {
  /**
   * What becomes of a frame: each entry of the answer is one delivery, that many milliseconds
   * later (0: now). `undefined` lets it pass as it is; `[]` drops it; two entries double it.
   */
  outgoing?(to: NodeId, lane: Lane, frameBytes: number): readonly number[] | undefined;
  incoming?(from: NodeId, lane: Lane, frameBytes: number): readonly number[] | undefined;
}

/** Runs the silent machines of one node, and is an `Engine` for each keyspace that uses them. */
export interface MachineHost {
  /** For the peer network. */
  readonly events: PeerNetworkEvents;
  /** What an earlier start has stored; undefined if there was none. */
  readonly storedClusterId: ClusterId | undefined;
  /**
   * `done` once it is durable: it may be told, and served under, from then on. With it goes, over
   * restarts, that a store of origin `empty` has all to learn.
   */
  saveClusterId(id: ClusterId, origin: OpenedState["origin"], done: () => void): void;
  /** What this node knows of the stores that it has met; see `PeerNetworkOptions.met`. */
  readonly met: {
    load(node: NodeId): Uint8Array | undefined;
    save(node: NodeId, bytes: Uint8Array): void;
  };
  /** How far this node's log would survive a power cut, for hellos. */
  logPosition(): number;
  /** The same when this start opened it, before it wrote anything. */
  readonly openedPosition: number;
  attach(peers: PeerNetwork): void;
  /** For hellos. */
  readonly ownKeyspaces: OwnKeyspaces;
  /** Likewise: whether a replica is being rebuilt, and tells this peer so. */
  isRebuildingFor(peer: NodeId): boolean;
  engine(keyspace: string): Engine;
  describe(): Readonly<Record<string, unknown>>;
  /** Pending operations get `timeoutMs` if `drain`, then are answered with the truth. */
  close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void>;
}
