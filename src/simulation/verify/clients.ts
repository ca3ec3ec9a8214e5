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
import { type LevelPair, nameOfPair } from "./promised-checks.ts";
import type { Subject } from "./subject.ts";

const RETRY_SHARE = 0.5;
const MAX_TRIES = 3;
const DELETE_SHARE = 0.06;
/** How far the calls of one burst lie apart, on average, in milliseconds. */
const BURST_MS = 3;

/** `register`: values that are written and read. `counter`: one is read, and written plus one. */
export type Workload = "register" | "counter";

/** Keys of their own, used at one pair of levels in one way. */
export interface KeyGroup {
  readonly name: string;
  readonly pair: LevelPair;
  readonly workload: Workload;
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
  unknown: number;
}

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
      call.applied(outputOf(result), { achieved: result.receipt.achieved });
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
        if (draw.chance(plan.writeShare)) await this.#change(client, draw, node, key, group);
        else await this.read(client, node, key, group.pair);
        return "ok";
      });
    }
  }

  async #change(client: string, draw: Draw, node: SimNode, key: string, group: KeyGroup) {
    if (group.workload === "counter") return this.#increment(client, draw, node, key, group);
    const { subject, calls } = this.#options;
    const value = draw.chance(DELETE_SHARE) ? undefined : subject.values.valueAt(calls.begun);
    await this.#write(client, draw, node, key, { value, pair: group.pair });
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
    const counts = this.increments.get(key) ?? { acknowledged: 0, unknown: 0 };
    this.increments.set(key, counts);
    const outcome = await this.#write(client, draw, node, key, { value: before + 1, pair });
    if (outcome === "applied") counts.acknowledged += 1;
    if (outcome === "unknown") counts.unknown += 1;
  }

  async #write(
    client: string,
    draw: Draw,
    node: SimNode,
    key: string,
    { value, pair }: { readonly value: unknown; readonly pair: LevelPair },
  ): Promise<"applied" | "not-applied" | "unknown"> {
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
        const options = { consistency: level, ...(operationId && { operationId }) };
        const writing =
          value === undefined ? keyspace.delete(key, options) : keyspace.put(key, value, options);
        const { version, receipt } = await calls.alive(node, writing);
        const holders = holdersOf(world, topology, { key, version });
        const atMs = world.time.nowMs;
        this.acknowledged.push({ key, version, atMs, holders });
        call.applied({ version }, { achieved: receipt.achieved });
        calls.noteOk(client, key, version);
        return "applied";
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
  workload: Workload,
  keysEach: number,
): readonly KeyGroup[] {
  return pairs.map((pair) => {
    const name = nameOfPair(pair);
    const prefix = workload === "counter" ? `count/${name}` : name;
    const keys = Array.from({ length: keysEach }, (_, at) => `${prefix}/${at + 1}`);
    return { name, pair, workload, keys };
  });
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
