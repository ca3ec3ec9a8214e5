import type { Sender, ShardPlacement } from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId, StoreId } from "../../../../../src/core/model/ids.ts";
import type { RaftLimits, RaftTiming } from "../../../../../src/strategies/raft/consensus-types.ts";
import type { PairMessage } from "../../../../../src/strategies/raft/pair-messages.ts";
import type { PeerMessage } from "../../../../../src/strategies/raft/peer-messages.ts";
import type {
  PlantedConsensusBugs,
  PlantedPairBugs,
} from "../../../../../src/strategies/raft/planted-bugs.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";
import { WorldChecks } from "./world-checks.ts";
import { WorldNode } from "./world-node.ts";

interface Due {
  readonly atMs: number;
  readonly number: number;
  readonly run: () => void;
}

export interface WorldOptions {
  readonly seed: number;
  /** Nodes there are; the first `voters` of them are born with the shard. */
  readonly nodes: number;
  readonly voters: number;
  readonly planted?: PlantedConsensusBugs | undefined;
  readonly limits?: Partial<RaftLimits>;
  /** Relative difference of two clocks' rates. */
  readonly clockBound?: number;
  readonly priorities?: boolean;
  readonly flushesAtOnce?: boolean;
  /** The shard rests when nobody wants anything of it, with these bugs. Default: it never does. */
  readonly rests?: PlantedPairBugs | undefined;
  /** Memory holds two entries of the log or three, and reads of the others may be slow. */
  readonly forgetful?: boolean | undefined;
}

const FORGETFUL_BYTES = 60;

const TIMING: RaftTiming = {
  electionTimeoutMs: 100,
  electionLowerMs: 50,
  heartbeatMs: 12,
  leaseMs: 44,
  maxClockJumpMs: 20,
  restAfterMs: 60,
};

/** Many instances of the consensus under one virtual time, with a network that may do anything. */
export class World {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly planted: PlantedConsensusBugs;
  readonly checks: WorldChecks;
  readonly timing = TIMING;
  readonly rests: PlantedPairBugs | undefined;
  /** Nodes that the others' detectors have given up. */
  readonly unreachable = new Set<NodeId>();
  readonly limits: RaftLimits;
  readonly clockBound: number;
  readonly placement: ShardPlacement;
  readonly nodes: readonly WorldNode[];
  readonly flushesAtOnce: boolean;
  nowMs = 0;
  loss = 0;
  duplication = 0;
  maxDelayMs = 2;
  maxSyncMs = 2;
  maxLateMs = 0;
  tailsLost = 0;
  /** Until then only new leaders are given anything. */
  quietUntilMs = 0;
  /** More was lost than a quorum stands. */
  stuck = false;
  /** Links that are cut, as `from>to`. */
  readonly cut = new Set<string>();
  /** A read of the log finds what was there when it was asked, and not when it answers. */
  readonly isReadEarly: boolean;
  /** A stream of its own: what else a seed draws does not hang on it. */
  readonly #reads: SeededRandom;
  readonly #slowReads: boolean;
  readonly #hasPriorities: boolean;
  readonly #heap: Due[] = [];
  #lastNumber = 0;
  #lastStore = 0;
  #lastToken = 0;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.random = new SeededRandom(options.seed, "world");
    this.#reads = new SeededRandom(options.seed, "log-reads");
    this.isReadEarly = options.forgetful === true && this.#reads.fraction() < 0.5;
    this.#slowReads = options.forgetful === true && this.#reads.fraction() < 0.5;
    this.planted = options.planted ?? {};
    this.rests = options.rests;
    this.clockBound = options.clockBound ?? 0.05;
    this.#hasPriorities = options.priorities ?? this.pick(3) === 0;
    this.flushesAtOnce = options.flushesAtOnce ?? this.pick(2) === 0;
    this.limits = {
      uncommittedBytes: 2_000,
      inheritedBytes: 2_000,
      inflightBytes: 300,
      inflightMessages: 4,
      messageBytes: 100,
      earlyBytes: 40,
      memoryBytes: options.forgetful === true ? FORGETFUL_BYTES : 400,
      retainedBytes: 200,
      snapshotChunkBytes: 320,
      snapshotBytesPerSecond: 100_000,
      ...options.limits,
    };
    this.checks = new WorldChecks(this);
    this.nodes = Array.from(
      { length: options.nodes },
      (_, i) => new WorldNode(this, `n${i + 1}` as NodeId, this.newStoreId()),
    );
    const replicas = this.nodes.slice(0, options.voters).map((node) => node.id);
    this.placement = { epoch: 1 as Epoch, replicas, standIns: [] };
    for (const [i, node] of this.nodes.entries()) {
      node.joinsEmpty = i >= options.voters;
      node.start(node.joinsEmpty ? "empty" : "newborn");
    }
  }

  node(id: string): WorldNode | undefined {
    return this.nodes.find((node) => node.id === id);
  }

  isReachable(node: NodeId): boolean {
    return !this.unreachable.has(node);
  }

  pick(below: number): number {
    return Math.floor(this.random.fraction() * below);
  }

  newStoreId(): StoreId {
    return String(++this.#lastStore).padStart(4, "0") as StoreId;
  }

  newToken(): number {
    return ++this.#lastToken;
  }

  priorityOf(node: NodeId): number {
    return this.#hasPriorities ? Number(node.slice(1)) % 3 : 0;
  }

  syncMs(): number {
    return this.random.fraction() * this.maxSyncMs;
  }

  lateMs(): number {
    return this.random.fraction() * this.maxLateMs;
  }

  after(delayMs: number, run: () => void): void {
    this.#push({ atMs: this.nowMs + delayMs, number: ++this.#lastNumber, run });
  }

  /** Between two processes as they are now: what an earlier one was sent is nobody's. */
  send(from: WorldNode, to: NodeId, message: PeerMessage | PairMessage): void {
    const target = this.node(to);
    if (target === undefined) return;
    const sender: Sender = from.self;
    const { incarnation } = target;
    const isOwn = target === from;
    const arrive = (): void => {
      if (target.incarnation !== incarnation || from.incarnation !== sender.incarnation) return;
      if (!isOwn && this.cut.has(`${from.id}>${to}`)) return;
      target.receive(sender, message);
    };
    if (isOwn) {
      this.after(0, arrive);
      return;
    }
    if (this.random.fraction() < this.loss) return;
    this.after(this.random.fraction() * this.maxDelayMs, arrive);
    if (this.random.fraction() < this.duplication) {
      this.after(this.random.fraction() * this.maxDelayMs * 10, arrive);
    }
  }

  /** Runs until `untilMs`; true if it stopped before, because `isDone`. */
  run(untilMs: number, isDone: () => boolean = () => false): boolean {
    while (!isDone()) {
      const due = this.#heap[0];
      if (due === undefined || due.atMs > untilMs) {
        this.nowMs = untilMs;
        return isDone();
      }
      this.#pop();
      this.nowMs = due.atMs;
      due.run();
    }
    return true;
  }

  get leader(): WorldNode | undefined {
    let best: WorldNode | undefined;
    for (const node of this.nodes) {
      const standing = node.consensus?.standing;
      if (standing?.role !== "leader") continue;
      if (best === undefined || standing.term > (best.consensus?.standing.term ?? 0)) best = node;
    }
    return best;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  /** Of some reads of the log: the disk is slow at times. */
  slowReadMs(): number {
    if (!this.#slowReads || this.#reads.fraction() < 0.8) return 0;
    return this.#reads.fraction() * 200;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (!isBefore(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}
