import type {
  Lane,
  PeerAddress,
  SendResult,
  Transport,
  TransportCapabilities,
  TransportContext,
  TransportHandlers,
} from "../../core/contracts/transport.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { TlsIdentity } from "../../tls/tls-identity.ts";
import { Acceptor } from "./acceptor.ts";
import { FlushScheduler } from "./flush-scheduler.ts";
import { PeerLink } from "./peer-link.ts";
import { MAX_NAME_BYTES, NONCE_BYTES } from "./preamble.ts";
import { parseSocketAddress, type SocketAddress } from "./socket-address.ts";
import type { TcpNode } from "./tcp-node.ts";
import { parseTcpOptions, type TcpSettings } from "./tcp-options.ts";

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const DEFAULT_CLOSE_TIMEOUT_MS = 2_000;
/** A peer of which so many in a row do not come is not there, however long `stallTimeout` is. */
const HEARTBEATS_MISSED = 8;

const CAPABILITIES: TransportCapabilities = Object.freeze({
  addressed: true,
  ordered: true,
  remote: true,
});

/**
 * Frames over TCP, encrypted where `tls` is given: a connection per peer and lane, so that nothing stands before `control`.
 * The node with the smaller id dials. See `TcpTransportOptions`. Throws `INVALID_CONFIGURATION`.
 */
export function tcpTransport(
  options: Readonly<Record<string, unknown>>,
  context: TransportContext,
): Transport {
  const settings = parseTcpOptions(options);
  if (context.address === undefined) {
    throw new CapstanError(
      "INVALID_CONFIGURATION",
      `the transport "tcp" needs an address (host:port) for node ${context.self}`,
    );
  }
  checkName("cluster", context.cluster);
  checkName("node", context.self);
  const address = parseSocketAddress(context.address, `the address of node ${context.self}`);
  return new TcpTransport(settings, address, context);
}

class TcpTransport implements Transport, TcpNode {
  readonly capabilities = CAPABILITIES;
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  readonly self: TcpNode["self"];
  readonly cluster: TcpNode["cluster"];
  readonly environment: TcpNode["environment"];
  readonly observer: TcpNode["observer"];
  readonly random: TcpNode["random"];
  readonly settings: TcpNode["settings"];
  readonly limits: TcpNode["limits"];
  readonly nonce: TcpNode["nonce"];
  readonly scheduler: FlushScheduler;
  readonly silenceMs: TcpNode["silenceMs"];
  tls: TlsIdentity | undefined;
  handlers: TransportHandlers | undefined;
  readonly #address: SocketAddress;
  readonly #acceptor: Acceptor;
  readonly #links = new Map<string, PeerLink>();
  #state: "made" | "starting" | "listening" | "closed" = "made";
  #listening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(settings: TcpSettings, address: SocketAddress, context: TransportContext) {
    this.self = context.self;
    this.cluster = context.cluster;
    this.environment = context.environment;
    this.observer = context.observer;
    this.random = context.environment.random("tcp");
    this.settings = settings;
    this.limits = {
      maxFrameBytes: MAX_FRAME_BYTES,
      maxBufferedBytes: settings.maxBufferedBytes,
    };
    this.nonce = Buffer.from(this.random.bytes(NONCE_BYTES)).toString("hex");
    this.scheduler = new FlushScheduler(context.environment, settings.stallTimeoutMs);
    const { heartbeatMs } = context;
    if (heartbeatMs !== undefined) {
      this.silenceMs = Math.max(settings.stallTimeoutMs, HEARTBEATS_MISSED * heartbeatMs);
    }
    this.#address = { host: settings.host ?? address.host, port: address.port };
    this.#acceptor = new Acceptor(this, (peer) => this.#links.get(peer));
  }

  start(handlers: TransportHandlers): Promise<void> {
    if (this.#state !== "made") {
      const why = this.#state === "closed" ? "the transport is closed" : "start was called before";
      return Promise.reject(new Error(why));
    }
    this.#state = "starting";
    this.handlers = handlers;
    this.#listening = this.#listen();
    return this.#listening.then(() => {
      if (this.#state !== "starting") return;
      this.#state = "listening";
      for (const link of this.#links.values()) link.start();
    });
  }

  async #listen(): Promise<void> {
    const { self, settings, environment, observer } = this;
    if (settings.tls !== undefined) {
      const owner = { what: "the transport", node: self };
      this.tls = await TlsIdentity.load(owner, settings.tls, environment, observer);
    }
    await this.#acceptor.listen(this.#address, (error) => this.handlers?.onFailed(error));
  }

  setPeers(peers: readonly PeerAddress[]): void {
    if (this.#state === "closed") return;
    const wanted = new Map(peers.map((peer) => [peer.node, this.#addressOf(peer)]));
    for (const [peer, link] of this.#links) {
      const address = wanted.get(link.peer);
      if (address?.host === link.address.host && address.port === link.address.port) continue;
      this.#links.delete(peer);
      this.#drop(link);
    }
    for (const [peer, address] of wanted) {
      if (this.#links.has(peer)) continue;
      const link = new PeerLink(this, peer, address);
      this.#links.set(peer, link);
      if (this.#state === "listening") link.start();
    }
  }

  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    if (frame.length === 0 || frame.length > MAX_FRAME_BYTES) {
      throw new RangeError(`a frame of ${frame.length} bytes; allowed are 1 to ${MAX_FRAME_BYTES}`);
    }
    const link = this.#links.get(peer);
    if (link === undefined) throw new TypeError(`${peer} is not a peer of ${this.self}`);
    return this.#state === "closed" ? "disconnected" : link.send(frame, lane);
  }

  bufferedBytes(peer: NodeId): number {
    return this.#links.get(peer)?.bufferedBytes ?? 0;
  }

  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#state = "closed";
    this.handlers = undefined;
    // A socket that is still being bound cannot be closed yet.
    await this.#listening?.catch(() => undefined);
    const closed = this.#listening === undefined ? undefined : this.#acceptor.close();
    if (timeoutMs > 0) await this.#drain(timeoutMs);
    for (const link of this.#links.values()) link.destroy();
    this.scheduler.stop();
    await closed;
  }

  #drain(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.environment.setTimer(timeoutMs, resolve);
      let left = this.#links.size + 1;
      const onFinished = (): void => {
        left -= 1;
        if (left > 0) return;
        this.environment.clearTimer(timer);
        resolve();
      };
      for (const link of this.#links.values()) link.finish(onFinished);
      onFinished();
    });
  }

  /** Handlers are not called inside `setPeers`: what it ended is told when the turn is over. */
  #drop(link: PeerLink): void {
    const wasConnected = link.isConnected;
    link.destroy();
    if (!wasConnected) return;
    this.environment.defer(() => this.handlers?.onPeer(link.peer, "disconnected"));
  }

  #addressOf({ node, address }: PeerAddress): SocketAddress {
    if (node === this.self) throw new TypeError(`setPeers: ${node} is this node itself`);
    checkName("node", node);
    if (address === undefined) {
      throw new CapstanError(
        "INVALID_CONFIGURATION",
        `the transport "tcp" needs an address (host:port) for node ${node}`,
      );
    }
    return parseSocketAddress(address, `the address of node ${node}`);
  }
}

function checkName(what: string, name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes >= 1 && bytes <= MAX_NAME_BYTES) return;
  throw new CapstanError(
    "INVALID_CONFIGURATION",
    `the name of the ${what} has ${bytes} bytes; allowed are 1 to ${MAX_NAME_BYTES}`,
  );
}
