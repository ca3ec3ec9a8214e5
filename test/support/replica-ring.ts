import type {
  Effects,
  MachineNotice,
  ReplicaContext,
  ReplicaMachine,
  Sender,
} from "../../src/core/contracts/machine.ts";
import { HybridClock } from "../../src/core/model/hybrid-clock.ts";
import {
  type Epoch,
  type Incarnation,
  type LogSequence,
  NO_SEQUENCE,
  type NodeId,
  type StoreId,
} from "../../src/core/model/ids.ts";
import type { DynamoMessage } from "../../src/strategies/dynamo/messages.ts";
import {
  DEFAULT_REPAIR,
  type RepairSettings,
} from "../../src/strategies/leaderless/repair-settings.ts";

const START_WALL_MS = Date.UTC(2026, 0, 1);

export type RingMachine = ReplicaMachine<DynamoMessage>;
type Rows = Map<string, Uint8Array>;

interface RingNode {
  readonly id: NodeId;
  readonly data: Rows;
  readonly side: Rows;
  readonly kept: Map<string, Uint8Array>;
  readonly timers: Map<string, number>;
  readonly notices: MachineNotice[];
  /** What its machine counted, by name and labels, over all of its starts. */
  readonly counts: Map<string, number>;
  machine: RingMachine;
  sender: Sender;
}

export interface RingOptions {
  readonly nodes?: number;
  readonly repair?: Partial<RepairSettings>;
  readonly make: (context: ReplicaContext, node: string) => RingMachine;
}

/**
 * Replica machines of one shard, each on a map of its own, with messages between them that arrive in
 * order a millisecond later, and virtual time. What a machine writes is durable at once.
 */
export class ReplicaRing {
  readonly nodes = new Map<string, RingNode>();
  /** Messages to coordinators, as they were sent. */
  readonly answers: { readonly from: string; readonly message: DynamoMessage }[] = [];
  nowMs = 0;
  /** Of messages between replicas: whether this one is lost, with nobody the wiser. */
  loses: ((to: string, message: DynamoMessage) => boolean) | undefined;
  readonly #options: RingOptions;
  readonly #cut = new Set<string>();
  #inFlight: { readonly from: Sender; readonly to: NodeId; readonly message: DynamoMessage }[] = [];
  #drawn = 0;

  constructor(options: RingOptions) {
    this.#options = options;
    const ids = Array.from({ length: options.nodes ?? 3 }, (_, at) => `n${at + 1}` as NodeId);
    for (const id of ids) {
      const rows = { data: new Map(), side: new Map(), kept: new Map(), timers: new Map() };
      const sender = { node: id, storeId: id as string as StoreId, incarnation: 1 as Incarnation };
      const lists = { notices: [], counts: new Map<string, number>() };
      const node = { id, ...rows, ...lists, sender } as unknown as RingNode;
      this.nodes.set(id, node);
    }
    for (const id of ids) this.#open(this.node(id), "newborn");
  }

  node(id: string): RingNode {
    return this.nodes.get(id) as RingNode;
  }

  /** Nobody hears of the node, nor it of anybody, until `heal`. */
  cut(id: string): void {
    this.#cut.add(id);
  }

