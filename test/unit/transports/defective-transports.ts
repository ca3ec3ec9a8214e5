import {
  LANES,
  type Lane,
  type PeerAddress,
  type SendResult,
  type TransportHandlers,
} from "../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../src/core/model/ids.ts";
import { PassingTransport } from "./passing-transport.ts";

// Transports that break one obligation each, where that takes more than a line.

/** Hands over the second of two frames first. */
export class SwappingTransport extends PassingTransport {
  override wrap(handlers: TransportHandlers): TransportHandlers {
    const held = new Map<Lane, Uint8Array>();
    return {
      ...handlers,
      onFrame: (from, frame, lane) => {
        const earlier = held.get(lane);
        if (earlier === undefined) {
          held.set(lane, Uint8Array.from(frame));
          return;
        }
        held.delete(lane);
        handlers.onFrame(from, frame, lane);
        handlers.onFrame(from, earlier, lane);
      },
    };
  }
}

/** Sends everything on one lane, with the true one in the first byte. */
export class OneQueueTransport extends PassingTransport {
  override wrap(handlers: TransportHandlers): TransportHandlers {
    return {
      ...handlers,
      onFrame: (from, frame) =>
        handlers.onFrame(from, frame.subarray(1), LANES[frame[0] ?? 0] as Lane),
      onWritable: (peer) => {
        for (const lane of LANES) handlers.onWritable(peer, lane);
      },
    };
  }

  override send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    const tagged = new Uint8Array(frame.length + 1);
    tagged[0] = LANES.indexOf(lane);
    tagged.set(frame, 1);
    return this.inner.send(peer, tagged, "log");
  }
}

/** Answers `saturated` and sends the frame later all the same. */
export class LyingTransport extends PassingTransport {
  /** What was refused, and goes ahead of the next frame that is taken. */
  readonly #kept: Uint8Array[] = [];

  override send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    while (this.#kept.length > 0) {
      const kept = this.#kept[0] as Uint8Array;
      if (this.inner.send(peer, kept, lane) !== "accepted") break;
      this.#kept.shift();
    }
    const result = this.inner.send(peer, frame, lane);
    if (result === "saturated") this.#kept.push(Uint8Array.from(frame));
    return result;
  }
}

/** Calls the receiver's handler within `send`, some levels deep. */
export class RecursiveTransport extends PassingTransport {
  readonly #self: NodeId;
  readonly #others: Map<NodeId, RecursiveTransport>;
  #depth = 0;

  constructor(
    inner: PassingTransport["inner"],
    self: NodeId,
    others: Map<NodeId, RecursiveTransport>,
  ) {
    super(inner);
    this.#self = self;
    this.#others = others;
    others.set(self, this);
  }

  override send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    const other = this.#others.get(peer);
    if (other === undefined || this.#depth > 3) return this.inner.send(peer, frame, lane);
    this.#depth += 1;
    other.handlers?.onFrame(this.#self, Uint8Array.from(frame), lane);
    this.#depth -= 1;
    return "accepted";
  }
}

/** Says `connected` as soon as it is started. */
export class EarlyTransport extends PassingTransport {
  #peers: readonly PeerAddress[] = [];

  override setPeers(peers: readonly PeerAddress[]): void {
    this.#peers = peers;
    super.setPeers(peers);
  }

  override wrap(handlers: TransportHandlers): TransportHandlers {
    setTimeout(() => {
      for (const { node } of this.#peers) handlers.onPeer(node, "connected");
    });
    return { ...handlers, onPeer: () => undefined };
  }

  override send(): SendResult {
    return "disconnected";
  }
}

/** Gives a peer up for good once it was disconnected. */
export class OnceConnectedTransport extends PassingTransport {
  #peers: readonly PeerAddress[] = [];
  readonly #lost = new Set<NodeId>();

  override setPeers(peers: readonly PeerAddress[]): void {
    this.#peers = peers;
    this.inner.setPeers(peers.filter(({ node }) => !this.#lost.has(node)));
  }

  override wrap(handlers: TransportHandlers): TransportHandlers {
    return {
      ...handlers,
      onPeer: (peer, state) => {
        if (state === "disconnected") this.#lost.add(peer);
        this.setPeers(this.#peers);
        handlers.onPeer(peer, state);
      },
    };
  }

  override send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    return this.#lost.has(peer) ? "disconnected" : this.inner.send(peer, frame, lane);
  }
}

/** Takes the loss of one peer for the loss of all. */
export class AllOrNothingTransport extends PassingTransport {
  #lost = false;

  override wrap(handlers: TransportHandlers): TransportHandlers {
    return {
      ...handlers,
      onPeer: (peer, state) => {
        handlers.onPeer(peer, state);
        if (state === "disconnected" && !this.#lost) {
          this.#lost = true;
          this.inner.setPeers([]);
        }
      },
    };
  }

  override send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    return this.#lost ? "disconnected" : this.inner.send(peer, frame, lane);
  }
}

/** Adds to its peers and never takes one away. */
export class RememberingTransport extends PassingTransport {
  readonly #peers = new Map<NodeId, PeerAddress>();

  override setPeers(peers: readonly PeerAddress[]): void {
    for (const peer of peers) this.#peers.set(peer.node, peer);
    this.inner.setPeers([...this.#peers.values()]);
  }
}

/** Starts only when a peer is there. */
export class WaitingTransport extends PassingTransport {
  override start(handlers: TransportHandlers): Promise<void> {
    return new Promise((resolve, reject) => {
      const onPeer: TransportHandlers["onPeer"] = (peer, state) => {
        resolve();
        handlers.onPeer(peer, state);
      };
      this.inner.start({ ...handlers, onPeer }).catch(reject);
    });
  }
}

/** Refuses a second close. */
export class OnceClosedTransport extends PassingTransport {
  #closed = false;

  override close(options?: { readonly timeoutMs?: number }): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("closed before"));
    this.#closed = true;
    return super.close(options);
  }
}

/** Goes on talking to its owner after `close`. */
export class TalkativeTransport extends PassingTransport {
  override async close(options?: { readonly timeoutMs?: number }): Promise<void> {
    await super.close(options);
    setTimeout(() => this.handlers?.onPeer("node-b" as NodeId, "disconnected"), 20);
  }
}

/** Names a process that it does not let in by the number of its attempt. */
export class RenamingTransport extends PassingTransport {
  #claims = 0;

  override wrap(handlers: TransportHandlers): TransportHandlers {
    return {
      ...handlers,
      onClaim: (peer) => {
        this.#claims += 1;
        return handlers.onClaim?.(peer, `attempt ${this.#claims}`) ?? "identity-taken";
      },
    };
  }
}
