import type { Draw } from "../draw.ts";
import { ShardMover } from "../shard-mover.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";
import type { RaftRecords } from "./raft-records.ts";

/** Between two moves; exponential. */
const MEAN_PAUSE_MS = 6_000;
/** Of the moves, this share asks for another number of replicas. */
const RESIZE_SHARE = 0.2;
const SIZES: readonly number[] = Object.freeze([3, 5]);

/**
 * Somebody who moves shards from nodes to nodes all the time, in every seed where a shard does not
 * lie on all nodes already, and on more than one.
 */
export class ReplicaMoves {
  readonly #scene: KeyspaceScene;
  readonly #draw: Draw;
  readonly #nodes: readonly string[];
  readonly #mover: ShardMover;
  /** Nothing is promised of them where a copy has counted. */
  readonly violations: Violation[] = [];
  #isBegun = false;
  #isStopped = false;

  constructor(scene: KeyspaceScene, records: RaftRecords, draw: Draw) {
    this.#scene = scene;
    this.#draw = draw;
    this.#nodes = scene.world.nodes.map(({ id }) => id);
    this.#mover = new ShardMover({
      ...{ scene, draw },
      records: {
        violate: (check, message) => this.violations.push({ check, message }),
        count: (name) => records.count(name),
      },
      counted: "a raft shard was moved",
      drawGoal: (current) => this.#drawGoal(current),
    });
  }

  begin(): void {
    const { replicas } = this.#scene.keyspace.keyspace;
    if (this.#isBegun || replicas === 1 || this.#nodes.length <= replicas) return;
    this.#isBegun = true;
    void this.#run();
  }

  /** None is begun any more; one that is under way goes on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Runs the world. */
  settle(): Promise<void> {
    return this.#mover.settle();
  }

  async #run(): Promise<void> {
    const { world } = this.#scene;
    for (;;) {
      await new Promise<void>((resolve) => {
        world.time.setTimer(this.#draw.exponential(MEAN_PAUSE_MS), resolve);
      });
      if (this.#isStopped) return;
      const running = world.running();
      if (running.length > 0) await this.#mover.move(this.#draw.pick(running));
    }
  }

  /** One or more others; sometimes more of them, or fewer. */
  #drawGoal(current: readonly string[]): readonly string[] {
    const others = this.#nodes.filter((id) => !current.includes(id));
    const sizes = SIZES.filter((size) => size <= this.#nodes.length && current.length >= 3);
    const isResized = sizes.length > 1 && this.#draw.chance(RESIZE_SHARE);
    const size = isResized ? this.#draw.pick(sizes) : current.length;
    const joining = this.#draw.shuffled(others);
    const least = Math.max(1, size - current.length);
    const count = this.#draw.whole(least, Math.max(least, Math.min(size, joining.length)));
    const added = joining.slice(0, count);
    return [...this.#draw.shuffled(current).slice(0, size - added.length), ...added];
  }
}
