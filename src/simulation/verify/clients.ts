import type { GetResult } from "../../core/store/api.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
} from "../../verification/index.ts";
import type { ClientCalls } from "../scenario/client-calls.ts";
import { Draw } from "../scenario/draw.ts";
import { amountOf } from "../scenario/dynamo/crdt-models.ts";
import type { KeyspaceTopology } from "../scenario/topology.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import { BatchWrites } from "./batch-writes.ts";
import { type Asking, achievedOf, ClientWrites, type WriteEnd } from "./client-writes.ts";
import { type ConditionalWrite, ConditionalWrites } from "./conditional-writes.ts";
import type { CrdtSide } from "./crdt-side.ts";
import type { RunPlan } from "./draw-run.ts";
import { SeenValues } from "./judge-siblings.ts";
import { type LevelPair, nameOfPair } from "./promised-checks.ts";
import type { Subject } from "./subject.ts";

/** Of the writes where siblings stay, this share comes with what its client has just read. */
const CONTEXT_SHARE = 0.6;
const DELETE_SHARE = 0.06;
/** Of the operations, this share is on keys that are written on conditions, and as many in batches. */
const ASIDE_SHARE = 0.12;
/** Of writes there where siblings stay: the others replace them, lest there be ever more. */
const BATCH_SHARE = 0.4;
/** How far the calls of one burst lie apart, on average, in milliseconds. */
const BURST_MS = 3;

/** `register`: values that are written and read. `counter`: one is read, and written plus one. */
export type Workload = "register" | "counter";

/** Besides: with what was read as context, by operations of a CRDT, on conditions, in batches, or only by reading. */
export type GroupWorkload =
  | Workload
  | "contexts"
  | "operations"
  | "conditions"
  | "batches"
  | "reads";

/** Keys of their own, used at one pair of levels in one way. */
export interface KeyGroup {
  readonly name: string;
  readonly pair: LevelPair;
  readonly workload: GroupWorkload;
  readonly keys: readonly string[];
  /** Used through these nodes alone. Default: through any. */
  readonly nodes?: readonly string[];
  /** Beside those that are there for their levels. Default: it is one of these. */
  readonly isAside?: boolean;
}

/** What became of the increments of a key. */
export interface Increments {
  acknowledged: number;
  /** What those add up to. */
  sum: number;
  /** What those may add at least, and at most, that are unknown or below the level that was asked. */
  least: number;
  most: number;
}

export interface ClientsOptions {
  readonly world: SimWorld;
  readonly subject: Subject;
  readonly plan: RunPlan;
  readonly groups: readonly KeyGroup[];
  readonly keyspace: KeyspaceTopology;
  readonly calls: ClientCalls;
  /** Where the keyspace has a CRDT. */
  readonly crdt: CrdtSide | undefined;
}

/** Clients of one keyspace: each does one thing at a time, on whatever node is there. */
export class Clients {
  readonly increments = new Map<string, Increments>();
  readonly seen = new SeenValues();
  readonly writes: ClientWrites;
  readonly batches: BatchWrites;
  /** Writes that were sent with a condition, and were done. */
  readonly winners: ConditionalWrite[] = [];
  readonly #options: ClientsOptions;
  readonly #recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
  readonly #conditions = new ConditionalWrites();
  readonly #levelGroups: readonly KeyGroup[];
  readonly #sideGroups: readonly KeyGroup[];
  #isStopped = false;

  constructor(options: ClientsOptions) {
    const { world, subject, groups, keyspace, calls } = options;
    this.#options = options;
    this.#levelGroups = groups.filter(({ isAside }) => isAside !== true);
    this.#sideGroups = groups.filter(({ isAside }) => isAside === true);
    const recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>({
      now: () => world.time.nowMs,
    });
    this.#recorder = recorder;
    this.writes = new ClientWrites({ world, keyspace, calls, recorder });
    this.batches = new BatchWrites({
      ...{ calls, recorder, writes: this.writes, name: keyspace.keyspace.name },
      kind: subject.description.batch ?? "per-key",
      deletes: subject.use === "register",
    });
  }

  history(): readonly KeyValueOperation[] {
    return this.#recorder.operations();
  }

