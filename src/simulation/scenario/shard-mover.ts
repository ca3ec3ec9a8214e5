import type { ShardMembers } from "../../core/store/api.ts";
import type { SimNode } from "../sim-node.ts";
import type { Draw } from "./draw.ts";
import type { KeyspaceScene } from "./strategy-scenario.ts";

const TIMEOUT_MS: readonly [number, number] = Object.freeze([500, 20_000] as const);
/** While nobody knows who decides, the newest set is asked for again, or the oldest. */
const BACK_SHARE = 0.3;
/** Once nothing is broken a move has to come to its end by then. */
const SETTLING_MS = 120_000;
const BETWEEN_TRIES_MS = 500;

/** What is written down of moves. */
export interface MoveRecords {
  violate(check: string, message: string): void;
  /** A rare state was reached. */
  count(name: string): void;
}

export interface ShardMoverOptions {
  readonly scene: KeyspaceScene;
  readonly records: MoveRecords;
  readonly draw: Draw;
  /** What a move that was answered as done is counted as. */
  readonly counted: string;
  /** Other nodes than `current`, the ones that hold the shard; undefined: it stays where it is. */
  readonly drawGoal: (current: readonly string[]) => readonly string[] | undefined;
  /** Default: any. */
  readonly drawShard?: () => number;
  /** Told of a move that was answered as done. */
  readonly onMoved?: (goal: readonly string[]) => void;
}

type Outcome = "done" | "not-applied" | "unknown";

/** Asks nodes for moves of shards. What is known of who decides then is told to the topology. */
export class ShardMover {
  readonly #options: ShardMoverOptions;
  /** Questions that are not answered yet. */
  #asked = 0;

  constructor(options: ShardMoverOptions) {
    this.#options = options;
  }

  /** One move of some shard; where nobody knows what became of the last one, that one again. */
  async move(node: SimNode): Promise<void> {
    const { scene, draw } = this.#options;
    const { keyspace } = scene;
    const drawShard =
      this.#options.drawShard ?? (() => draw.whole(0, keyspace.keyspace.shards - 1));
    const shard = drawShard();
    const sets = keyspace.decidersOf(shard);
    const timeoutMs = Math.round(draw.magnitude(...TIMEOUT_MS));
    if (sets.length > 1) {
      const goal = draw.chance(BACK_SHARE) ? sets[0] : sets.at(-1);
      await this.#ask(node, shard, goal as readonly string[], timeoutMs);
      return;
    }
    const goal = this.#options.drawGoal(sets[0] as readonly string[]);
    if (goal === undefined) return;
    keyspace.mayMoveTo(shard, goal);
    const outcome = await this.#ask(node, shard, goal, timeoutMs);
    if (outcome === "not-applied") keyspace.hasNotMovedTo(shard, goal);
  }

  /** Asks for the newest set of each shard of which nobody knows who decides. Runs the world. */
  async settle(): Promise<void> {
    const { scene, records } = this.#options;
    const { keyspace, world } = scene;
    // What was asked for before may still be done, also after what is asked for now.
    await world.driver.runWhile(() => this.#asked > 0, SETTLING_MS);
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
      records.violate("liveness", `shard ${shard} cannot be moved to ${sets.join(" or ")}`);
    }
    for (let shard = 0; shard < keyspace.keyspace.shards; shard += 1) {
      const sets = keyspace.decidersOf(shard);
      if (keyspace.wasMoved(shard) && sets.length === 1) await this.#demandHeld(shard, sets[0]);
    }
  }

  /**
   * What was answered as done stands: no change that was given up before is made, or under way. Where
   * one of the nodes has lost its store, its new one takes the place by a change to the same nodes,
   * which nobody asked for: that is under way, at times, and has to end. Runs the world.
   */
  async #demandHeld(shard: number, nodes: readonly string[] = []): Promise<void> {
    const { scene, records } = this.#options;
    const { world } = scene;
    const untilMs = world.time.nowMs + SETTLING_MS;
    for (;;) {
      const told = await this.#membersOf(shard);
      if (told === undefined) return;
      const { replicas, changingTo } = told;
      const isHeld = isSame(replicas, nodes);
      if (isHeld && changingTo === undefined) return;
      const isMending = isHeld && isSame(changingTo ?? [], nodes);
      if (!isMending || world.time.nowMs >= untilMs) {
        const goal = changingTo === undefined ? "" : `, on its way to ${changingTo.join("+")}`;
        const message = `shard ${shard} was moved to ${nodes.join("+")}, and is at ${replicas.join("+")}${goal}`;
        records.violate("members", message);
        return;
      }
      await world.driver.run(BETWEEN_TRIES_MS);
    }
  }

  /** As the first node says that can; undefined where none could. */
  async #membersOf(shard: number): Promise<ShardMembers | undefined> {
    const { world } = this.#options.scene;
    for (const node of world.running()) {
      const told = await world.driver.until(this.#membersAt(node, shard), 60_000);
      if (told !== undefined) return told;
    }
    return undefined;
  }

  /** Undefined where nobody could say. */
  async #membersAt(node: SimNode, shard: number): Promise<ShardMembers | undefined> {
    const { calls, plan } = this.#options.scene;
    const { store } = node.life ?? {};
    if (store === undefined) return undefined;
    try {
      const asking = store.admin.members({ keyspace: plan.name, shard }, { timeoutMs: 10_000 });
      return await calls.alive(node, asking);
    } catch (error) {
      calls.noteFault("mover", `shard ${shard}`, error);
      return undefined;
    }
  }

  async #ask(
    node: SimNode,
    shard: number,
    goal: readonly string[],
    timeoutMs: number,
  ): Promise<Outcome> {
    const { scene, records, counted } = this.#options;
    const { calls, keyspace, plan } = scene;
    const { store } = node.life ?? {};
    if (store === undefined) return "not-applied";
    this.#asked += 1;
    try {
      const change = { keyspace: plan.name, shard, replicas: goal };
      const asking = store.admin.changeReplicas(change, { timeoutMs });
      const { replicas } = await calls.alive(node, asking);
      if (!isSame(replicas, goal)) {
        const told = `${replicas.join("+")} instead of ${goal.join("+")}`;
        records.violate("members", `shard ${shard} was moved to ${told}`);
      }
      keyspace.hasMovedTo(shard, goal);
      records.count(counted);
      this.#options.onMoved?.(goal);
      return "done";
    } catch (error) {
      const { outcome } = calls.noteFault("mover", `shard ${shard}`, error);
      return outcome === "not-applied" ? "not-applied" : "unknown";
    } finally {
      this.#asked -= 1;
    }
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((id) => others.includes(id));
}
