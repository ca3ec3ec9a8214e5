import type { TimerHandle } from "../../contracts/environment.ts";
import type { MessageCodec, OpenedState, Sender } from "../../contracts/machine.ts";
import type { Lane } from "../../contracts/transport.ts";
import { CapstanError, isCapstanError } from "../../model/errors.ts";
import { clusterTagOf } from "../../model/frames.ts";
import { hashText } from "../../model/hash.ts";
import type { ClusterId, NodeId } from "../../model/ids.ts";
import type {
  MessageAddress,
  PeerNetwork,
  PeerNetworkDescription,
  PeerStanding,
  QueueResult,
} from "../seams.ts";
import type { Agreement } from "./agreements.ts";
import { Birth } from "./birth.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { FailureDetector } from "./failure-detector.ts";
import { FilteredTransport } from "./filtered-transport.ts";
import { type DropReason, FrameReceiver, type ReceiverHost } from "./frame-receiver.ts";
import { Greeter, type GreeterHost } from "./greeter.ts";
import type { Hello } from "./hello.ts";
import { Notices } from "./notices.ts";
import type { Outbox } from "./outbox.ts";
import type { PeerNetworkOptions } from "./peer-network-options.ts";
import { Reachability } from "./reachability.ts";
import { type PeerSession, REPLY_CREDITS } from "./session.ts";
import { describeSession, makeSessions, standingOf } from "./session-table.ts";

export type { PeerNetworkOptions } from "./peer-network-options.ts";

/** The other nodes of the cluster, seen from this one. Nothing happens before `start`. */
export function createPeerNetwork(options: PeerNetworkOptions): PeerNetwork {
  return new SessionNetwork(options);
}

