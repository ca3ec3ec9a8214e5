import { isCapstanError } from "../../core/model/errors.ts";
import { NodeDownError, type NodeLife, type SimNode } from "../sim-node.ts";
import type { CrashOptions, SimWorld } from "../sim-world.ts";

/** How long a process supervisor waits before it starts what has failed. */
const RESTART_MS = 500;

/** Whoever looks after the processes: starts what is down, unless a fault holds it down. */
export class Operator {
  readonly #world: SimWorld;
  readonly #held = new Map<string, number>();
  /** Starts that failed, by the code of their error. */
  readonly failedStarts: Record<string, number> = {};
  /** Nodes whose start found that their data has to be given up. */
  readonly disowned = new Set<string>();
  /** What a start failed with that no fault explains. */
  readonly surprises: string[] = [];
  #isStopped = false;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /** Called now and then. */
  watch(): void {
    if (this.#isStopped) return;
    for (const node of this.#world.nodes) {
      const { life } = node;
      if (life !== undefined && hasFailed(life)) {
        this.#world.crash(node.id);
      } else if (life === undefined && !this.isHeld(node.id)) {
        this.#start(node);
      }
    }
    this.#world.time.setTimer(RESTART_MS, () => this.watch());
  }

  stop(): void {
    this.#isStopped = true;
  }

  isHeld(id: string): boolean {
    return (this.#held.get(id) ?? 0) > 0;
  }

  /** The process ends, and stays away until `letGo`. */
  holdDown(id: string, options: CrashOptions): void {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    if (this.#world.node(id).life !== undefined) this.#world.crash(id, options);
  }

  letGo(id: string): void {
    const held = (this.#held.get(id) ?? 0) - 1;
    this.#held.set(id, Math.max(0, held));
    const node = this.#world.node(id);
    if (held <= 0 && node.life === undefined) this.#start(node);
  }

  letGoOfAll(): void {
    for (const id of this.#held.keys())
      if (this.isHeld(id)) {
        this.#held.set(id, 1);
        this.letGo(id);
      }
  }

  #start(node: SimNode): void {
    this.#world.start(node.id).catch((error: unknown) => {
      if (error instanceof NodeDownError) return;
      const code = isCapstanError(error) ? error.code : "?";
      this.failedStarts[code] = (this.failedStarts[code] ?? 0) + 1;
      if (code === "DATA_DISOWNED") this.disowned.add(node.id);
      if (!EXPLAINED.includes(code)) {
        this.surprises.push(`node ${node.id} did not start: ${String((error as Error).stack)}`);
      }
      // Its process has ended with the error.
      if (node.life !== undefined && node.life.store === undefined) this.#world.crash(node.id);
    });
  }
}

/** `describe` looks at every shard, and is asked only until the store is known to be ready. */
function hasFailed(life: NodeLife): boolean {
  if (life.store === undefined) return false;
  if (life.wasReady) return life.hasFailed;
  const { state } = life.store.describe();
  life.wasReady = state === "ready";
  return state === "failed";
}

/** A disk that is full or fails, and data of which the peers know a later start. */
const EXPLAINED: readonly string[] = Object.freeze(["STORE_FAILED", "DATA_DISOWNED"]);
