import type { TimerHandle } from "../../core/contracts/environment.ts";
import {
  type Denial,
  LANES,
  type Lane,
  type PeerAddress,
  type SendResult,
  type Transport,
  type TransportCapabilities,
  type TransportContext,
  type TransportHandlers,
} from "../../core/contracts/transport.ts";
import { invalidConfiguration } from "../../core/model/configuration-problems.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { Channel, type ChannelReceiver } from "./channel.ts";
import { Hub, type HubMember } from "./memory-hub.ts";

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const DEFAULT_CLOSE_TIMEOUT_MS = 2_000;
/** Whoever was replaced asks so often whether that has ended. */
const CLAIM_EVERY_MS = 50;

const CAPABILITIES: TransportCapabilities = Object.freeze({
  addressed: false,
  ordered: true,
  remote: false,
});

/**
 * Frames between nodes of one process, over the `hub` that the caller made, or one of its own, on which
 * nobody else is. Frames are copied and handed over in the receiver's next turn, never inside `send`.
 */
export function memoryTransport(
  options: Readonly<Record<string, unknown>>,
  context: TransportContext,
): Transport {
  const unknown = Object.keys(options).find((name) => name !== "hub");
  if (unknown !== undefined) {
    const path = `transport.${unknown}`;
    const reason = 'is not an option of the transport "memory"';
    throw invalidConfiguration([{ path, value: options[unknown], allowed: ["hub"], reason }]);
  }
  const hub = options.hub ?? new Hub();
  if (!(hub instanceof Hub)) {
    const allowed = ["what createMemoryHub() returns"];
    throw invalidConfiguration([{ path: "transport.hub", value: hub, allowed }]);
  }
  return new MemoryTransport(hub, context);
}

type Notice =
  | { readonly type: "connected" | "disconnected"; readonly peer: NodeId }
  | { readonly type: "writable"; readonly peer: NodeId; readonly lane: Lane };

interface Connection {
  readonly member: MemoryTransport;
  readonly outgoing: Channel;
}

/**
 * Invariant: A is connected with B iff B is connected with A, and A's outgoing channel is in B's
 * incoming ones. `send` uses the connections that `onPeer` has announced and that still stand.
 */
class MemoryTransport implements Transport, HubMember, ChannelReceiver {
  readonly capabilities = CAPABILITIES;
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  readonly self: NodeId;
  readonly cluster: string;
  readonly #hub: Hub;
  readonly #context: TransportContext;
  readonly #deliver = (): void => this.#runDelivery();
  #peers: ReadonlySet<NodeId> = new Set();
  readonly #connections = new Map<NodeId, Connection>();
  readonly #incoming = new Map<NodeId, Channel>();
  readonly #announced = new Set<NodeId>();
  #notices: Notice[] = [];
  #handlers: TransportHandlers | undefined;
  #deliveryIsDue = false;
  #closing: Promise<void> | undefined;
  readonly #name: string;
  #claimTimer: TimerHandle | undefined;
  /** While closing: called when nothing that was accepted waits any more. */
  #onDrained: (() => void) | undefined;

  constructor(hub: Hub, context: TransportContext) {
    this.#hub = hub;
    this.#context = context;
    this.self = context.self;
    this.cluster = context.cluster;
    this.#name = hub.nextName();
  }