/** Binds the parts together; each part's own rule is in its file. */
class SessionNetwork implements PeerNetwork, GreeterHost, ReceiverHost {
  readonly #options: PeerNetworkOptions;
  readonly #sessions: ReadonlyMap<NodeId, PeerSession>;
  readonly #wire: FilteredTransport;
  readonly #notices: Notices;
  readonly #birth: Birth;
  readonly #detector: FailureDetector;
  readonly #reachability: Reachability;
  readonly #greeter: Greeter;
  readonly #doorkeeper: Doorkeeper;
  readonly #receiver: FrameReceiver;
  /** Outboxes with something new; the first `#dirtyCount` count. Never shrinks. */
  readonly #dirty: Outbox[] = [];
  #dirtyCount = 0;
  #flushIsDue = false;
  readonly #deferredFlush = (): void => {
    this.#flushIsDue = false;
    this.flush();
  };
  #state: "new" | "running" | "closed" = "new";
  #failed = false;
  #ticker: TimerHandle | undefined;
  #tickDueMs = 0;
  #framesDropped = 0;

  constructor(options: PeerNetworkOptions) {
    const { configuration, environment, self, events } = options;
    this.#options = options;
    this.#wire = new FilteredTransport(
      options.transport,
      options.filter,
      environment,
      (from, frame, lane) => this.#receiver.receive(from, frame, lane),
    );
    this.#sessions = makeSessions(options, this.#wire);
    this.#notices = new Notices(events);
    this.#detector = new FailureDetector(environment, configuration.detector);
    this.#birth = new Birth({
      self,
      nodes: configuration.cluster.nodes.map(({ id }) => id),
      environment,
      heartbeatIntervalMs: configuration.detector.heartbeatIntervalMs,
      saveClusterId: options.saveClusterId,
      isUnused: options.isUnused,
      onBorn: (id, origin) => this.#onBorn(id, origin),
    });
    const tags = {
      clusterTag: clusterTagOf(configuration.cluster.name),
      sessionTag: newSessionTag(options),
    };
    this.#reachability = new Reachability({
      ...tags,
      events,
      notices: this.#notices,
      birth: this.#birth,
      sessions: this.#sessions,
    });
    const shared = { ...tags, sessions: this.#sessions, host: this };
    this.#greeter = new Greeter({
      ...shared,
      network: options,
      wire: this.#wire,
      birth: this.#birth,
      notices: this.#notices,
    });
    this.#doorkeeper = new Doorkeeper({ network: options, notices: this.#notices, host: this });
    this.#receiver = new FrameReceiver({
      ...{ ...shared, greeter: this.#greeter, events },
      planted: options.planted,
    });
  }

  get clusterId(): ClusterId | undefined {
    return this.#birth.clusterId;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  async start(): Promise<void> {
    const { transport, configuration, storedClusterId } = this.#options;
    const peers = configuration.cluster.nodes.filter(({ id }) => this.#sessions.has(id));
    transport.setPeers(peers.map(({ id, peer }) => ({ node: id, address: peer })));
    await transport.start({
      onFrame: (from, frame, lane) => {
        if (this.#state === "running") this.#wire.receive(from, frame, lane);
      },
      onPeer: (peer, state) => this.#onPeer(peer, state),
      onWritable: (peer, lane) => this.#sessions.get(peer)?.outbox.onWritable(lane),
      onFailed: (error) => this.fail(transportFailure(error)),
      onClaim: (peer, claimant) => this.#doorkeeper.answer(this.#sessions.get(peer), claimant),
      onDenied: (peer, denial) => this.#doorkeeper.hear(this.#sessions.get(peer), denial),
    });
    if (this.isClosed) return;
    this.#state = "running";
    this.#birth.start(storedClusterId);
    // Alone there is nobody to wait for: whoever opened the store may use it at once.
    if (this.#sessions.size === 0) {
      return new Promise((resolve) => this.#birth.whenBorn(resolve));
    }
    for (const session of this.#sessions.values()) this.#greeter.say(session);
    this.#armTicker();
  }

  send<Message>(
    peer: NodeId,
    lane: Lane,
    address: MessageAddress,
    codec: MessageCodec<Message>,
    message: Message,
  ): QueueResult {
    const session = this.#sessions.get(peer);
    if (session === undefined || !session.open) return "unreachable";
    // What it would only drop is not to fill its queue.
    if (session.agreement?.lacking?.has(address.keyspaceHash) === true) return "unreachable";
    const outbox = session.outbox;
    const result = outbox.add(lane, address, codec, message);
    if (result === "queued" && !outbox.dirty) this.#markDirty(outbox);
    return result;
  }

  flush(): void {
    for (let at = 0; at < this.#dirtyCount; at += 1) {
      const outbox = this.#dirty[at] as Outbox;
      outbox.dirty = false;
      outbox.flush();
    }
    this.#dirtyCount = 0;
  }

  isReachable(peer: NodeId, keyspaceHash?: number): boolean {
    const session = this.#sessions.get(peer);
    if (session === undefined || !session.reachable) return false;
    const lacking = session.agreement?.lacking;
    return lacking === undefined || keyspaceHash === undefined || !lacking.has(keyspaceHash);
  }

  lacks(peer: NodeId, keyspaceHash: number): boolean {
    return this.#sessions.get(peer)?.agreement?.lacking?.has(keyspaceHash) === true;
  }

  standingsOf(keyspace: string): readonly PeerStanding[] {
    return [...this.#sessions.values()].map((session) => standingOf(session, keyspace));
  }

  get awaitsWord(): boolean {
    for (const session of this.#sessions.values()) if (session.awaitsWord) return true;
    return false;
  }

  identityOf(peer: NodeId): Sender | undefined {
    return this.#sessions.get(peer)?.identity;
  }

  describe(): PeerNetworkDescription {
    const { environment, transport } = this.#options;
    const nowMs = environment.monotonicMs();
    const peers = [...this.#sessions.values()].map((one) =>
      describeSession(one, transport, nowMs, this.clusterId),
    );
    return { peers, framesDropped: this.#framesDropped, side: this.#reachability.side };
  }

  close(options: { readonly timeoutMs: number }): Promise<void> {
    if (!this.isClosed) {
      this.flush();
      this.#state = "closed";
      if (this.#ticker !== undefined) this.#options.environment.clearTimer(this.#ticker);
      this.#detector.close();
      this.#wire.close();
      this.#reachability.close(this.#sessions.values());
      const nowMs = this.#options.environment.monotonicMs();
      for (const { ledger } of this.#sessions.values()) ledger.close(nowMs);
    }
    return this.#options.transport.close({ timeoutMs: options.timeoutMs });
  }

  begin(session: PeerSession, tag: number, hello: Hello, agreement: Agreement | undefined): void {
    session.accepted = false;
    session.acceptedUs = false;
    session.hasCounted = false;
    session.refusedUsSinceMs = undefined;
    this.refresh(session);
    const { node, storeId, incarnation } = hello;
    session.tag = tag;
    session.agreement = agreement;
    session.told = undefined;
    for (const window of Object.values(session.came)) window.reset();
    session.identity = Object.freeze({ node, storeId, incarnation });
    const nowMs = this.#options.environment.monotonicMs();
    session.ledger.remember(storeId, incarnation, hello.logPosition, nowMs);
    if (session.watched !== undefined) this.#detector.unwatch(session.watched);
    session.watched = this.#detector.watch(() => this.refresh(session));
    if (!this.isClosed) this.#options.events.onIdentity(session.identity);
  }

  told(): void {
    if (!this.isClosed) this.#options.events.onStandings?.();
  }

  heard(session: PeerSession): void {
    const nowMs = this.#options.environment.monotonicMs();
    session.lastFrameMs = nowMs;
    session.gone = false;
    const watched = session.watched;
    if (watched === undefined) return;
    watched.accrual.heard(nowMs);
    if (!watched.suspected) return;
    watched.suspected = false;
    this.refresh(session);
  }

  mayDeliver(_session: PeerSession): boolean {
    return this.#birth.clusterId !== undefined && !this.isClosed;
  }

  heardMessages(session: PeerSession): void {
    this.heard(session);
    session.hasCounted = true;
    if (session.acceptedUs && session.clusterId === this.#birth.clusterId) return;
    // Nobody sends messages but to a session that it accepted, and in its own cluster: the hello
    // that would have said so was lost.
    session.acceptedUs = true;
    session.hasAcceptedUs = true;
    session.clusterId = this.#birth.clusterId;
    this.refresh(session);
  }

  refresh(session: PeerSession): void {
    this.#reachability.refresh(session);
  }

  dropped(from: NodeId, reason: DropReason): void {
    this.#framesDropped += 1;
    this.#options.observer.count("peer_frames_dropped", 1, { peer: from, reason });
  }

  fail(error: CapstanError): void {
    if (this.#failed || this.isClosed) return;
    this.#failed = true;
    this.#options.events.onFatal(error);
  }

  get hasCounted(): boolean {
    return this.#reachability.hasCounted;
  }

  freeze(): void {
    this.#reachability.freeze();
  }

  giveWay(error: CapstanError): void {
    // Whoever has counted beside another lacks what was acknowledged with that one.
    if (this.hasCounted) this.disown(error);
    else this.fail(error);
  }

  disown(error: CapstanError): void {
    if (this.#failed || this.isClosed) return;
    this.#failed = true;
    this.#options.events.onDisowned(error);
  }

  relearn(done: () => void): void {
    if (!this.#failed && !this.isClosed) this.#options.events.onFollowed(done);
  }

  #markDirty(outbox: Outbox): void {
    outbox.dirty = true;
    this.#dirty[this.#dirtyCount] = outbox;
    this.#dirtyCount += 1;
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    this.#options.environment.soon(this.#deferredFlush);
  }

  #onPeer(peer: NodeId, state: "connected" | "disconnected"): void {
    const session = this.#sessions.get(peer);
    if (session === undefined || this.isClosed) return;
    session.connected = state === "connected";
    if (session.connected) this.#doorkeeper.hear(session, undefined);
    if (state === "disconnected") {
      session.gone = true;
      session.acceptedUs = false;
      this.refresh(session);
      return;
    }
    // A replaced connection never says that the one before is writable again.
    session.outbox.retry();
    if (this.#state === "running") this.#greeter.say(session);
  }

  #onBorn(id: ClusterId, origin: OpenedState["origin"]): void {
    if (this.isClosed) return;
    this.#options.events.onBorn(id, origin);
    this.#notices.say("cluster-joined", { clusterId: id, origin });
    for (const session of this.#sessions.values()) {
      this.#greeter.say(session);
      this.refresh(session);
    }
  }

  #armTicker(): void {
    if (this.isClosed) return;
    const { environment, configuration } = this.#options;
    const intervalMs = configuration.detector.heartbeatIntervalMs;
    this.#tickDueMs = environment.monotonicMs() + intervalMs;
    this.#ticker = environment.setTimer(intervalMs, () => this.#tick());
  }

  #tick(): void {
    if (this.isClosed) return;
    this.#detector.check(this.#options.environment.monotonicMs() - this.#tickDueMs);
    for (const session of this.#sessions.values()) {
      session.replyCredits = REPLY_CREDITS;
      this.#greeter.say(session);
    }
    this.#birth.review(this.#sessions);
    this.#doorkeeper.review();
    this.#armTicker();
  }
}

/**
 * 32 random bits. Who we are is mixed in, so that two nodes of a simulated world that were given
 * one seed do not take each other's frames for their own.
 */
function newSessionTag({ self, environment }: PeerNetworkOptions): number {
  const seed = environment.random("session").uint32();
  return hashText(`${self.node} ${self.storeId} ${self.incarnation}`, seed) || 1;
}

function transportFailure(error: Error): CapstanError {
  if (isCapstanError(error)) return error;
  return new CapstanError("STORE_FAILED", `the transport failed: ${error.message}`, {
    cause: error,
  });
}
