import { isCapstanError } from "../../../core/model/errors.ts";
import type { WatchEvent } from "../../../core/store/api.ts";
import { NodeDownError, type SimNode } from "../../sim-node.ts";
import { Draw } from "../draw.ts";
import { nameIn } from "../large-values.ts";
import type { KeyspaceScene } from "../strategy-scenario.ts";
import type { RaftRecords } from "./raft-records.ts";
import type { SeenEvent, Stint } from "./watch-judge.ts";

const SEEDS_WITH_WATCHES = 0.7;
const MAX_WATCHERS = 3;
const STINT_MS: readonly [number, number] = Object.freeze([100, 15_000] as const);
const PAUSE_MS = 100;
/** Of the stints, so many begin from now on, and so many with an older cursor than the last. */
const FRESH_SHARE = 0.1;
const OLD_SHARE = 0.1;
/** Once everything is whole, for a watch to be in step, and to be told of what is written then. */
const SYNCED_MS = 60_000;
const TOLD_MS = 30_000;

/** Those who watch a keyspace all the time, and go from node to node with a cursor. */
export class RaftWatches {
  readonly stints: Stint[] = [];
  readonly #scene: KeyspaceScene;
  readonly #records: RaftRecords;
  readonly #watchers: readonly Watcher[];
  #isBegun = false;

  constructor(scene: KeyspaceScene, records: RaftRecords) {
    this.#scene = scene;
    this.#records = records;
    const draw = new Draw(scene.world.random(`${scene.plan.name}/watches`));
    const count = draw.chance(SEEDS_WITH_WATCHES) ? draw.whole(1, MAX_WATCHERS) : 0;
    this.#watchers = Array.from({ length: count }, (_, at) => {
      const random = scene.world.random(`${scene.plan.name}/watch/${at}`);
      return new Watcher(`w${at}`, scene, new Draw(random), this.stints);
    });
  }

  /** Whether anybody watches in this seed. */
  get isOn(): boolean {
    return this.#watchers.length > 0;
  }

  begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    for (const watcher of this.#watchers) void watcher.run();
  }

  /** Everything is whole: each goes on from where it stood, and has to be in step. Runs the world. */
  async goOnForGood(): Promise<void> {
    const { driver } = this.#scene.world;
    for (const watcher of this.#watchers) watcher.goOnForGood();
    const isInStep = () => this.#watchers.every((watcher) => watcher.isInStep);
    if (await driver.runWhile(() => !isInStep(), SYNCED_MS)) return;
    for (const { name, isInStep: isDone, state } of this.#watchers) {
      if (isDone) continue;
      this.#records.violate("watch-liveness", `${name} is never in step in the end: ${state}`);
    }
  }

  /** Each has been told of these values, or that something is missing. Runs the world. */
  async demandToldOf(values: readonly string[], sinceMs: number): Promise<void> {
    const { driver } = this.#scene.world;
    const isTold = () => this.#watchers.every((watcher) => watcher.wasToldOf(values, sinceMs));
    if (await driver.runWhile(() => !isTold(), TOLD_MS)) return;
    for (const watcher of this.#watchers) {
      if (watcher.wasToldOf(values, sinceMs)) continue;
      const message = `${watcher.name} was not told of ${values.join()}: ${watcher.state}`;
      this.#records.violate("watch-liveness", message);
    }
  }

  /** Ends the watches, so that nothing is left when the stores close. */
  end(): void {
    for (const watcher of this.#watchers) watcher.end();
  }

  /** Events of some kind that were given, for the counters. */
  countOf(type: WatchEvent<unknown>["type"]): number {
    return this.stints.reduce(
      (sum, { events }) => sum + events.filter(({ event }) => event.type === type).length,
      0,
    );
  }
}

/** One of them. */
class Watcher {
  readonly name: string;
  readonly #scene: KeyspaceScene;
  readonly #draw: Draw;
  readonly #stints: Stint[];
  readonly #seen: SeenEvent[] = [];
  #stop: (() => void) | undefined;
  #isLast = false;
  #isEnded = false;
  #isInStep = false;
  #state = "it has not begun";

  constructor(name: string, scene: KeyspaceScene, draw: Draw, stints: Stint[]) {
    this.name = name;
    this.#scene = scene;
    this.#draw = draw;
    this.#stints = stints;
  }

  get isInStep(): boolean {
    return this.#isInStep;
  }

  /** For people. */
  get state(): string {
    return this.#state;
  }

  async run(): Promise<void> {
    while (!this.#isEnded) {
      const running = this.#scene.world.running();
      if (running.length > 0) await this.#watchAt(this.#draw.pick(running));
      await this.#pause(PAUSE_MS);
    }
  }

  /** The next stint is the last, and lasts. */
  goOnForGood(): void {
    this.#isLast = true;
    this.#isInStep = false;
    this.#stop?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#stop?.();
  }

  wasToldOf(values: readonly string[], sinceMs: number): boolean {
    const since = this.#seen.filter(({ atMs }) => atMs >= sinceMs);
    if (since.some(({ event }) => event.type === "gap")) return true;
    return values.every((value) => since.some(({ event }) => event.value === value));
  }

  async #watchAt(node: SimNode): Promise<void> {
    const { calls, plan, world } = this.#scene;
    const isLast = this.#isLast;
    const behind = this.#drawStart(isLast);
    const events: SeenEvent[] = [];
    this.#stints.push({ watcher: this.name, beganAtMs: world.time.nowMs, behind, events });
    this.#state = `at ${node.id} since ${world.time.nowMs.toFixed(0)} ms`;
    try {
      const cursor = behind?.event.cursor;
      const watch = calls.keyspaceOf(node, plan.name).watch(cursor === undefined ? {} : { cursor });
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
        const seen: SeenEvent = { event: named(value), node: node.id, atMs: world.time.nowMs };
        events.push(seen);
        this.#seen.push(seen);
        if (isLast && value.type === "synced") this.#isInStep = true;
      }
    } catch (error) {
      if (!(error instanceof NodeDownError) && !isCapstanError(error)) throw error;
      this.#state = `${this.#state}, which ended: ${String(error)}`;
    } finally {
      this.#stop = undefined;
    }
  }

  /** The last one always goes on from where the watch stands. */
  #drawStart(isLast: boolean): SeenEvent | undefined {
    const last = this.#seen.at(-1);
    if (last === undefined || isLast) return last;
    if (this.#draw.chance(FRESH_SHARE)) return undefined;
    return this.#draw.chance(OLD_SHARE) ? this.#draw.pick(this.#seen) : last;
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scene.world.time.setTimer(durationMs, resolve);
    });
  }
}

/** With the name of the write alone, where its value is large. */
function named(event: WatchEvent<unknown>): WatchEvent<unknown> {
  if (typeof event.value !== "string") return event;
  return { ...event, value: nameIn(event.value) };
}
