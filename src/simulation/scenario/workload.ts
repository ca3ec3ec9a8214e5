import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import type { ClientCalls, Ending } from "./client-calls.ts";
import { Draw } from "./draw.ts";
import type { ScenarioPlan } from "./plan.ts";
import type { KeyspaceRun } from "./strategy-scenario.ts";

/** How far the calls of one burst lie apart, on average, in milliseconds. */
const BURST_MS = 3;

/** Clients that ask, one operation after the other, through whatever node is there. */
export class Workload {
  readonly #world: SimWorld;
  readonly #plan: ScenarioPlan;
  readonly #calls: ClientCalls;
  readonly #runs: readonly KeyspaceRun[];
  #nodes: readonly string[];
  #isStopped = false;

  constructor(
    world: SimWorld,
    plan: ScenarioPlan,
    calls: ClientCalls,
    runs: readonly KeyspaceRun[],
  ) {
    this.#world = world;
    this.#plan = plan;
    this.#calls = calls;
    this.#runs = runs;
    this.#nodes = world.nodes.map(({ id }) => id);
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

  /** One operation on a node of the caller's choice, in a keyspace that is drawn. */
  once(client: string, draw: Draw, node: SimNode): Promise<Ending> {
    const run = this.#runs.length === 1 ? this.#runs[0] : draw.pick(this.#runs);
    const another = (): SimNode | undefined => this.#drawNode(draw);
    return this.#calls.count(() => (run as KeyspaceRun).operate(client, draw, node, another));
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

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.time.setTimer(durationMs, resolve);
    });
  }
}
