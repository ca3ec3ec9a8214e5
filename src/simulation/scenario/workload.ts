import { isCapstanError } from "../../core/model/errors.ts";
import type { EmbeddedKeyspace, Written } from "../../core/store/api.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  type OpenCall,
} from "../../verification/index.ts";
import { NodeDownError, type SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import { TRACE } from "../trace.ts";
import { Draw } from "./draw.ts";
import { GROUPS, type KeyGroup } from "./groups.ts";
import { KEYSPACE, type ScenarioPlan } from "./plan.ts";

/** Of the writes whose outcome is unknown, this share is tried again under the same id. */
const RETRY_SHARE = 0.5;
const MAX_TRIES = 3;
/** How far the calls of one burst lie apart, on average, in milliseconds. */
const BURST_MS = 3;
const DELETE_SHARE = 0.08;
/** Of the writes, this share asks for an id first. */
const OWN_ID_SHARE = 0.2;

/** A write that was answered as done. */
export interface Acknowledged {
  readonly key: string;
  readonly version: string;
  readonly atMs: number;
  /** Nodes that held it, or something newer, in their state at that moment. */
  readonly holders: readonly string[];
}

/** How an operation ended: `down` if the process was gone before it answered. */
export type Ending = "ok" | "fault" | "down";

interface Fault {
  readonly code: string;
  readonly outcome: string;
  readonly operationId: string | undefined;
}

/** Clients that write values that are written once, and read them, through whatever node is there. */
export class Workload {
  readonly acknowledged: Acknowledged[] = [];
  /** What became of the operations, by code. */
  readonly tally: Record<string, number> = {};
  /** Values of writes that were said to have had no effect. */
  readonly refused = new Set<string>();
  /** Values of writes that ended unknown. */
  readonly unknown = new Set<string>();
  readonly #world: SimWorld;
  readonly #plan: ScenarioPlan;
  readonly #recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
  readonly #holdersOf: (key: string, version: string) => readonly string[];
  #nodes: readonly string[];
  #isStopped = false;
  #begun = 0;
  #pending = 0;

  constructor(
    world: SimWorld,
    plan: ScenarioPlan,
    holdersOf: (key: string, version: string) => readonly string[],
  ) {
    this.#world = world;
    this.#plan = plan;
    this.#holdersOf = holdersOf;
    this.#nodes = world.nodes.map(({ id }) => id);
    this.#recorder = new HistoryRecorder({ now: () => world.time.nowMs });
  }

  get begun(): number {
    return this.#begun;
  }

  get pending(): number {
    return this.#pending;
  }

  history(): readonly KeyValueOperation[] {
    return this.#recorder.operations();
  }

  /** From now on clients ask these nodes only. */
  confineTo(nodes: readonly string[]): void {
    this.#nodes = nodes;
  }

  /** Settles once every client has heard of its last operation, after `stop`. */
  async run(): Promise<void> {
    await Promise.all(
      Array.from({ length: this.#plan.clients }, (_, number) => this.#client(number)),
    );
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** One operation on a node of the caller's choice. */
  async once(client: string, draw: Draw, node: SimNode): Promise<Ending> {
    const group = drawGroup(draw);
    const key = `${group.name}/${draw.whole(1, this.#plan.keysPerGroup)}`;
    this.#begun += 1;
    this.#pending += 1;
    try {
      return draw.chance(this.#plan.writeShare)
        ? await this.#write(client, draw, node, group, key)
        : await this.read(client, node, group, key);
    } finally {
      this.#pending -= 1;
    }
  }

  async read(client: string, node: SimNode, group: KeyGroup, key: string): Promise<Ending> {
    const input: KeyValueInput = { type: "get", key };
    const call = this.#recorder.call({ client, node: node.id, level: group.read, input });
    try {
      const reading = keyspaceOf(node).get(key, { consistency: group.read });
      const result = await alive(node, reading);
      const value = result.found && !result.conflict ? (result.value as string) : undefined;
      this.#note(client, key, value ?? "-", "ok");
      const { version } = result;
      const output = { value, ...(version !== undefined && { version }) };
      call.applied(output, { achieved: result.receipt.achieved });
      return "ok";
    } catch (error) {
      const { code } = this.#fault(client, key, error);
      call.notApplied();
      return code === "down" ? "down" : "fault";
    }
  }

  async #client(number: number): Promise<void> {
    const draw = new Draw(this.#world.random(`client/${number}`));
    while (!this.#isStopped) {
      await this.#pause(this.#thinkMs(draw));
      const node = this.#drawNode(draw);
      if (node !== undefined && !this.#isStopped) await this.once(`c${number}`, draw, node);
    }
  }

  #thinkMs(draw: Draw): number {
    const { meanThinkMs, inBursts } = this.#plan;
    if (!inBursts) return draw.exponential(meanThinkMs);
    const toNextMs = meanThinkMs - (this.#world.time.nowMs % meanThinkMs);
    return toNextMs + draw.exponential(BURST_MS);
  }

  #drawNode(draw: Draw): SimNode | undefined {
    const running = this.#world.running().filter(({ id }) => this.#nodes.includes(id));
    return running.length === 0 ? undefined : draw.pick(running);
  }

  async #write(
    client: string,
    draw: Draw,
    node: SimNode,
    group: KeyGroup,
    key: string,
  ): Promise<Ending> {
    const value = draw.chance(DELETE_SHARE) ? undefined : `v${this.#begun}`;
    const input: KeyValueInput =
      value === undefined ? { type: "delete", key } : { type: "put", key, value };
    const call = this.#recorder.call({ client, node: node.id, level: group.write, input });
    let operationId: string | undefined;
    let isUnknown = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace = keyspaceOf(node);
        if (tries === 1 && draw.chance(OWN_ID_SHARE)) {
          operationId = await alive(node, keyspace.operationId());
        }
        const options = { consistency: group.write, ...(operationId && { operationId }) };
        const writing =
          value === undefined ? keyspace.delete(key, options) : keyspace.put(key, value, options);
        const written = await alive(node, writing);
        this.#note(client, key, value ?? "-", "ok");
        this.#acknowledge(key, written);
        call.applied({ version: written.version }, { achieved: written.receipt.achieved });
        return "ok";
      } catch (error) {
        const fault = this.#fault(client, key, error);
        operationId = fault.operationId;
        isUnknown ||= fault.outcome === "unknown";
        const goesOn = fault.outcome === "unknown" && operationId !== undefined;
        if (goesOn && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        this.#end(call, fault.outcome === "applied" ? "applied" : isUnknown, value);
        return fault.code === "down" ? "down" : "fault";
      }
    }
  }

  #acknowledge(key: string, { version }: Written): void {
    const holders = this.#holdersOf(key, version);
    this.acknowledged.push({ key, version, atMs: this.#world.time.nowMs, holders });
  }

  #end(call: OpenCall<KeyValueOutput>, how: "applied" | boolean, value: string | undefined): void {
    if (how === "applied") call.applied();
    else if (how) {
      call.unknown();
      if (value !== undefined) this.unknown.add(value);
    } else {
      call.notApplied();
      if (value !== undefined) this.refused.add(value);
    }
  }

  #fault(client: string, key: string, error: unknown): Fault {
    if (error instanceof NodeDownError) {
      this.#note(client, key, "?", "down");
      return { code: "down", outcome: "unknown", operationId: undefined };
    }
    if (!isCapstanError(error)) throw error;
    const { code, outcome, operationId } = error;
    this.#note(client, key, "!", `${code}/${outcome}`);
    return { code, outcome, operationId };
  }

  #note(client: string, key: string, what: string, code: string): void {
    this.tally[code] = (this.tally[code] ?? 0) + 1;
    const text = `${client} ${key} ${what} ${code}`;
    this.#world.trace.noteText(TRACE.answer, this.#world.time.nowMs, text);
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.time.setTimer(durationMs, resolve);
    });
  }
}

function drawGroup(draw: Draw): KeyGroup {
  let left = draw.between(0, 1);
  for (const group of GROUPS) {
    left -= group.share;
    if (left < 0) return group;
  }
  return GROUPS[0] as KeyGroup;
}

function keyspaceOf(node: SimNode): EmbeddedKeyspace {
  const store = node.life?.store;
  if (store === undefined) throw new NodeDownError(`node ${node.id} is down`);
  return store.keyspace(KEYSPACE);
}

/** What is asked of a process is never answered once it is gone. */
function alive<T>(node: SimNode, asked: Promise<T>): Promise<T> {
  const { life } = node;
  if (life === undefined) return Promise.reject(new NodeDownError(`node ${node.id} is down`));
  return Promise.race([life.died, asked]);
}