  start(handlers: TransportHandlers): Promise<void> {
    if (this.#handlers !== undefined) return Promise.reject(new Error("start was called before"));
    if (this.#closing !== undefined) return Promise.reject(new Error("the transport is closed"));
    this.#handlers = handlers;
    this.#hub.attach(this);
    return Promise.resolve();
  }

  setPeers(peers: readonly PeerAddress[]): void {
    if (peers.some(({ node }) => node === this.self)) {
      throw new TypeError(`setPeers: ${this.self} is this node itself`);
    }
    this.#peers = new Set(peers.map(({ node }) => node));
    this.#hub.review(this);
  }

  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    if (frame.length === 0 || frame.length > MAX_FRAME_BYTES) {
      throw new RangeError(`a frame of ${frame.length} bytes; allowed are 1 to ${MAX_FRAME_BYTES}`);
    }
    const connection = this.#connections.get(peer);
    if (connection === undefined || !this.#announced.has(peer) || this.#closing !== undefined) {
      if (!this.#peers.has(peer)) throw new TypeError(`${peer} is not a peer of ${this.self}`);
      return "disconnected";
    }
    if (!connection.outgoing.push(frame, lane)) return "saturated";
    connection.member.#scheduleDelivery();
    return "accepted";
  }

  bufferedBytes(peer: NodeId): number {
    return this.#connections.get(peer)?.outgoing.bytes ?? 0;
  }

  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.#claimTimer !== undefined) this.#context.environment.clearTimer(this.#claimTimer);
    this.#claimTimer = undefined;
    this.#closing ??= this.#drain(options.timeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS).then(() => {
      this.#hub.remove(this);
    });
    return this.#closing;
  }

  hasPeer(node: NodeId): boolean {
    return this.#peers.has(node);
  }

  isConnectedWith(member: HubMember): boolean {
    return this.#connections.get(member.self)?.member === member;
  }

  connect(member: HubMember): void {
    if (!(member instanceof MemoryTransport)) return;
    const outgoing = new Channel(this.self, MAX_FRAME_BYTES);
    this.#connections.set(member.self, { member, outgoing });
    member.#incoming.set(this.self, outgoing);
    this.#notify({ type: "connected", peer: member.self });
  }

  disconnect(member: HubMember): void {
    const connection = this.#connections.get(member.self);
    if (connection === undefined) return;
    connection.outgoing.close();
    connection.member.#incoming.delete(this.self);
    this.#connections.delete(member.self);
    this.#announced.delete(member.self);
    this.#notify({ type: "disconnected", peer: member.self });
    this.#tellIfDrained();
  }

  onFrame(from: NodeId, frame: Uint8Array, lane: Lane): void {
    if (this.#closing === undefined) this.#handlers?.onFrame(from, frame, lane);
  }

  replaced(): void {
    if (this.#closing !== undefined) return;
    this.#claimTimer = this.#context.environment.setTimer(CLAIM_EVERY_MS, () => {
      this.#claimTimer = undefined;
      this.#hub.claim(this, this.#name);
      if (!this.#hub.has(this)) this.replaced();
    });
  }

  answerClaim(node: NodeId, claimant: string): Denial {
    return this.#handlers?.onClaim?.(node, claimant) ?? "identity-taken";
  }

  denied(peer: NodeId, denial: Denial): void {
    if (this.#closing === undefined) this.#handlers?.onDenied?.(peer, denial);
  }

  #notify(notice: Notice): void {
    this.#notices.push(notice);
    this.#scheduleDelivery();
  }

  #scheduleDelivery(): void {
    if (this.#deliveryIsDue) return;
    this.#deliveryIsDue = true;
    // `soon`, not `defer`: nodes that answer each other at once must not keep input from being read.
    this.#context.environment.soon(this.#deliver);
  }

  #runDelivery(): void {
    this.#deliveryIsDue = false;
    const notices = this.#notices;
    this.#notices = [];
    for (const notice of notices) this.#deliverNotice(notice);
    for (const lane of LANES) {
      for (const channel of this.#incoming.values()) {
        channel.deliver(lane, this);
        this.#afterDelivery(channel, lane);
      }
    }
  }

  #deliverNotice(notice: Notice): void {
    if (notice.type === "connected" && this.#connections.has(notice.peer)) {
      this.#announced.add(notice.peer);
    }
    if (this.#closing !== undefined) return;
    if (notice.type === "writable") this.#handlers?.onWritable(notice.peer, notice.lane);
    else this.#handlers?.onPeer(notice.peer, notice.type);
  }

  #afterDelivery(channel: Channel, lane: Lane): void {
    if (channel.bytes > 0) this.#scheduleDelivery();
    const sender = this.#connections.get(channel.from)?.member;
    if (sender === undefined) return;
    if (channel.becameWritable(lane)) {
      sender.#notify({ type: "writable", peer: this.self, lane });
    }
    sender.#tellIfDrained();
  }

  #drain(timeoutMs: number): Promise<void> {
    if (!this.#hasBuffered() || timeoutMs <= 0) return Promise.resolve();
    const { environment } = this.#context;
    return new Promise((resolve) => {
      const timer: TimerHandle = environment.setTimer(timeoutMs, resolve);
      this.#onDrained = () => {
        environment.clearTimer(timer);
        resolve();
      };
    });
  }

  #tellIfDrained(): void {
    if (this.#onDrained === undefined || this.#hasBuffered()) return;
    this.#onDrained();
    this.#onDrained = undefined;
  }

  #hasBuffered(): boolean {
    for (const { outgoing } of this.#connections.values()) if (outgoing.bytes > 0) return true;
    return false;
  }
}
