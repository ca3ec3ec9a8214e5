import type { MessageCodec, Sender } from "../../../../../src/core/contracts/machine.ts";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { ByteReader } from "../../../../../src/core/model/bytes.ts";
import type { ConfigurationOutline } from "../../../../../src/core/model/configuration-outline.ts";
import type { ResolvedConfiguration } from "../../../../../src/core/model/configuration-types.ts";
import type { CapstanError } from "../../../../../src/core/model/errors.ts";
import type { ClusterId, Incarnation, NodeId, StoreId } from "../../../../../src/core/model/ids.ts";
import { MalformedBytesError } from "../../../../../src/core/model/malformed-bytes-error.ts";
import { createPeerNetwork } from "../../../../../src/core/store/peers/peer-network.ts";
import type {
  FrameFilter,
  OwnKeyspaces,
  PeerNetwork,
  PeerNetworkEvents,
} from "../../../../../src/core/store/seams.ts";
import { VirtualEnvironment, VirtualTime } from "../../../../support/virtual-environment.ts";
import { Bus, BusTransport } from "./bus.ts";

export const HEARTBEAT_MS = 100;
export const SUSPECT_AFTER_MS = 1_000;

export const textCodec: MessageCodec<string> = {
  encode: (message, writer) => writer.string(message),
  decode: (reader) => reader.string(),
};

export const ADDRESS = { role: "replica", keyspaceHash: 0xfeedbeef, shardIndex: 513 } as const;

export function nodeId(name: string): NodeId {
  return name as NodeId;
}

export interface NodeOptions {
  readonly storeId?: string;
  readonly incarnation?: number;
  readonly storedClusterId?: string | undefined;
  readonly digest?: string;
  readonly outline?: ConfigurationOutline;
  /** What it says of its keyspaces; default: nothing of them is new. */
  readonly keyspaces?: OwnKeyspaces;
  readonly clusterName?: string;
  readonly filter?: FrameFilter;
  readonly logPosition?: number;
  /** How long it takes to make a cluster id durable; default: not at all. */
  readonly saveMs?: number;
  readonly isUnused?: boolean;
  readonly isPersistent?: boolean;
  /** Peers that it says to be rebuilding to. */
  readonly rebuildingFor?: ReadonlySet<string>;
  /** What an earlier start of this node has kept of those that it met. */
  readonly met?: ReadonlyMap<NodeId, Uint8Array>;
  readonly queuedBytes?: number;
}

export interface Received {
  readonly from: Sender;
  readonly role: string;
  readonly keyspaceHash: number;
  readonly shardIndex: number;
  readonly text: string;
}

/** A started node with everything that its peer network said, in order. */
export class TestNode {
  readonly network: PeerNetwork;
  readonly transport: BusTransport;
  readonly environment: VirtualEnvironment;
  readonly messages: Received[] = [];
  readonly identities: Sender[] = [];
  readonly reachability: string[] = [];
  readonly born: string[] = [];
  readonly savedClusterIds: ClusterId[] = [];
  readonly fatal: CapstanError[] = [];
  readonly disowned: CapstanError[] = [];
  /** What to call once it has fenced what it lacks, each time that it was told that it was followed. */
  readonly relearning: (() => void)[] = [];
  readonly met = new Map<NodeId, Uint8Array>();
  readonly saves: NodeId[] = [];
  readonly notices: { readonly type: string; readonly [field: string]: unknown }[] = [];
  turnEnds = 0;
  /** What its next hello says. */
  logPosition: number;
  readonly self: Sender;

  constructor(world: World, name: string, options: NodeOptions, seed: number) {
    this.environment = new VirtualEnvironment({ time: world.time, seed });
    this.logPosition = options.logPosition ?? 0;
    this.transport = new BusTransport(world.bus, nodeId(name));
    this.self = {
      node: nodeId(name),
      storeId: (options.storeId ?? `${name}-store-${seed}`.padEnd(32, "0")) as StoreId,
      incarnation: (options.incarnation ?? 1) as Incarnation,
    };
    this.network = createPeerNetwork({
      self: this.self,
      configuration: configurationOf(world.names, options),
      transport: this.transport,
      environment: this.environment,
      observer: SILENT_OBSERVER,
      events: this.#events(),
      filter: options.filter,
      storedClusterId: options.storedClusterId as ClusterId | undefined,
      logPosition: () => this.logPosition,
      openedPosition: this.logPosition,
      saveClusterId: (id, _origin, done) => {
        this.savedClusterIds.push(id);
        if (options.saveMs === undefined) done();
        else this.environment.setTimer(options.saveMs, done);
      },
      isUnused: options.isUnused ?? true,
      isPersistent: options.isPersistent,
      keyspaces: options.keyspaces,
      isRebuildingFor: (peer) => options.rebuildingFor?.has(peer) === true,
      met: {
        load: (node) => options.met?.get(node),
        save: (node, bytes) => {
          this.met.set(node, bytes);
          this.saves.push(node);
        },
      },
    });
  }