  /** Settles once every client has heard of its last operation, after `stop`. */
  async run(): Promise<void> {
    const numbers = Array.from({ length: this.#options.plan.clients }, (_, at) => at + 1);
    await Promise.all(numbers.map((number) => this.#client(number)));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** What was found; undefined if nobody answered. */
  async read(
    client: string,
    node: SimNode,
    key: string,
    { read: level }: LevelPair,
  ): Promise<GetResult<unknown> | undefined> {
    const { calls } = this.#options;
    const input: KeyValueInput = { type: "get", key };
    const call = this.#recorder.call({ client, node: node.id, level, input });
    try {
      const keyspace = calls.keyspaceOf(node, this.#options.keyspace.keyspace.name);
      const result = await calls.alive(node, keyspace.get(key, { consistency: level }));
      call.applied(outputOf(result), { achieved: achievedOf(result.receipt) });
      calls.noteOk(client, key, result.version ?? "-");
      this.#options.crdt?.workload.noteRead(key, result);
      this.#conditions.noteRead(key, result);
      return result;
    } catch (error) {
      calls.noteFault(client, key, error);
      call.notApplied();
      return undefined;
    }
  }

  async #client(number: number): Promise<void> {
    const { world, plan } = this.#options;
    const draw = new Draw(world.random(`client/${number}`));
    const client = `c${number}`;
    while (!this.#isStopped) {
      await this.#pause(this.#thinkMs(draw));
      const running = world.running();
      if (running.length === 0 || this.#isStopped) continue;
      const drawn = draw.pick(running);
      const group = this.#drawGroup(draw);
      const node = nodeFor(group, drawn, running, draw);
      if (node === undefined) continue;
      const key = draw.pick(group.keys);
      await this.#options.calls.count(async () => {
        const isWrite = group.workload !== "reads" && draw.chance(plan.writeShare);
        if (isWrite) await this.#change({ client, draw, node }, key, group);
        else await this.read(client, node, key, group.pair);
        return "ok";
      });
    }
  }

  #drawGroup(draw: Draw): KeyGroup {
    const sides = this.#sideGroups.length;
    const isAside = sides > 0 && draw.chance(ASIDE_SHARE * sides);
    return draw.pick(isAside ? this.#sideGroups : this.#levelGroups);
  }

  async #change(asking: Asking, key: string, group: KeyGroup): Promise<void> {
    const { subject, calls } = this.#options;
    const { keys, pair, workload } = group;
    const value = subject.values.valueAt(calls.begun);
    switch (workload) {
      case "reads":
        return;
      case "counter":
        return this.#increment(asking, key, pair);
      case "operations":
        return this.#operate(asking, key, pair);
      case "conditions":
        return this.#writeOnCondition(asking, key, value, pair);
      case "batches":
        if (subject.use !== "siblings" || asking.draw.chance(BATCH_SHARE)) {
          return this.batches.write(asking, keys, value, pair);
        }
        return this.#replace(asking, key, value, pair);
      case "contexts":
        return this.#replace(asking, key, value, pair);
      case "register":
        await this.#put(asking, key, asking.draw.chance(DELETE_SHARE) ? undefined : value, pair);
    }
  }

  /** Of what the client has just read, or blindly. */
  async #replace(asking: Asking, key: string, drawn: unknown, pair: LevelPair): Promise<void> {
    const { client, draw, node } = asking;
    const value = draw.chance(DELETE_SHARE) ? undefined : drawn;
    const context =
      value === undefined || draw.chance(CONTEXT_SHARE)
        ? await this.#contextFor(client, node, { key, value, pair })
        : undefined;
    // A deletion without a context removes what its minter holds, seen or not: nothing is promised.
    await this.#put(asking, key, context === undefined ? drawn : value, pair, context);
  }

  async #operate(asking: Asking, key: string, pair: LevelPair): Promise<void> {
    const { crdt, calls } = this.#options;
    if (crdt === undefined) throw new Error(`there are no operations for ${JSON.stringify(key)}`);
    const { client, draw, node } = asking;
    const { workload, counts } = crdt;
    const id = `v${calls.begun}`;
    const isReadFirst = draw.chance(workload.readFirstShare);
    const read = isReadFirst ? await this.read(client, node, key, pair) : undefined;
    const call = workload.draw(draw, key, read, id);
    const { operation, send } = call;
    const input: KeyValueInput = { type: "put", key, value: operation };
    const end = await this.writes.write(asking, { key, level: pair.write, input, send });
    if (end.version !== undefined) workload.acknowledged(call, end.version);
    else workload.failed(call, end.ended !== "not-applied");
    if (counts) this.#countEnd(key, end, amountOf(operation));
  }

  async #writeOnCondition(asking: Asking, key: string, value: unknown, pair: LevelPair) {
    const write = this.#conditions.draw(asking.draw, key, value, pair.write);
    const end = await this.writes.write(asking, write);
    this.#conditions.noteEnd(write, end);
    if (write.ifVersion !== undefined && end.version !== undefined) this.winners.push(write);
  }

