import { setImmediate as realTurn } from "node:timers/promises";
import type {
  CoordinatorContext,
  CoordinatorMachine,
  Effects,
  MachineEvent,
  MachineNotice,
  OpenedState,
  ReplicaContext,
  ReplicaMachine,
} from "../../src/core/contracts/machine.ts";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type { Storage } from "../../src/core/contracts/storage.ts";
import type { SilentStrategy } from "../../src/core/contracts/strategy.ts";
import { ByteReader, ByteWriter } from "../../src/core/model/bytes.ts";
import { resolveConfiguration } from "../../src/core/model/configuration.ts";
import type { Durability } from "../../src/core/model/durability.ts";
import { CapstanError } from "../../src/core/model/errors.ts";
import { keyspaceHash } from "../../src/core/model/hash.ts";
import {
  type ClusterId,
  type Incarnation,
  type NodeId,
  type ShardId,
  type StoreId,
  shardIdOf,
} from "../../src/core/model/ids.ts";
import type { Operation } from "../../src/core/model/operations.ts";
import { createMachineHost } from "../../src/core/store/machine-host.ts";
import { NodeRecords } from "../../src/core/store/node-records.ts";
import type { MachineHost, PeerNetwork } from "../../src/core/store/seams.ts";
import { tunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { createMemoryHub } from "../../src/transports/memory/memory-hub.ts";
import { runBeside } from "./run-beside.ts";
import { VirtualEnvironment, type VirtualTime } from "./virtual-environment.ts";

const KEYSPACE = "bench";
const KEYSPACE_HASH = keyspaceHash(KEYSPACE);
export const BENCH_SHARD: ShardId = shardIdOf(KEYSPACE_HASH, 0);
const NODES = ["n1", "n2", "n3"];

export type BenchStep = (effects: Effects<unknown>) => void;
export type BenchEvent = MachineEvent<unknown>;

export interface BenchOptions {
  readonly time: VirtualTime;
  readonly storage: Storage;
  readonly origin: OpenedState["origin"];
  /** Default: it does. */
  readonly appliesLater?: boolean;
  /** What happens before the node knows its cluster, and opens its shards. */
  readonly beforeBorn?: (bench: MachineBench) => void;
  /** Default: it does not. */
  readonly countsStores?: boolean;
  /** Default: it does. */
  readonly serving?: boolean;
  readonly durability?: Durability;
  /** Default: three, of which this is the first; nobody else is there. */
  readonly nodes?: number;
  /** What the replica does with events that are not steps of the test. */
  readonly onEvent?: (event: BenchEvent, effects: Effects<unknown>) => void;
}

/**
 * A node's host of machines over a storage, with one shard, whose replica does what the test tells
 * it in a step, and notes what it is fed and what it says.
 */
export class MachineBench {
  readonly storage: Storage;
  /** What the replica was fed, but for the test's own steps. */
  readonly events: BenchEvent[] = [];
  /** Texts that have left for another node. */
  readonly said: string[] = [];
  /** What happened outside the machine, in order, as far as a test notes it; and what has left. */
  readonly order: string[] = [];
  #unsent: string[] = [];
  readonly notices: MachineNotice[] = [];
  fatal: CapstanError | undefined;
  readonly environment: VirtualEnvironment;
  /** Of the replica that was made last. */
  context: ReplicaContext | undefined;
  coordinatorContext: CoordinatorContext | undefined;
  /** How many replicas were made. */
  made = 0;
  readonly #steps: BenchStep[] = [];
  readonly #time: VirtualTime;
  readonly #options: BenchOptions;
  readonly #host: MachineHost;
  readonly #records: NodeRecords;

  private constructor(options: BenchOptions, records: NodeRecords) {
    this.#options = options;
    this.#records = records;
    this.#time = options.time;
    this.storage = options.storage;
    const environment = new VirtualEnvironment({ time: options.time });
    this.environment = environment;
    const { storeId, incarnation } = options.storage.identity;
    this.#host = createMachineHost({
      self: { node: "n1" as NodeId, storeId, incarnation: incarnation as Incarnation },
      configuration: resolveConfiguration({
        transport: { type: "memory", hub: createMemoryHub() },
        storage: { type: "kept" },
        cluster: { name: "test", nodes: NODES.slice(0, options.nodes ?? NODES.length) },
        keyspaces: {
          [KEYSPACE]: {
            strategy: "tunable",
            replicas: options.nodes ?? NODES.length,
            shards: 1,
            durability: options.durability ?? "fsync",
          },
        },
      }),
      strategies: new Map([[KEYSPACE, { strategy: this.#strategy(), settings: {} }]]),
      storage: options.storage,
      records,
      environment,
      observer: SILENT_OBSERVER,
      onNotice: (notice) => this.notices.push(notice),
      onFact: () => undefined,
      onFatal: (error) => {
        this.fatal = error;
      },
    });
    this.#host.attach(this.#peers());
  }

  static async open(options: BenchOptions): Promise<MachineBench> {
    const records = await runBeside(options.time, NodeRecords.open(options.storage));
    const bench = new MachineBench(options, records);
    const id = "c".repeat(32) as ClusterId;
    if (bench.#host.storedClusterId === undefined)
      bench.#host.saveClusterId(id, "newborn", () => undefined);
    options.beforeBorn?.(bench);
    bench.#host.events.onBorn(id, options.origin);
    await bench.settle();
    return bench;
  }

  /** Runs `step` as one step of the replica, without letting time pass. */
  step(step: BenchStep): void {
    this.arrive(step);
    this.#host.events.onTurnEnd();
  }

  /** Its message is there, and not taken up yet. */
  arrive(step: BenchStep): void {
    const writer = new ByteWriter();
    writer.u32(this.#steps.push(step) - 1);
    const from = { node: "n2" as NodeId, storeId: "s" as StoreId, incarnation: 1 as Incarnation };
    const address = { role: "replica", keyspaceHash: KEYSPACE_HASH, shardIndex: 0 } as const;
    this.#host.events.onMessage(from, address, new ByteReader(writer.copy()));
  }

  /** And lets everything become durable that it led to. */
  async stepAndSettle(step: BenchStep): Promise<void> {
    this.step(step);
    await this.settle();
  }

  /** Everything that is under way comes to its end, but nothing that waits for a timer. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) {
      this.#time.settle();
      await realTurn();
    }
    this.#time.settle();
  }

  /** Runs the step, and gives back what it answers. */
  read<T>(read: (effects: Effects<unknown>) => T): T {
    let result: { readonly value: T } | undefined;
    this.step((effects) => {
      result = { value: read(effects) };
    });
    if (result === undefined) throw new Error("the replica took no step");
    return result.value;
  }

  eventsOf<T extends BenchEvent["type"]>(type: T): Extract<BenchEvent, { type: T }>[] {
    return this.events.filter(
      (event): event is Extract<BenchEvent, { type: T }> => event.type === type,
    );
  }

  /** Sequences of all records that it was fed back. */
  replayed(): number[] {
    return this.eventsOf("replay").flatMap(({ records }) => records.map((each) => each.sequence));
  }

  /** What a start of this node would have written down about itself. */
  keepRecord(name: string, value: Uint8Array): void {
    this.#records.put(name, value);
  }

  /** A peer has met more of this store than it holds. */
  disown(): void {
    this.#host.events.onDisowned(new CapstanError("DATA_DISOWNED", "an older copy"));
  }

  /** A peer has met another store of this node after this one. */
  follow(done: () => void): void {
    this.#host.events.onFollowed(done);
  }

  /** A call that the coordinator never answers; settles with the code of what refuses it. */
  ask(): Promise<string> {
    const operation: Operation = {
      type: "get",
      key: Buffer.from("k"),
      shardIndex: 0,
      value: undefined,
      level: "one",
      operationId: undefined,
      options: undefined,
      deadlineMs: this.#time.nowMs + 60_000,
    };
    return new Promise((refused, answered) => {
      const succeed = () => answered(new Error("nobody could answer that"));
      this.#host
        .engine(KEYSPACE)
        .execute(operation, { succeed, fail: ({ code }) => refused(code) });
    });
  }

  /** Begins to close in order: what is under way may end until `timeoutMs` have passed. */
  drain(timeoutMs: number): Promise<void> {
    return this.#host.close({ drain: true, timeoutMs });
  }

  close(): Promise<void> {
    const closed = this.#host
      .close({ drain: false, timeoutMs: 0 })
      .then(() => this.storage.close());
    return runBeside(this.#time, closed);
  }

  #strategy(): SilentStrategy {
    return {
      ...tunableStrategy,
      codec: {
        encode: (message, writer) => writer.string(message as string),
        decode: (reader) => this.#steps[reader.u32()],
      },
      createReplica: (context) => {
        this.context = context;
        return this.#replica();
      },
      createCoordinator: (context) => {
        this.coordinatorContext = context;
        return idleCoordinator();
      },
    };
  }

  #replica(): ReplicaMachine<unknown> {
    this.made += 1;
    return {
      wantsDurable: true,
      appliesLater: this.#options.appliesLater ?? true,
      countsStores: this.#options.countsStores ?? false,
      serving: this.#options.serving ?? true,
      step: (event, effects) => {
        if (event.type === "message") (event.message as BenchStep)(effects);
        else {
          this.events.push({ ...event });
          this.#options.onEvent?.(event, effects);
        }
      },
      describe: () => ({}),
    };
  }

  #peers(): PeerNetwork {
    return {
      send: (
        _peer: NodeId,
        _lane: unknown,
        _address: unknown,
        _codec: unknown,
        message: unknown,
      ) => {
        this.said.push(message as string);
        this.#unsent.push(message as string);
        return "queued";
      },
      flush: () => this.order.push(...this.#unsent.splice(0).map((text) => `left: ${text}`)),
      isReachable: () => false,
      lacks: () => false,
      standingsOf: () => [],
    } as unknown as PeerNetwork;
  }
}

function idleCoordinator(): CoordinatorMachine<unknown> {
  return {
    step: () => undefined,
    describe: () => ({}),
    readNow: () => undefined,
    mintOperationId: () => "",
    operationIdOf: () => undefined,
    isReady: () => false,
  };
}

/** Says `text` to another node once what the step rests upon is durable. */
export function say(effects: Effects<unknown>, text: string): void {
  effects.send("n2" as NodeId, "replica", 0, text);
}
