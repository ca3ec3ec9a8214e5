import { isCapstanError } from "../../core/model/errors.ts";
import type { EmbeddedKeyspace, GetResult } from "../../core/store/api.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  type OpenCall,
} from "../../verification/index.ts";
import { Draw } from "../scenario/draw.ts";
import type { ScenarioPlan } from "../scenario/plan.ts";
import { NodeDownError, type SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
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
  readonly plan: ScenarioPlan;
  readonly groups: readonly KeyGroup[];
  /** Nodes that hold the version now, or something newer; none where nobody can tell. */
  readonly holdersOf: (key: string, version: string) => readonly string[];
}

/** Clients of one keyspace: each does one thing at a time, on whatever node is there. */
export class Clients {
  readonly acknowledged: Acknowledged[] = [];
  readonly increments = new Map<string, Increments>();
  /** How operations ended, by code; `ok` for those that were answered. */
  readonly tally: Record<string, number> = {};
  readonly #options: ClientsOptions;
  readonly #recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
  #isStopped = false;
  #begun = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#recorder = new HistoryRecorder({ now: () => options.world.time.nowMs });
  }

  get begun(): number {
    return this.#begun;
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
    const input: KeyValueInput = { type: "get", key };
    const call = this.#recorder.call({ client, node: node.id, level, input });
    try {
      const keyspace = this.#keyspaceOf(node);
      const result = await alive(node, keyspace.get(key, { consistency: level }));
      call.applied(outputOf(result), { achieved: result.receipt.achieved });
      this.#note("ok");
      return result;
    } catch (error) {
      this.#fault(error);
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
      this.#begun += 1;
      if (!draw.chance(plan.writeShare)) await this.read(client, node, key, group.pair);
      else if (group.workload === "counter") await this.#increment(client, draw, node, key, group);
      else {
        const value = draw.chance(DELETE_SHARE)
          ? undefined
          : this.#options.subject.values.valueAt(this.#begun);
        await this.#write(client, draw, node, key, { value, pair: group.pair });
      }
    }
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
    const level = pair.write;
    const call = this.#recorder.call({ client, node: node.id, level, input });
    let operationId: string | undefined;
    let isUnknown = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace = this.#keyspaceOf(node);
        const options = { consistency: level, ...(operationId && { operationId }) };
        const writing =
          value === undefined ? keyspace.delete(key, options) : keyspace.put(key, value, options);
        const { version, receipt } = await alive(node, writing);
        const holders = this.#options.holdersOf(key, version);
        const atMs = this.#options.world.time.nowMs;
        this.acknowledged.push({ key, version, atMs, holders });
        call.applied({ version }, { achieved: receipt.achieved });
        this.#note("ok");
        return "applied";
      } catch (error) {
        const fault = this.#fault(error);
        operationId = fault.operationId;
        isUnknown ||= fault.outcome === "unknown";
        const mayRetry = fault.outcome === "unknown" && operationId !== undefined;
        if (mayRetry && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        return endOf(call, fault.outcome === "applied", isUnknown);
      }
    }
  }

  #fault(error: unknown): { readonly outcome: string; readonly operationId: string | undefined } {
    if (error instanceof NodeDownError) {
      this.#note("down");
      return { outcome: "unknown", operationId: undefined };
    }
    if (!isCapstanError(error)) throw error;
    this.#note(error.code);
    return { outcome: error.outcome, operationId: error.operationId };
  }

  #note(code: string): void {
    this.tally[code] = (this.tally[code] ?? 0) + 1;
  }

  #keyspaceOf({ id, life }: SimNode): EmbeddedKeyspace {
    if (life?.store === undefined) throw new NodeDownError(`node ${id} is down`);
    return life.store.keyspace(this.#options.subject.keyspace.name);
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

/** What is asked of a process is never answered once it is gone. */
function alive<T>(node: SimNode, asked: Promise<T>): Promise<T> {
  const { life } = node;
  if (life === undefined) return Promise.reject(new NodeDownError(`node ${node.id} is down`));
  return Promise.race([life.died, asked]);
}