  /** Reads first, and notes what the write that follows replaces. */
  async #contextFor(
    client: string,
    node: SimNode,
    {
      key,
      value,
      pair,
    }: { readonly key: string; readonly value: unknown; readonly pair: LevelPair },
  ): Promise<string | undefined> {
    const found = await this.read(client, node, key, pair);
    if (found?.version === undefined) return undefined;
    this.seen.note(key, value, valuesOf(found));
    return found.version;
  }

  #thinkMs(draw: Draw): number {
    const { meanThinkMs, inBursts } = this.#options.plan;
    if (!inBursts) return draw.exponential(meanThinkMs);
    const toNextMs = meanThinkMs - (this.#options.world.time.nowMs % meanThinkMs);
    return toNextMs + draw.exponential(BURST_MS);
  }

  /** As an application counts that has nothing better than get and put. */
  async #increment(asking: Asking, key: string, pair: LevelPair): Promise<void> {
    const found = await this.read(asking.client, asking.node, key, pair);
    if (found === undefined) return;
    const before = found.found && !found.conflict ? Number(found.value) : 0;
    this.#countEnd(key, await this.#put(asking, key, before + 1, pair), 1);
  }

  #countEnd(key: string, { ended }: WriteEnd, amount: number): void {
    const counts = this.increments.get(key) ?? { acknowledged: 0, sum: 0, least: 0, most: 0 };
    this.increments.set(key, counts);
    if (ended === "applied") {
      counts.acknowledged += 1;
      counts.sum += amount;
    } else if (ended !== "not-applied") {
      counts.least += Math.min(0, amount);
      counts.most += Math.max(0, amount);
    }
  }

  /** @param value undefined: a deletion. */
  #put(
    asking: Asking,
    key: string,
    value: unknown,
    { write: level }: LevelPair,
    context?: string,
  ): Promise<WriteEnd> {
    const isDeletion = value === undefined;
    return this.writes.write(asking, {
      ...{ key, level, input: isDeletion ? { type: "delete", key } : { type: "put", key, value } },
      send: (keyspace, given) => {
        const options = { ...given, ...(context && { context }) };
        return isDeletion ? keyspace.delete(key, options) : keyspace.put(key, value, options);
      },
    });
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.world.time.setTimer(durationMs, resolve);
    });
  }
}

/** The one that was drawn, unless the group has nodes of its own; undefined if none of those runs. */
function nodeFor(
  { nodes }: KeyGroup,
  drawn: SimNode,
  running: readonly SimNode[],
  draw: Draw,
): SimNode | undefined {
  if (nodes === undefined || nodes.includes(drawn.id)) return drawn;
  const possible = running.filter(({ id }) => nodes.includes(id));
  return possible.length === 0 ? undefined : draw.pick(possible);
}

/** Keys for each pair; few, so that operations meet. */
export function groupsOf(
  pairs: readonly LevelPair[],
  workload: GroupWorkload,
  keysEach: number,
): readonly KeyGroup[] {
  return pairs.map((pair) => {
    const name = nameOfPair(pair);
    const prefix = workload === "counter" ? `count/${name}` : name;
    const keys = Array.from({ length: keysEach }, (_, at) => `${prefix}/${at + 1}`);
    return { name, pair, workload, keys };
  });
}

/** What a read found: nothing, a value, or several side by side. */
export function valuesOf(result: GetResult<unknown>): readonly unknown[] {
  if (!result.found) return [];
  return result.conflict ? result.siblings : [result.value];
}

function outputOf(result: GetResult<unknown>): KeyValueOutput {
  const version = result.version === undefined ? {} : { version: result.version };
  if (!result.found) return version;
  if (result.conflict) return { siblings: result.siblings, ...version };
  return { value: result.value, ...version };
}
