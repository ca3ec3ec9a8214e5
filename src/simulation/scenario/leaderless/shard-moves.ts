import { type ShardId, shardIdOf } from "../../../core/model/ids.ts";
import type { StoreEvent } from "../../../core/store/api.ts";
import type { SimNode } from "../../sim-node.ts";
import { Draw } from "../draw.ts";
import { ShardMover } from "../shard-mover.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";

/** In this share of the seeds shards are moved while the seed runs. */
const SEEDS = 0.5;
const MOST_MOVES = 4;
/** Faults come for at least as long. */
const WITHIN_MS = 55_000;
/** Of the moves, this share asks for another number of replicas. */
const RESIZE_SHARE = 0.25;
const FEWEST_REPLICAS = 2;
const MOST_REPLICAS = 5;
/** Once all is whole, those that hold a shard no longer have handed over what they have by then. */
const LEAVING_MS = 120_000;

/** Rare states that it reaches. */
export const MOVES_SOMETIMES: readonly string[] = Object.freeze([
  "a leaderless shard was moved",
  "a move of a leaderless shard ended unknown",
]);

/** What `describe()` says of one shard at one node. */
interface ShardDescription {
  readonly state?: string;
  readonly place?: { readonly ready?: boolean };
}

/**
 * Whether the copy of a node that holds the shard, or may be about to, counts for good: one that is
 * being given the shard does once it has been streamed.
 */
export function isWholeCopy({ state, place }: ShardDescription, isAllOpen: boolean): boolean {
  if (!isAllOpen) return false;
  return state === "serving" || (state === "joining" && place?.ready === true);
}

/**
 * Somebody who moves shards of a leaderless keyspace a few times, in half of the seeds, at moments and
 * to nodes that come from a stream of its own: the other seeds are what they were.
 */
export class ShardMoves {
  readonly violations: Violation[] = [];
  readonly #scene: KeyspaceScene;
  readonly #draw: Draw;
  readonly #nodes: readonly string[];
  readonly #mover: ShardMover;
  readonly #counts = new Map<string, number>();
  /** By shard: epochs at which some replica has learned of a switch. */
  readonly #switches = new Map<number, Set<number>>();
  readonly #isOn: boolean;
  #isBegun = false;
  #isStopped = false;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    this.#draw = new Draw(scene.world.random(`${scene.plan.name}/moves`));
    this.#nodes = scene.world.nodes.map(({ id }) => id);
    this.#isOn = this.#draw.chance(SEEDS) && this.#nodes.length > FEWEST_REPLICAS;
    this.#mover = new ShardMover({
      scene,
      records: {
        violate: (check, message) => this.violations.push({ check, message }),
        count: (name) => this.#count(name),
      },
      draw: this.#draw,
      counted: MOVES_SOMETIMES[0] as string,
      drawGoal: (current) => this.#drawGoal(current),
    });
  }

  /** With the first operation. */
  begin(): void {
    if (!this.#isOn || this.#isBegun) return;
    this.#isBegun = true;
    const moves = this.#draw.whole(1, MOST_MOVES);
    const atMs = Array.from({ length: moves }, () => this.#draw.between(0, WITHIN_MS));
    void this.#run(atMs.sort((a, b) => a - b));
  }

  onEvent({ type, keyspace, shard, stage, epoch }: StoreEvent): void {
    if (type !== "shard-placed" || keyspace !== this.#scene.plan.name) return;
    if (stage !== "switching") return;
    const epochs = this.#switches.get(shard as number) ?? new Set();
    this.#switches.set(shard as number, epochs.add(epoch as number));
  }

  /** Epochs of the switches that the shard has seen. */
  switchesOf(shard: number): readonly number[] {
    return [...(this.#switches.get(shard) ?? [])];
  }

  /** None is begun any more; one that is under way goes on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Runs the world. */
  settle(): Promise<void> {
    return this.#mover.settle();
  }

  /** Whoever holds a shard no longer has given up its copy. Runs the world. */
  async demandLeft(): Promise<void> {
    if (!this.#isBegun) return;
    const { driver } = this.#scene.world;
    if (await driver.runWhile(() => this.#left().length > 0, LEAVING_MS)) return;
    const message = `in the end copies are left at nodes that hold them no longer: ${this.#left().join(", ")}`;
    this.violations.push({ check: "left-copy", message });
  }

  sometimes(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** Copies beside those that the shard is placed at. */
  #left(): readonly string[] {
    const { world, keyspace } = this.#scene;
    const { hash, shards } = keyspace.keyspace;
    return world.nodes.flatMap(({ id, disk }) =>
      Array.from({ length: shards }, (_, shard) => shard)
        .filter((shard) => !keyspace.decidersOf(shard).some((nodes) => nodes.includes(id)))
        .filter((shard) => holdsAny(disk, shardIdOf(hash, shard)))
        .map((shard) => `${shard} at ${id}`),
    );
  }

  async #run(atMs: readonly number[]): Promise<void> {
    const { world, keyspace } = this.#scene;
    const beganMs = world.time.nowMs;
    for (const at of atMs) {
      const pauseMs = Math.max(0, beganMs + at - world.time.nowMs);
      await new Promise<void>((resolve) => {
        world.time.setTimer(pauseMs, resolve);
      });
      if (this.#isStopped) return;
      const running = world.running();
      if (running.length === 0) continue;
      await this.#mover.move(this.#draw.pick(running));
      const isOpen = keyspace.deciders.length > keyspace.keyspace.shards;
      if (isOpen) this.#count(MOVES_SOMETIMES[1] as string);
    }
  }

  /** One or more others; sometimes one replica more, or one fewer. */
  #drawGoal(current: readonly string[]): readonly string[] {
    const draw = this.#draw;
    const others = draw.shuffled(this.#nodes.filter((id) => !current.includes(id)));
    const most = Math.min(MOST_REPLICAS, this.#nodes.length);
    const sizes = [current.length - 1, current.length + 1].filter(
      (size) => size >= FEWEST_REPLICAS && size <= most,
    );
    const isResized = draw.chance(RESIZE_SHARE) || others.length === 0;
    const size = isResized ? draw.pick(sizes) : current.length;
    const kept = draw.shuffled(current);
    const least = size < current.length ? 0 : 1;
    const count = draw.whole(least, Math.max(least, Math.min(size, others.length)));
    return [...kept.slice(0, size - count), ...others.slice(0, count)];
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}

function holdsAny({ storage }: SimNode["disk"], shard: ShardId): boolean {
  const view = storage?.state.view(shard);
  if (view === undefined) return false;
  try {
    return view.range("data", undefined, undefined, 1).entries.length > 0;
  } finally {
    view.close();
  }
}
