import type {
  Denial,
  Lane,
  PeerAddress,
  SendResult,
  Transport,
  TransportContext,
  TransportHandlers,
} from "../core/contracts/transport.ts";
import type { NodeId } from "../core/model/ids.ts";
import type { SimEnvironment } from "./sim-environment.ts";

/** The least that the contract asks for. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024 + 64 * 1024;

/** What a transport asks of the network that it belongs to. */
export interface TransportNetwork {
  send(from: SimTransport, to: SimTransport, frame: Uint8Array, lane: Lane): SendResult;
  heldBytes(from: NodeId, to: NodeId): number;
  /** Peers or readiness have changed: see who can be connected with whom. */
  review(transport: SimTransport): void;
  /** The two have no connection any more. */
  parted(transport: SimTransport, peer: NodeId): void;
  closed(transport: SimTransport): void;
}

/** One start of one node, as the simulated network knows it. */
export class SimTransport implements Transport {
  readonly capabilities = Object.freeze({ addressed: false, ordered: false, remote: false });
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  readonly self: NodeId;
  readonly cluster: string;
  /** Of the node among all nodes of the network. */
  readonly place: number;
  readonly environment: SimEnvironment;
  readonly #network: TransportNetwork;
  readonly #connections = new Map<NodeId, SimTransport>();
  #peers: ReadonlySet<NodeId> = new Set();
  #handlers: TransportHandlers | undefined;
  #isClosed = false;

  constructor(
    { self, cluster }: Pick<TransportContext, "self" | "cluster">,
    place: number,
    environment: SimEnvironment,
    network: TransportNetwork,
  ) {
    this.self = self;
    this.cluster = cluster;
    this.place = place;
    this.environment = environment;
    this.#network = network;
  }

  get isUp(): boolean {
    return this.#handlers !== undefined && !this.#isClosed && !this.environment.isDead;
  }

  async start(handlers: TransportHandlers): Promise<void> {
    if (this.#handlers !== undefined) throw new TypeError("the transport was started before");
    if (this.#isClosed) throw new TypeError("the transport is closed");
    this.#handlers = handlers;
    this.#network.review(this);
  }

  setPeers(peers: readonly PeerAddress[]): void {
    if (peers.some(({ node }) => node === this.self)) {
      throw new TypeError(`peers: ${this.self} is this node itself`);
    }
    this.#peers = new Set(peers.map(({ node }) => node));
    for (const peer of [...this.#connections.keys()]) {
      if (!this.#peers.has(peer)) this.#network.parted(this, peer);
    }
    this.#network.review(this);
  }

  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    if (frame.length === 0 || frame.length > MAX_FRAME_BYTES) {
      throw new RangeError(`a frame of ${frame.length} bytes; allowed are 1 to ${MAX_FRAME_BYTES}`);
    }
    if (!this.#peers.has(peer)) throw new TypeError(`${peer} is not a peer of ${this.self}`);
    const other = this.#connections.get(peer);
    if (other === undefined || !this.isUp) return "disconnected";
    return this.#network.send(this, other, frame, lane);
  }

  bufferedBytes(peer: NodeId): number {
    return this.#connections.has(peer) ? this.#network.heldBytes(this.self, peer) : 0;
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#network.closed(this);
    }
    return Promise.resolve();
  }

  wants(peer: NodeId): boolean {
    return this.#peers.has(peer);
  }

  peers(): readonly NodeId[] {
    return [...this.#peers];
  }

  connectedWith(peer: NodeId): SimTransport | undefined {
    return this.#connections.get(peer);
  }

  connect(other: SimTransport): void {
    this.#connections.set(other.self, other);
    this.#tell((handlers) => handlers.onPeer(other.self, "connected"));
  }

  disconnect(peer: NodeId): void {
    if (!this.#connections.delete(peer)) return;
    // Not inside the call that closes it.
    this.environment.time.defer(() => {
      this.#tell((handlers) => handlers.onPeer(peer, "disconnected"));
    });
  }

  deliver(from: SimTransport, frame: Uint8Array, lane: Lane): void {
    // Of all frames: a closure is made where the process cannot hear it now.
    if (this.environment.isRunning) this.#hear(from, frame, lane);
    else this.environment.input(() => this.#hear(from, frame, lane));
  }

  writable(peer: NodeId, lane: Lane): void {
    this.#tell((handlers) => handlers.onWritable(peer, lane));
  }

  /** Asks this process what `claimant`, which says to be its peer, is told. */
  answerClaim(peer: NodeId, claimant: string, answer: (denial: Denial) => void): void {
    this.#tell((handlers) => answer(handlers.onClaim?.(peer, claimant) ?? "identity-taken"));
  }

  denied(peer: NodeId, denial: Denial | undefined): void {
    this.#tell((handlers) => handlers.onDenied?.(peer, denial));
  }

  #hear({ self }: SimTransport, frame: Uint8Array, lane: Lane): void {
    if (this.isUp && this.#peers.has(self)) this.#handlers?.onFrame(self, frame, lane);
  }

  #tell(say: (handlers: TransportHandlers) => void): void {
    this.environment.input(() => {
      if (this.isUp) say(this.#handlers as TransportHandlers);
    });
  }
}
