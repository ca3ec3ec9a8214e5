import { isCapstanError } from "../../../core/model/errors.ts";
import { NodeDownError, type SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import type { Draw } from "../draw.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";

const PREFIX = "watched/";
const STINT_MS: readonly [number, number] = Object.freeze([500, 20_000] as const);
const PAUSE_MS = 100;
/** Once everything is whole: for the watch to be in step, and to be told of what was repaired. */
const SYNCED_MS = 60_000;
const TOLD_MS = 5_000;
const FINAL_READ_MS = 120_000;

type WatchedScene = Pick<KeyspaceScene, "calls" | "plan" | "world">;

/**
 * A client that watches keys which are written once each, and goes from node to node with a cursor.
 * Whatever was acknowledged, and was written after its watch was in step or after the last gap that
 * it was told of, it is told of in the end.
 */
export class WatchedKeys {
  readonly #scene: WatchedScene;
  readonly #draw: Draw;
  /** Of acknowledged writes: when they were called. */
  readonly #written = new Map<string, number>();
  readonly #told = new Set<string>();
  readonly #violations: Violation[] = [];
  #cursor: string | undefined;
  /** Of what was called later nothing may be missing. */
  #owedSinceMs = Number.POSITIVE_INFINITY;
  #gaps = 0;
  #stop: (() => void) | undefined;
  #isBegun = false;
  #isLast = false;
  #isInStep = false;
  #isEnded = false;

  constructor(scene: WatchedScene, draw: Draw) {
    this.#scene = scene;
    this.#draw = draw;
  }

  /** That the watch was told of. */
  get gaps(): number {
    return this.#gaps;
  }

  begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    void this.#run();
  }

  async operate(client: string, draw: Draw, node: SimNode): Promise<Ending> {
    const { calls, plan, world } = this.#scene;
    const key = `${PREFIX}${calls.begun}`;
    const calledAtMs = world.time.nowMs;
    try {
      const options = { consistency: draw.pick(["one", "quorum"] as const) };
      const writing = calls.keyspaceOf(node, plan.name).put(key, calls.begun, options);
      const { version } = await calls.alive(node, writing);
      this.#written.set(key, calledAtMs);
      calls.noteOk(client, key, version);
      return "ok";
    } catch (error) {
      return calls.noteFault(client, key, error).code === "down" ? "down" : "fault";
    }
  }

  /** Everything is whole: the watch goes on from where it stood. Runs the world. */
  async readAtTheEnd(): Promise<void> {
    if (!this.#isBegun) return;
    const { driver } = this.#scene.world;
    this.#isLast = true;
    this.#stop?.();
    if (!(await driver.runWhile(() => !this.#isInStep, SYNCED_MS))) {
      this.#violate("watch-liveness", "the watch is never in step in the end");
    }
    await this.#repair();
    await driver.runWhile(() => this.#missing().length > 0, TOLD_MS);
    const missing = this.#missing();
    const [first] = missing;
    if (first !== undefined) {
      const calledMs = this.#written.get(first)?.toFixed(1);
      this.#violate(
        "lost-event",
        `${first}, written at ${calledMs} ms, was never told, and ${missing.length - 1} more; ` +
          `the watch is owed what came since ${this.#owedSinceMs.toFixed(1)} ms`,
      );
    }
    this.#isEnded = true;
    this.#stop?.();
  }

  violations(): readonly Violation[] {
    return this.#violations;
  }

  /**
   * What no copy that the watch follows has been given yet it is given by a read of all. What none of
   * them has any more, since the few that did were wiped, there is nothing to be told of: whether it
   * might be lost is judged elsewhere.
   */
  async #repair(): Promise<void> {
    const { world } = this.#scene;
    for (const key of this.#missing()) {
      const [node] = world.running();
      if (node === undefined) return;
      const keyspace = node.life?.store?.keyspace(this.#scene.plan.name);
      const reading = keyspace?.get(key, { consistency: "all" }).catch(() => undefined);
      const result = reading && (await world.driver.until(reading, FINAL_READ_MS));
      if (result?.receipt.achieved === "all" && !result.found) this.#written.delete(key);
    }
  }

  #missing(): readonly string[] {
    return [...this.#written]
      .filter(([key, calledAtMs]) => calledAtMs > this.#owedSinceMs && !this.#told.has(key))
      .map(([key]) => key);
  }

  async #run(): Promise<void> {
    while (!this.#isEnded) {
      const running = this.#scene.world.running();
      if (running.length > 0) await this.#watchAt(this.#draw.pick(running));
      await new Promise<void>((resolve) => {
        this.#scene.world.time.setTimer(PAUSE_MS, resolve);
      });
    }
  }

  async #watchAt(node: SimNode): Promise<void> {
    const { calls, plan, world } = this.#scene;
    const isLast = this.#isLast;
    const from = this.#cursor === undefined ? {} : { cursor: this.#cursor };
    try {
      const watch = calls.keyspaceOf(node, plan.name).watch({ prefix: PREFIX, ...from });
      const iterator = watch[Symbol.asyncIterator]();
      let isOver = false;
      const stop = (): void => {
        isOver = true;
        void iterator.return?.();
      };
      this.#stop = stop;
      if (!isLast) world.time.setTimer(this.#draw.magnitude(...STINT_MS), stop);
      while (!isOver) {
        const { done, value } = await calls.alive(node, iterator.next());
        if (done === true) break;
        this.#cursor = value.cursor;
        if (value.key !== undefined) this.#told.add(value.key);
        if (value.type === "gap") this.#begunAnew(world.time.nowMs);
        if (value.type !== "synced") continue;
        if (this.#owedSinceMs === Number.POSITIVE_INFINITY) this.#owedSinceMs = world.time.nowMs;
        if (isLast) this.#isInStep = true;
      }
    } catch (error) {
      if (!(error instanceof NodeDownError) && !isCapstanError(error)) throw error;
    } finally {
      this.#stop = undefined;
    }
  }

  #begunAnew(nowMs: number): void {
    this.#gaps += 1;
    if (this.#owedSinceMs !== Number.POSITIVE_INFINITY) this.#owedSinceMs = nowMs;
  }

  #violate(check: string, message: string): void {
    this.#violations.push({ check, message });
  }
}
