import type { Environment } from "../core/contracts/environment.ts";
import type {
  Denial,
  Lane,
  PeerAddress,
  SendResult,
  Transport,
  TransportCapabilities,
  TransportHandlers,
} from "../core/contracts/transport.ts";
import type { NodeId } from "../core/model/ids.ts";
import { ConformanceFailure, check, shown, until } from "./suite.ts";

/** A network of its own for one case. */
export interface TransportTestbed {
  /** Clock of the suite's waiting; it may be the transports' own, also a virtual one. */
  readonly environment: Environment;
  /**
   * A transport for the node, made but not started. Asked again for the same node (its restart),
   * it makes another one with the same address, on the same network.
   */
  create(node: NodeId, cluster: string): Transport;
  addressOf(node: NodeId): string | undefined;
  /**
   * As `create`, for a second process beside the first one, under the same id: where transports have
   * addresses, at one of its own, which peers do not know. Only where
   * `TransportConformanceOptions.doublable` is set.
   */
  createBeside?(node: NodeId, cluster: string): Transport;
  /**
   * Ends what carries the frames, under running transports, and settles when it is there again.
   * Only where `TransportConformanceOptions.interruptible` is set.
   */
  interrupt?(): Promise<void>;
  /** Called once, when every transport is closed. */
  dispose(): Promise<void>;
}

export interface TransportConformanceOptions {
  readonly name: string;
  /** What the transport says of itself; it decides which cases there are. */
  readonly capabilities: TransportCapabilities;
  /** The testbed can `interrupt`; adds the cases about it. Default false. */
  readonly interruptible?: boolean;
  /** The testbed can `createBeside`; adds the cases about two processes under one id. Default false. */
  readonly doublable?: boolean;
  readonly create: () => Promise<TransportTestbed>;
}

export const CLUSTER = "conformance";

/** Long enough for a connection to be made, for cases in which none may be. */
export const QUIET_MS = 150;

export const NODE_A = "node-a" as NodeId;
export const NODE_B = "node-b" as NodeId;
export const NODE_C = "node-c" as NodeId;

export interface PeerEvent {
  readonly peer: NodeId;
  readonly state: "connected" | "disconnected";
}

/** A node of a case: its transport, and all that its handlers were told. */
export class TestNode {
  readonly id: NodeId;
  readonly transport: Transport;
  readonly #environment: Environment;
  readonly peerEvents: PeerEvent[] = [];
  readonly writable: Lane[] = [];
  readonly failures: Error[] = [];
  /** The names of those that were not let in as this peer. */
  readonly claims: { readonly peer: NodeId; readonly claimant: string }[] = [];
  /** What `onClaim` answers. */
  denial: Denial = "identity-taken";
  /** In the order in which they came. */
  readonly denials: { readonly peer: NodeId; readonly denial: Denial | undefined }[] = [];
  /** What the frames are for is the case's affair. */
  onFrame: (from: NodeId, frame: Uint8Array, lane: Lane) => void = () => undefined;
  onWritable: (peer: NodeId, lane: Lane) => void = () => undefined;
  onPeer: (peer: NodeId, state: PeerEvent["state"]) => void = () => undefined;
  /** Handler calls in progress: 0 or 1 for a transport that keeps its word. */
  depth = 0;
  deepest = 0;
  /** Handler calls that came while the case itself was inside a call into the transport. */
  handlersInsideCalls = 0;
  handlerCalls = 0;
  #callsInProgress = 0;

  constructor(id: NodeId, transport: Transport, environment: Environment) {
    this.id = id;
    this.transport = transport;
    this.#environment = environment;
  }

