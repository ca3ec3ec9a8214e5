import type {
  Lane,
  PeerAddress,
  SendResult,
  Transport,
  TransportCapabilities,
  TransportHandlers,
} from "../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../src/core/model/ids.ts";

/**
 * A transport that passes everything on to another one. Defects override a method each; what the
 * inner transport tells goes through `wrap`.
 */
export class PassingTransport implements Transport {
  readonly inner: Transport;
  handlers: TransportHandlers | undefined;

  constructor(inner: Transport) {
    this.inner = inner;
  }

  get capabilities(): TransportCapabilities {
    return this.inner.capabilities;
  }

  get maxFrameBytes(): number {
    return this.inner.maxFrameBytes;
  }

  start(handlers: TransportHandlers): Promise<void> {
    this.handlers = handlers;
    return this.inner.start(this.wrap(handlers));
  }

  wrap(handlers: TransportHandlers): TransportHandlers {
    return handlers;
  }

  setPeers(peers: readonly PeerAddress[]): void {
    this.inner.setPeers(peers);
  }

  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    return this.inner.send(peer, frame, lane);
  }

  bufferedBytes(peer: NodeId): number {
    return this.inner.bufferedBytes(peer);
  }

  close(options?: { readonly timeoutMs?: number }): Promise<void> {
    return this.inner.close(options);
  }
}
