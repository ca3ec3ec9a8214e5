import type { SimNode } from "../../sim-node.ts";
import type { Draw } from "../draw.ts";
import type { KeyspaceScene } from "../strategy-scenario.ts";
import type { RaftRecords } from "./raft-records.ts";

/** Between two moves; exponential. */
const MEAN_PAUSE_MS = 6_000;
const TIMEOUT_MS: readonly [number, number] = Object.freeze([500, 20_000] as const);
/** Of the moves, this share asks for another number of replicas. */
const RESIZE_SHARE = 0.2;
const SIZES: readonly number[] = Object.freeze([3, 5]);
/** While nobody knows who decides, the newest set is asked for again, or the oldest. */
const BACK_SHARE = 0.3;
/** Once nothing is broken a move has to come to its end by then. */
const SETTLING_MS = 120_000;
const BETWEEN_TRIES_MS = 500;

type Outcome = "done" | "not-applied" | "unknown";

/**
 * Somebody who moves shards from nodes to nodes all the time, in every seed where a shard does not
 * lie on all nodes already, and on more than one. What is known of who decides is told to the topology.
 */
export class ReplicaMoves {
  readonly #scene: KeyspaceScene;
  readonly #records: RaftRecords;
  readonly #draw: Draw;
  readonly #nodes: readonly string[];
  #isBegun = false;
  #isStopped = false;

  constructor(scene: KeyspaceScene, records: RaftRecords, draw: Draw) {
    this.#scene = scene;
    this.#records = records;
    this.#draw = draw;
    this.#nodes = scene.world.nodes.map(({ id }) => id);
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

  /** Asks for the newest set of each shard of which nobody knows who decides. Runs the world. */
  async settle(): Promise<void> {
    const { keyspace, world } = this.#scene;
    const untilMs = world.time.nowMs + SETTLING_MS;
    for (let shard = 0; shard < keyspace.keyspace.shards; shard += 1) {
      const asked = { count: 0 };
      while (keyspace.decidersOf(shard).length > 1 && world.time.nowMs < untilMs) {
        const node = world.nodes[asked.count % world.nodes.length] as SimNode;
        asked.count += 1;
        const sets = keyspace.decidersOf(shard);
        // The one that is under way, if any is, can be told by no other sign.
        const goal = sets[(sets.length - asked.count) % sets.length] ?? sets.at(-1);
        await world.driver.until(this.#ask(node, shard, goal as readonly string[], 15_000), 60_000);
        await world.driver.run(BETWEEN_TRIES_MS);
      }
      if (keyspace.decidersOf(shard).length === 1) continue;
      const sets = keyspace.decidersOf(shard).map((nodes) => nodes.join("+"));
      this.#records.violate("liveness", `shard ${shard} cannot be moved to ${sets.join(" or ")}`);
    }
  }

  async #run(): Promise<void> {
    const { world } = this.#scene;
    for (;;) {
      await new Promise<void>((resolve) => {
        world.time.setTimer(this.#draw.exponential(MEAN_PAUSE_MS), resolve);
      });
      if (this.#isStopped) return;
      const running = world.running();
      if (running.length > 0) await this.#move(this.#draw.pick(running));
    }
  }

  async #move(node: SimNode): Promise<void> {
    const { keyspace } = this.#scene;
    const shard = this.#draw.whole(0, keyspace.keyspace.shards - 1);
    const sets = keyspace.decidersOf(shard);
    const timeoutMs = Math.round(this.#draw.magnitude(...TIMEOUT_MS));
    if (sets.length > 1) {
      const goal = this.#draw.chance(BACK_SHARE) ? sets[0] : sets.at(-1);
      await this.#ask(node, shard, goal as readonly string[], timeoutMs);
      return;
    }
    const goal = this.#drawGoal(sets[0] as readonly string[]);
    keyspace.mayMoveTo(shard, goal);
    const outcome = await this.#ask(node, shard, goal, timeoutMs);
    if (outcome === "not-applied") keyspace.hasNotMovedTo(shard, goal);
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

  async #ask(
    node: SimNode,
    shard: number,
    goal: readonly string[],
    timeoutMs: number,
  ): Promise<Outcome> {
    const { calls, keyspace, plan } = this.#scene;
    const { store } = node.life ?? {};
    if (store === undefined) return "not-applied";
    try {
      const change = { keyspace: plan.name, shard, replicas: goal };
      const asking = store.admin.changeReplicas(change, { timeoutMs });
      const { replicas } = await calls.alive(node, asking);
      if (!isSame(replicas, goal)) {
        const told = `${replicas.join("+")} instead of ${goal.join("+")}`;
        this.#records.violate("members", `shard ${shard} was moved to ${told}`);
      }
      keyspace.hasMovedTo(shard, goal);
      this.#records.count("a raft shard was moved");
      return "done";
    } catch (error) {
      const { outcome } = calls.noteFault("mover", `shard ${shard}`, error);
      return outcome === "not-applied" ? "not-applied" : "unknown";
    }
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((id) => others.includes(id));
}
