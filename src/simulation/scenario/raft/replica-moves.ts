import type { Draw } from "../draw.ts";
import { ShardMover } from "../shard-mover.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";
import { drawGoal } from "./draw-goal.ts";
import type { RaftRecords } from "./raft-records.ts";

/** Between two moves; exponential. */
const MEAN_PAUSE_MS = 6_000;
/** The same while a shard is small: none of the few that hold it may lose anything as long. */
const MEAN_PAUSE_WHILE_SMALL_MS = 1_500;
/** So few that none of them may be lost, for good or for a while. */
const SMALL = 2;
/** Shards are made as small as that in every second stretch of this length: in the others faults may come. */
const STRETCH_MS = 20_000;
/** Of the moves while a shard is small in such a stretch, this share is of one that is. */
const SMALL_SHARE = 0.8;
/** Of the moves, this share waits for somebody to be down. */
const WHILE_DOWN_SHARE = 0.3;
const LONGEST_WAIT_MS = 5_000;
const LOOK_EVERY_MS = 100;

/** Rare states that moves have to come to in a long run. */
export const MOVES_SOMETIMES: readonly string[] = Object.freeze([
  "a raft shard was moved",
  "a raft shard was held by one node or two",
  "a raft shard was to be moved onto a node that was down",
  "a raft shard was to be moved away from a node that was down",
]);

/** Somebody who moves shards from nodes to nodes all the time, where there is more than one node. */
export class ReplicaMoves {
  readonly #scene: KeyspaceScene;
  readonly #draw: Draw;
  readonly #nodes: readonly string[];
  readonly #records: RaftRecords;
  readonly #mover: ShardMover;
  /** Nothing is promised of them where a copy has counted. */
  readonly violations: Violation[] = [];
  /** Which of the stretches. */
  readonly #smallAt: number;
  #isBegun = false;
  #isStopped = false;

  constructor(scene: KeyspaceScene, records: RaftRecords, draw: Draw) {
    this.#scene = scene;
    this.#draw = draw;
    this.#smallAt = draw.whole(0, 1);
    this.#records = records;
    this.#nodes = scene.world.nodes.map(({ id }) => id);
    this.#mover = new ShardMover({
      ...{ scene, draw },
      records: {
        violate: (check, message) => this.violations.push({ check, message }),
        count: (name) => records.count(name),
      },
      counted: "a raft shard was moved",
      drawShard: () => this.#drawShard(),
      drawGoal: (current) => this.#drawGoal(current),
      onMoved: (goal) => {
        if (goal.length <= SMALL) records.count("a raft shard was held by one node or two");
      },
    });
  }

  /** Whether some move has come to its end; also where none may come. */
  get hasMoved(): boolean {
    return !this.#mayMove || this.#records.countOf("a raft shard was moved") > 0;
  }

  begin(): void {
    if (this.#isBegun || !this.#mayMove) return;
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

  /** A shard that has been placed at one node alone is not moved. */
  get #mayMove(): boolean {
    return this.#scene.keyspace.keyspace.replicas > 1 && this.#nodes.length > 1;
  }

  async #run(): Promise<void> {
    const { world } = this.#scene;
    for (;;) {
      const isSmall = this.#small().length > 0;
      await this.#pass(this.#draw.exponential(isSmall ? MEAN_PAUSE_WHILE_SMALL_MS : MEAN_PAUSE_MS));
      if (this.#draw.chance(WHILE_DOWN_SHARE)) await this.#someoneDown();
      if (this.#isStopped) return;
      const running = world.running();
      if (running.length > 0) await this.#mover.move(this.#draw.pick(running));
    }
  }

  async #someoneDown(): Promise<void> {
    const { time } = this.#scene.world;
    const untilMs = time.nowMs + LONGEST_WAIT_MS;
    while (this.#down().length === 0 && time.nowMs < untilMs) await this.#pass(LOOK_EVERY_MS);
  }

  #pass(durationMs: number): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#scene.world.time.setTimer(durationMs, resolve);
    });
  }

  #down(): readonly string[] {
    return this.#scene.world.nodes.filter(({ life }) => life === undefined).map(({ id }) => id);
  }

  /** Shards that so few hold, or may come to hold. */
  #small(): readonly number[] {
    const { keyspace } = this.#scene;
    return Array.from({ length: keyspace.keyspace.shards }, (_, shard) => shard).filter((shard) =>
      keyspace.decidersOf(shard).some(({ length }) => length <= SMALL),
    );
  }

  get #mayBeSmall(): boolean {
    return Math.floor(this.#scene.world.time.nowMs / STRETCH_MS) % 2 === this.#smallAt;
  }

  #drawShard(): number {
    const small = this.#small();
    const isSmall = this.#draw.chance(SMALL_SHARE) || !this.#mayBeSmall;
    if (small.length > 0 && isSmall) return this.#draw.pick(small);
    return this.#draw.whole(0, this.#scene.keyspace.keyspace.shards - 1);
  }

  #drawGoal(current: readonly string[]): readonly string[] | undefined {
    const { topology, keyspace } = this.#scene;
    const down = this.#down();
    const fewest = this.#mayBeSmall ? 1 : Math.min(SMALL + 1, this.#nodes.length);
    const goal = drawGoal(this.#draw, { nodes: this.#nodes, current, down, fewest });
    if (goal === undefined) return undefined;
    // Who joins proves itself first; of those who stay so many have to have what they had.
    const lost = topology.weak();
    const missing = goal.filter((id) => current.includes(id) && lost.has(id));
    if (missing.length > keyspace.bearableLosses(goal.length)) return undefined;
    const isOnto = goal.some((id) => down.includes(id) && !current.includes(id));
    const isAway = current.some((id) => down.includes(id) && !goal.includes(id));
    if (isOnto) this.#records.count("a raft shard was to be moved onto a node that was down");
    if (isAway) this.#records.count("a raft shard was to be moved away from a node that was down");
    return goal;
  }
}