  start(): Promise<void> {
    const handlers: TransportHandlers = {
      onFrame: (from, frame, lane) => this.#handle(() => this.onFrame(from, frame, lane)),
      onPeer: (peer, state) =>
        this.#handle(() => {
          this.peerEvents.push({ peer, state });
          this.onPeer(peer, state);
        }),
      onWritable: (peer, lane) =>
        this.#handle(() => {
          this.writable.push(lane);
          this.onWritable(peer, lane);
        }),
      onFailed: (error) => this.#handle(() => this.failures.push(error)),
      onClaim: (peer, claimant) => {
        this.#handle(() => this.claims.push({ peer, claimant }));
        return this.denial;
      },
      onDenied: (peer, denial) => this.#handle(() => this.denials.push({ peer, denial })),
    };
    return this.#call(() => this.transport.start(handlers));
  }

  setPeers(peers: readonly PeerAddress[]): void {
    this.#call(() => this.transport.setPeers(peers));
  }

  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    return this.#call(() => this.transport.send(peer, frame, lane));
  }

  close(timeoutMs?: number): Promise<void> {
    return this.#call(() => this.transport.close(timeoutMs === undefined ? {} : { timeoutMs }));
  }

  /** As `onPeer` said last. */
  isConnected(peer: NodeId): boolean {
    return this.peerEvents.findLast((event) => event.peer === peer)?.state === "connected";
  }

  timesOf(peer: NodeId, state: PeerEvent["state"]): number {
    return this.peerEvents.filter((event) => event.peer === peer && event.state === state).length;
  }

  /** Sends now, or as soon as the lane takes it. */
  async sendWhenWritable(peer: NodeId, frame: Uint8Array, lane: Lane): Promise<void> {
    let result = this.send(peer, frame, lane);
    while (result === "saturated") {
      const told = this.writable.length;
      await until(
        this.#environment,
        () => this.writable.length > told || this.transport.bufferedBytes(peer) === 0,
        `onWritable on ${this.id}, lane ${lane}, after a "saturated"`,
      );
      result = this.send(peer, frame, lane);
    }
    check(result === "accepted", () => `send from ${this.id} to ${peer} answered "${result}"`);
  }

  #call<T>(call: () => T): T {
    this.#callsInProgress += 1;
    try {
      return call();
    } finally {
      this.#callsInProgress -= 1;
    }
  }

  #handle(handle: () => void): void {
    this.handlerCalls += 1;
    this.depth += 1;
    this.deepest = Math.max(this.deepest, this.depth);
    if (this.#callsInProgress > 0) this.handlersInsideCalls += 1;
    try {
      handle();
    } finally {
      this.depth -= 1;
    }
  }
}

/** The nodes of one case. */
export class TestNetwork {
  readonly environment: Environment;
  readonly #testbed: TransportTestbed;
  readonly #nodes: TestNode[] = [];

  constructor(testbed: TransportTestbed) {
    this.#testbed = testbed;
    this.environment = testbed.environment;
  }

  /** Made, with peers named, not started. */
  node(id: NodeId, peers: readonly NodeId[], cluster = CLUSTER): TestNode {
    const node = new TestNode(id, this.#testbed.create(id, cluster), this.environment);
    this.#nodes.push(node);
    node.setPeers(this.addresses(peers));
    return node;
  }

  /** A second process under this id, likewise. */
  nodeBeside(id: NodeId, peers: readonly NodeId[], cluster = CLUSTER): TestNode {
    const transport = this.#testbed.createBeside?.(id, cluster);
    if (transport === undefined) {
      throw new ConformanceFailure("doublable is set, and the testbed has no createBeside");
    }
    const node = new TestNode(id, transport, this.environment);
    this.#nodes.push(node);
    node.setPeers(this.addresses(peers));
    return node;
  }

  /** Started nodes that are all connected with each other. */
  async connected(...ids: readonly NodeId[]): Promise<TestNode[]> {
    const nodes = ids.map((id) =>
      this.node(
        id,
        ids.filter((other) => other !== id),
      ),
    );
    await Promise.all(nodes.map((node) => node.start()));
    for (const node of nodes) {
      for (const id of ids) if (id !== node.id) await this.untilConnected(node, id);
    }
    return nodes;
  }

  /** Two nodes, the first of which has the smaller id. */
  async pair(): Promise<[TestNode, TestNode]> {
    const [a, b] = await this.connected(NODE_A, NODE_B);
    return [a as TestNode, b as TestNode];
  }

  addresses(ids: readonly NodeId[]): PeerAddress[] {
    return ids.map((id) => ({ node: id, address: this.#testbed.addressOf(id) }));
  }

  until(condition: () => boolean, what: string | (() => string)): Promise<void> {
    return until(this.environment, condition, what);
  }

  untilConnected(node: TestNode, peer: NodeId): Promise<void> {
    return this.until(() => node.isConnected(peer), `${node.id} to be told: ${peer} connected`);
  }

  untilDisconnected(node: TestNode, peer: NodeId): Promise<void> {
    const what = `${node.id} to be told: ${peer} disconnected`;
    return this.until(() => !node.isConnected(peer), what);
  }

  async interrupt(): Promise<void> {
    await this.#testbed.interrupt?.();
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close(0)));
    await this.#testbed.dispose();
  }
}

export type TransportCase = (network: TestNetwork) => Promise<void>;

/** Runs a case on a network of its own. A fault of the case outweighs one of the clearing up. */
export async function runOnNetwork(
  options: TransportConformanceOptions,
  run: TransportCase,
): Promise<void> {
  const network = new TestNetwork(await options.create());
  try {
    await run(network);
  } catch (error) {
    await network.dispose().catch(() => undefined);
    if (error instanceof ConformanceFailure) throw error;
    throw new ConformanceFailure(`the transport threw: ${shown(error)}`, { cause: error });
  }
  await network.dispose();
}