  get clusterId(): ClusterId | undefined {
    return this.network.clusterId;
  }

  get framesDropped(): number {
    return this.network.describe().framesDropped;
  }

  reaches(...names: string[]): boolean {
    return names.every((name) => this.network.isReachable(nodeId(name)));
  }

  say(to: string, text: string, lane: "control" | "log" | "bulk" = "log") {
    return this.network.send(nodeId(to), lane, ADDRESS, textCodec, text);
  }

  texts(): string[] {
    return this.messages.map(({ text }) => text);
  }

  noticesOf(type: string) {
    return this.notices.filter((notice) => notice.type === type);
  }

  #events(): PeerNetworkEvents {
    return {
      onMessage: (from, { role, keyspaceHash, shardIndex }, body) => {
        const text = decodeOrDrop(body);
        if (text !== undefined) this.messages.push({ from, role, keyspaceHash, shardIndex, text });
      },
      onTurnEnd: () => {
        this.turnEnds += 1;
      },
      onReachability: (peer, reachable) => {
        this.reachability.push(`${peer} ${reachable ? "up" : "down"}`);
      },
      onIdentity: (peer) => this.identities.push(peer),
      onBorn: (_id, origin) => this.born.push(origin),
      onFatal: (error) => this.fatal.push(error),
      onDisowned: (error) => this.disowned.push(error),
      onFollowed: (done) => this.relearning.push(done),
      onNotice: (notice) => this.notices.push(notice),
    };
  }
}

/** A cluster of peer networks over one bus, under virtual time. */
export class World {
  readonly time = new VirtualTime();
  readonly bus: Bus = this.makeBus();
  readonly names: readonly string[];
  #started = 0;

  constructor(...names: string[]) {
    this.names = names;
  }

  makeBus(): Bus {
    return new Bus(this.time);
  }

  /** Not started yet. */
  make(name: string, options: NodeOptions = {}): TestNode {
    this.#started += 1;
    return new TestNode(this, name, options, this.#started);
  }

  async start(name: string, options: NodeOptions = {}): Promise<TestNode> {
    const node = this.make(name, options);
    await node.network.start();
    return node;
  }

  startAll(options: NodeOptions = {}): Promise<TestNode[]> {
    return Promise.all(this.names.map((name) => this.start(name, options)));
  }

  /** As SIGKILL: nothing more leaves the process. */
  kill(node: TestNode): void {
    this.bus.detach(node.transport);
    node.transport.result = "disconnected";
  }

  advance(durationMs: number): void {
    this.time.advance(durationMs);
  }

  runUntil(condition: () => boolean, limitMs = 60_000): boolean {
    return this.time.runUntil(condition, limitMs);
  }
}

export function allMet(nodes: readonly TestNode[]): boolean {
  return nodes.every((node) =>
    nodes.every((other) => other === node || node.network.isReachable(other.self.node)),
  );
}

function configurationOf(names: readonly string[], options: NodeOptions): ResolvedConfiguration {
  const nodes = [...names].sort().map((id) => ({
    id: nodeId(id),
    peer: undefined,
    http: undefined,
    datacenter: "default",
  }));
  return {
    cluster: { name: options.clusterName ?? "test", nodes, key: undefined },
    transport: { type: "bus", options: {} },
    storage: { type: "memory", options: {} },
    keyspaces: [],
    clock: { maxSkewMs: 500 },
    detector: { heartbeatIntervalMs: HEARTBEAT_MS, suspectAfterMs: SUSPECT_AFTER_MS },
    limits: {
      operationsInFlight: 1_000,
      queuedBytes: options.queuedBytes ?? 16 * 1024 * 1024,
      timeoutMs: 10_000,
      scanPage: 100,
    },
    insecure: false,
    digest: options.digest ?? "digest-a",
    outline: options.outline ?? { cluster: new Map(), keyspaces: new Map() },
  };
}

/** As a host does: a body that its codec refuses is the host's to drop. */
function decodeOrDrop(body: ByteReader): string | undefined {
  try {
    const text = textCodec.decode(body);
    body.end();
    return text;
  } catch (error) {
    if (error instanceof MalformedBytesError) return undefined;
    throw error;
  }
}

/** Loses the given share of all frames, both ways, deterministically. */
export function lossy(share: number, random: { fraction(): number }): FrameFilter {
  const decide = () => (random.fraction() < share ? [] : undefined);
  return { outgoing: decide, incoming: decide };
}
