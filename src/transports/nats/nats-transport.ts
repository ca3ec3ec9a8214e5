import type { Environment, TimerHandle } from "../../core/contracts/environment.ts";
import type { Observer } from "../../core/contracts/observer.ts";
import type {
  Lane,
  PeerAddress,
  SendResult,
  Transport,
  TransportCapabilities,
  TransportContext,
  TransportHandlers,
} from "../../core/contracts/transport.ts";
import { LANES } from "../../core/contracts/transport.ts";
import type { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { FaultLog } from "./fault-log.ts";
import type { LaneConnections } from "./lane-connections.ts";
import type { NatsNode } from "./nats-node.ts";
import { type NatsSettings, parseNatsOptions } from "./nats-options.ts";
import type { StreamLimits } from "./outgoing-stream.ts";
import type { PeerLink } from "./peer-link.ts";
import { PeerLinks } from "./peer-links.ts";
import { refusalFault } from "./server-fault.ts";
import { ServerLink, type ServerListener } from "./server-link.ts";
import { senderTokenAt } from "./subjects.ts";
import { type LinkId, newMessageHeader, readMessage } from "./wire.ts";

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const DEFAULT_CLOSE_TIMEOUT_MS = 2_000;
const TICKS_PER_PRESENCE_TIMEOUT = 5;
/** Of the window that one message takes at the most, so that there is always room for another. */
const CHUNKS_PER_WINDOW = 4;

const CAPABILITIES: TransportCapabilities = Object.freeze({
  addressed: false,
  ordered: true,
  remote: true,
});

/**
 * Frames over NATS, by subjects that name receiver and sender: see `NatsTransportOptions` for what
 * may be said, and `natsPermissions` for what a server should allow each node. The client is loaded
 * by `start`, which rejects with `UNREACHABLE_SERVER` where no server answers in time, and with
 * `INVALID_CONFIGURATION` where one refuses this node. Throws `INVALID_CONFIGURATION`.
 */
export function natsTransport(
  options: Readonly<Record<string, unknown>>,
  context: TransportContext,
): Transport {
  return new NatsTransport(parseNatsOptions(options), context);
}

class NatsTransport implements Transport, NatsNode, ServerListener {
  readonly capabilities = CAPABILITIES;
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  readonly self: NodeId;
  readonly cluster: string;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly settings: NatsSettings;
  readonly faults: FaultLog;
  handlers: TransportHandlers | undefined;
  limits: StreamLimits | undefined;
  readonly #server: ServerLink;
  readonly #links = new PeerLinks(this);
  readonly #senderTokenAt: ReadonlyMap<Lane, number>;
  readonly #header = newMessageHeader();
  readonly #start: number;
  #generation = 0;
  #state: "made" | "started" | "closed" = "made";
  #dirty: PeerLink[] = [];
  readonly #flush = (): void => this.#flushLinks();
  #ticks = 0;
  #tickDueMs = 0;
  #ticker: TimerHandle | undefined;
  #closing: Promise<void> | undefined;
  #onSettled: (() => void) | undefined;

  constructor(settings: NatsSettings, context: TransportContext) {
    this.self = context.self;
    this.cluster = context.cluster;
    this.environment = context.environment;
    this.observer = context.observer;
    this.settings = settings;
    this.faults = new FaultLog(context.environment, context.observer);
    const random = context.environment.random("nats");
    this.#start = random.uint32();
    this.#server = new ServerLink(this, random, this);
    this.#senderTokenAt = new Map(
      LANES.map((lane) => [lane, senderTokenAt(context.cluster, context.self, lane)]),
    );
  }

  start(handlers: TransportHandlers): Promise<void> {
    if (this.#state !== "made") {
      const why = this.#state === "closed" ? "the transport is closed" : "start was called before";
      return Promise.reject(new Error(why));
    }
    this.#state = "started";
    this.handlers = handlers;
    return this.#server.start();
  }

  setPeers(peers: readonly PeerAddress[]): void {
    if (this.#state === "closed") return;
    const wanted = new Set(peers.map(({ node }) => node));
    if (wanted.has(this.self)) throw new TypeError(`setPeers: ${this.self} is this node itself`);
    for (const peer of this.#links.set(wanted)) {
      // Handlers are not called inside `setPeers`: what it ended is told when the turn is over.
      this.environment.defer(() => this.handlers?.onPeer(peer, "disconnected"));
    }
  }

  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    if (frame.length === 0 || frame.length > MAX_FRAME_BYTES) {
      throw new RangeError(`a frame of ${frame.length} bytes; allowed are 1 to ${MAX_FRAME_BYTES}`);
    }
    const link = this.#links.get(peer);
    if (link === undefined) throw new TypeError(`${peer} is not a peer of ${this.self}`);
    if (this.#state === "closed") return "disconnected";
    const result = link.send(frame, lane);
    if (result !== "disconnected" && !link.dirty) this.#markDirty(link);
    return result;
  }

  bufferedBytes(peer: NodeId): number {
    return this.#links.get(peer)?.bufferedBytes ?? 0;
  }

  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS);
    return this.#closing;
  }

  nextLinkId(): LinkId {
    this.#generation += 1;
    return { start: this.#start, generation: this.#generation };
  }

  publish(lane: Lane, subject: string, message: Uint8Array): void {
    const connections = this.#server.connections;
    if (connections === undefined) return;
    try {
      connections.publish(lane, subject, message);
    } catch (error) {
      // A connection that has just ended says so itself. Else the server takes smaller messages
      // than it did: a new connection finds out.
      const reason = error instanceof Error ? error.message : String(error);
      this.faults.note("debug", "publish-failed", "NATS took no message", reason);
      this.environment.defer(() => this.#leave(connections, reason));
    }
  }

  onUp({ maxPayloadBytes }: LaneConnections): void {
    if (this.#state === "closed") return;
    const { maxChunkBytes, windowBytes, maxBufferedBytes } = this.settings;
    const share = Math.floor(windowBytes / CHUNKS_PER_WINDOW);
    const chunkBytes = Math.min(maxPayloadBytes, maxChunkBytes, share);
    this.limits = { chunkBytes, windowBytes, maxBufferedBytes };
    for (const link of this.#links.all()) link.begin();
    this.#armTicker();
  }

  onDown(): void {
    this.limits = undefined;
    this.#disarmTicker();
    for (const link of this.#links.all()) link.end();
    this.#settle();
  }

  onFailed(error: CapstanError): void {
    this.handlers?.onFailed(error);
  }

  onRefusal(error: Error): void {
    const { message } = refusalFault(error, this.settings);
    this.faults.note("error", "refused", "NATS refuses this node", message);
  }

  onMessage(lane: Lane, subject: string, message: Uint8Array): void {
    const token = subject.slice(this.#senderTokenAt.get(lane));
    const link = this.#links.ofSender(token);
    if (link === undefined) return;
    const fault = readMessage(message, this.#header) ?? link.receive(this.#header, message, lane);
    if (fault !== undefined) {
      const reason = `from ${link.peer}, lane ${lane}: ${fault}`;
      this.faults.note("warn", "malformed-message", "dropped a message", reason);
    }
    this.#settle();
  }

  #markDirty(link: PeerLink): void {
    link.dirty = true;
    if (this.#dirty.push(link) === 1) this.environment.defer(this.#flush);
  }

  #flushLinks(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const link of dirty) {
      link.dirty = false;
      link.flush();
    }
  }

  #leave(connections: LaneConnections, why: string): void {
    if (this.#server.connections === connections) this.#server.leave(why);
  }

  #armTicker(): void {
    const intervalMs = this.settings.presenceTimeoutMs / TICKS_PER_PRESENCE_TIMEOUT;
    this.#tickDueMs = this.environment.monotonicMs() + intervalMs;
    this.#ticker = this.environment.setTimer(intervalMs, () => this.#tick(intervalMs));
  }

  #disarmTicker(): void {
    if (this.#ticker !== undefined) this.environment.clearTimer(this.#ticker);
    this.#ticker = undefined;
  }

  #tick(intervalMs: number): void {
    const nowMs = this.environment.monotonicMs();
    this.#ticks += 1;
    // What came while this node was stopped has not been read yet: nobody else was silent.
    const isExcused = nowMs - this.#tickDueMs > intervalMs;
    const connections = this.#server.connections;
    this.#armTicker();
    if (isExcused) connections?.excuse();
    const isThere = connections?.ask(nowMs, this.settings.stallTimeoutMs) ?? true;
    if (!isThere) {
      this.#server.leave(`no answer for ${this.settings.stallTimeoutMs} ms`);
      return;
    }
    for (const link of this.#links.all()) {
      if (isExcused) link.excuse(nowMs);
      link.tick(nowMs);
      if (this.#ticks % TICKS_PER_PRESENCE_TIMEOUT === 0) link.dropStalled();
    }
    this.#settle();
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#state = "closed";
    this.handlers = undefined;
    if (timeoutMs > 0) await this.#drain(timeoutMs);
    this.#disarmTicker();
    for (const link of this.#links.all()) link.destroy();
    if (timeoutMs > 0) await this.#within(timeoutMs, this.#server.connections?.flush());
    // The client hands a goodbye to its socket in a microtask.
    else await new Promise<void>((resolve) => this.environment.soon(resolve));
    this.#server.close();
  }

  /** Until every peer has acknowledged what it was sent, is gone, or the time is over. */
  #drain(timeoutMs: number): Promise<void> {
    this.#flushLinks();
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
    this.#settle();
    return this.#within(timeoutMs, settled);
  }

  #settle(): void {
    if (this.#onSettled === undefined) return;
    let isSettled = true;
    for (const link of this.#links.all()) {
      if (link.isSettled) continue;
      link.hurry();
      isSettled = false;
    }
    if (isSettled) this.#onSettled();
  }

  #within(timeoutMs: number, promise: Promise<void> | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.environment.setTimer(timeoutMs, resolve);
      void Promise.resolve(promise).then(() => {
        this.environment.clearTimer(timer);
        resolve();
      });
    });
  }
}
