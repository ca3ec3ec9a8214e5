import type { Receipt } from "../../core/model/receipt.ts";
import type { GetResult } from "../../core/store/api.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  type OpenCall,
} from "../../verification/index.ts";
import type { ClientCalls } from "../scenario/client-calls.ts";
import { Draw } from "../scenario/draw.ts";
import type { KeyspaceTopology } from "../scenario/topology.ts";
import { holdersOf } from "../scenario/tunable/holders.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import type { RunPlan } from "./draw-run.ts";
import { SeenValues } from "./judge-siblings.ts";
import { type LevelPair, nameOfPair } from "./promised-checks.ts";
import type { Subject } from "./subject.ts";

const RETRY_SHARE = 0.5;
const MAX_TRIES = 3;
/** Of the writes where siblings stay, this share comes with what its client has just read. */
const CONTEXT_SHARE = 0.6;
const DELETE_SHARE = 0.06;
/** How far the calls of one burst lie apart, on average, in milliseconds. */
const BURST_MS = 3;

/** `register`: values that are written and read. `counter`: one is read, and written plus one. */
export type Workload = "register" | "counter";

/** Besides: with what was read as context, by operations of a CRDT, or only by reading. */
export type GroupWorkload =
  | Workload
  | "contexts"
  | "counter-operations"
  | "set-operations"
  | "reads";

/** Keys of their own, used at one pair of levels in one way. */
export interface KeyGroup {
  readonly name: string;
  readonly pair: LevelPair;
  readonly workload: GroupWorkload;
  readonly keys: readonly string[];
}

/** A write that was answered as done. */
export interface Acknowledged {
  readonly key: string;
  readonly version: string;
  readonly atMs: number;
  readonly holders: readonly string[];
}

/** What became of the increments of a key. */
export interface Increments {
  acknowledged: number;
  /** Acknowledged below the level that was asked. */
  lowered: number;
  unknown: number;
}

interface Change {
  /** Undefined: a deletion. */
  readonly value: unknown;
  readonly pair: LevelPair;
  /** The version that the client has seen. */
  readonly context?: string | undefined;
  /** Instead of `put`: an operation of the resolver's. */
  readonly operation?: unknown;
}

type Ended = "applied" | "lowered" | "not-applied" | "unknown";

export interface ClientsOptions {
  readonly world: SimWorld;
  readonly subject: Subject;
  readonly plan: RunPlan;
  readonly groups: readonly KeyGroup[];
  readonly keyspace: KeyspaceTopology;
  readonly calls: ClientCalls;
}