  heal(): void {
    const healed = [...this.#cut] as NodeId[];
    this.#cut.clear();
    for (const peer of healed) {
      for (const node of this.nodes.values()) {
        this.step(node.id, { type: "reachability", peer, reachable: true });
        this.step(peer, { type: "reachability", peer: node.id, reachable: true });
      }
    }
  }

  restart(id: string): void {
    const node = this.node(id);
    node.sender = { ...node.sender, incarnation: (node.sender.incarnation + 1) as Incarnation };
    node.timers.clear();
    this.#inFlight = this.#inFlight.filter(({ to, from }) => to !== id && from.node !== id);
    this.#open(node, "kept");
    for (const other of this.nodes.values()) {
      if (other !== node) this.step(other.id, { type: "identity", peer: node.sender });
    }
  }

  /** A message from a node, or from a coordinator there. */
  deliver(to: string, from: string, message: DynamoMessage): void {
    const sender = this.node(from).sender;
    this.step(to, { type: "message", from: sender, shardIndex: 0, message });
  }

  step(id: string, event: object): void {
    const node = this.node(id);
    const moment = { nowMs: this.nowMs, wallMs: this.wallMs };
    node.machine.step({ ...event, ...moment } as never, this.#effectsOf(node));
  }

  get wallMs(): number {
    return START_WALL_MS + this.nowMs;
  }

  run(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const timers = [...this.nodes.values()].flatMap((node) => [...node.timers.values()]);
      const nextMs = this.#inFlight.length > 0 ? this.nowMs + 1 : Math.min(...timers);
      if (nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      const arriving = this.#inFlight.splice(0);
      for (const { from, to, message } of arriving) {
        if (this.#cut.has(to) || this.#cut.has(from.node)) continue;
        if (this.node(from.node).sender !== from || this.loses?.(to, message)) continue;
        this.step(to, { type: "message", from, shardIndex: 0, message });
      }
      for (const node of this.nodes.values()) {
        for (const [timer, atMs] of [...node.timers]) {
          if (atMs > this.nowMs || node.timers.get(timer) !== atMs) continue;
          node.timers.delete(timer);
          this.step(node.id, { type: "timer", timer });
        }
      }
    }
    this.nowMs = untilMs;
  }

  #open(node: RingNode, origin: "newborn" | "kept"): void {
    const ids = [...this.nodes.keys()] as NodeId[];
    node.machine = this.#options.make(
      {
        self: node.sender,
        keyspace: "k",
        keyspaceHash: 7,
        settings: { repair: { ...DEFAULT_REPAIR, ...this.#options.repair } },
        clock: new HybridClock({ actor: { high: 1, low: ++this.#drawn }, maxSkewMs: 5_000 }),
        nodes: ids,
        placement: () => ({ epoch: 1 as Epoch, replicas: ids, standIns: [] }),
        isReachable: (id) => id === node.id || !(this.#cut.has(id) || this.#cut.has(node.id)),
        randomUint32: () => ++this.#drawn,
        count: (name, by, labels) => {
          const text = [name, ...Object.values(labels ?? {})].join(" ");
          node.counts.set(text, (node.counts.get(text) ?? 0) + by);
        },
        health: { diskState: () => "ok", syncAgeMs: () => 0, eventLoopLagMs: () => 0 },
        shardIndex: 0,
      },
      node.id,
    );
    const none = NO_SEQUENCE;
    const sequences = { lastSequence: none, appliedSequence: none, durableSequence: none };
    this.step(node.id, { type: "opened", state: { origin, ...sequences } });
  }

  #effectsOf(node: RingNode): Effects<DynamoMessage> {
    const send = (to: NodeId, role: string, _shard: number, message: DynamoMessage): void => {
      if (role === "coordinator") this.answers.push({ from: node.id, message });
      else this.#inFlight.push({ from: node.sender, to, message });
    };
    const done = (): void => undefined;
    const effects: Partial<Effects<DynamoMessage>> = {
      ...{ isWatched: false, recordFact: done, change: done, placed: done },
      get: (key) => node.data.get(textOf(key)),
      put: (key, value) => void node.data.set(textOf(key), value),
      delete: (key) => void node.data.delete(textOf(key)),
      range: (from, to, _bytes, entries = 1_000_000) => rangeOf(node.data, from, to, entries),
      getSide: (key) => node.side.get(textOf(key)),
      putSide: (key, value) => void node.side.set(textOf(key), value),
      deleteSide: (key) => void node.side.delete(textOf(key)),
      rangeSide: (from, to) => rangeOf(node.side, from, to, 1_000_000).entries,
      append: () => 1 as LogSequence,
      kept: (name) => node.kept.get(name),
      keep: (name, value) => {
        if (value === undefined) node.kept.delete(name);
        else node.kept.set(name, value);
      },
      send,
      sendBeforeDurable: send,
      setTimer: (timer, delayMs) => void node.timers.set(timer, this.nowMs + delayMs),
      cancelTimer: (timer) => void node.timers.delete(timer),
      emit: (notice) => void node.notices.push(notice),
    };
    return effects as Effects<DynamoMessage>;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}

function rangeOf(
  rows: Rows,
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
  limit: number,
) {
  const [low, high] = [from && textOf(from), to && textOf(to)];
  const keys = [...rows.keys()]
    .filter((key) => (low === undefined || key >= low) && (high === undefined || key < high))
    .sort();
  const entries = keys.slice(0, limit).map((key) => ({
    key: Buffer.from(key, "latin1"),
    value: rows.get(key) as Uint8Array,
  }));
  return { entries, more: keys.length > limit };
}