/** Clients of one keyspace: each does one thing at a time, on whatever node is there. */
export class Clients {
  readonly acknowledged: Acknowledged[] = [];
  readonly increments = new Map<string, Increments>();
  readonly seen = new SeenValues();
  readonly #options: ClientsOptions;
  readonly #recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
  #isStopped = false;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#recorder = new HistoryRecorder({ now: () => options.world.time.nowMs });
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
      return result;
    } catch (error) {
      calls.noteFault(client, key, error);
      call.notApplied();
      return undefined;
    }
  }

  async #client(number: number): Promise<void> {
    const { world, plan, groups } = this.#options;
    const draw = new Draw(world.random(`client/${number}`));
    const client = `c${number}`;
    while (!this.#isStopped) {
      await this.#pause(this.#thinkMs(draw));
      const running = world.running();
      if (running.length === 0 || this.#isStopped) continue;
      const node = draw.pick(running);
      const group = draw.pick(groups);
      const key = draw.pick(group.keys);
      await this.#options.calls.count(async () => {
        const isWrite = group.workload !== "reads" && draw.chance(plan.writeShare);
        if (isWrite) await this.#change(client, draw, node, key, group);
        else await this.read(client, node, key, group.pair);
        return "ok";
      });
    }
  }

  async #change(client: string, draw: Draw, node: SimNode, key: string, group: KeyGroup) {
    const { workload, pair } = group;
    if (workload === "counter") return this.#increment(client, draw, node, key, group);
    const { subject, calls } = this.#options;
    const drawn = subject.values.valueAt(calls.begun);
    if (workload === "counter-operations") {
      const change = { value: calls.begun, pair, operation: { increment: 1 } };
      this.#countEnd(key, await this.#write(client, draw, node, key, change));
    } else if (workload === "set-operations") {
      await this.#write(client, draw, node, key, { value: drawn, pair, operation: { add: drawn } });
    } else {
      const value = draw.chance(DELETE_SHARE) ? undefined : drawn;
      const context =
        workload === "contexts" && (value === undefined || draw.chance(CONTEXT_SHARE))
          ? await this.#contextFor(client, node, { key, value, pair })
          : undefined;
      // A deletion without a context removes what its minter holds, seen or not: nothing is promised.
      const isBlind = workload === "contexts" && context === undefined;
      const written = isBlind ? drawn : value;
      await this.#write(client, draw, node, key, { value: written, pair, context });
    }
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
  async #increment(
    client: string,
    draw: Draw,
    node: SimNode,
    key: string,
    { pair }: KeyGroup,
  ): Promise<void> {
    const found = await this.read(client, node, key, pair);
    if (found === undefined) return;
    const before = found.found && !found.conflict ? Number(found.value) : 0;
    const change = { value: before + 1, pair };
    this.#countEnd(key, await this.#write(client, draw, node, key, change));
  }

  #countEnd(key: string, ended: Ended): void {
    const counts = this.increments.get(key) ?? { acknowledged: 0, lowered: 0, unknown: 0 };
    this.increments.set(key, counts);
    if (ended === "applied") counts.acknowledged += 1;
    if (ended === "lowered") counts.lowered += 1;
    if (ended === "unknown") counts.unknown += 1;
  }

  async #write(
    client: string,
    draw: Draw,
    node: SimNode,
    key: string,
    { value, pair, context, operation }: Change,
  ): Promise<Ended> {
    const input: KeyValueInput =
      value === undefined ? { type: "delete", key } : { type: "put", key, value };
    const { calls, keyspace: topology, world } = this.#options;
    const level = pair.write;
    const call = this.#recorder.call({ client, node: node.id, level, input });
    let operationId: string | undefined;
    let isUnknown = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace = calls.keyspaceOf(node, topology.keyspace.name);
        const options = {
          consistency: level,
          ...(operationId && { operationId }),
          ...(context && { context }),
        };
        const writing =
          operation !== undefined
            ? keyspace.update(key, operation, options)
            : value === undefined
              ? keyspace.delete(key, options)
              : keyspace.put(key, value, options);
        const { version, receipt } = await calls.alive(node, writing);
        const holders = holdersOf(world, topology, { key, version });
        const atMs = world.time.nowMs;
        this.acknowledged.push({ key, version, atMs, holders });
        call.applied({ version }, { achieved: achievedOf(receipt) });
        calls.noteOk(client, key, version);
        return receipt.consistent ? "applied" : "lowered";
      } catch (error) {
        const fault = calls.noteFault(client, key, error);
        operationId = fault.operationId;
        isUnknown ||= fault.outcome === "unknown";
        const mayRetry = fault.outcome === "unknown" && operationId !== undefined;
        if (mayRetry && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        return endOf(call, fault.outcome === "applied", isUnknown);
      }
    }
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.world.time.setTimer(durationMs, resolve);
    });
  }
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

/** Copies on nodes that stand in do not make a level. */
function achievedOf({ achieved, asked, consistent }: Receipt): string {
  return consistent || achieved !== asked ? achieved : "stand-ins";
}

function endOf(call: OpenCall<KeyValueOutput>, isApplied: boolean, isUnknown: boolean) {
  const outcome = isApplied ? "applied" : isUnknown ? "unknown" : "not-applied";
  call.ended(outcome);
  return outcome;
}

function outputOf(result: GetResult<unknown>): KeyValueOutput {
  const version = result.version === undefined ? {} : { version: result.version };
  if (!result.found) return version;
  if (result.conflict) return { siblings: result.siblings, ...version };
  return { value: result.value, ...version };
}
