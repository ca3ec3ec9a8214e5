import { stampOfRecord } from "../../built-ins.ts";
import type { StateBatch, StateStore } from "../../core/contracts/storage.ts";
import { keyspaceHashOf } from "../../core/model/ids.ts";
import { compareStamps } from "../../core/model/stamp.ts";
import { GOOD_NETWORK } from "../network-conditions.ts";
import type { SimNode } from "../sim-node.ts";
import { type PlantedInWorld, SimWorld } from "../sim-world.ts";
import { checkEvidence, type Violation } from "./checks.ts";
import { CopyWatch } from "./copy-watch.ts";
import { Draw } from "./draw.ts";
import { GROUPS, groupOf } from "./groups.ts";
import { breakTheRest, demandLiveness, drawCore, type LivenessScene } from "./liveness.ts";
import { Nemesis } from "./nemesis.ts";
import { Operator } from "./operator.ts";
import { configurationOf, drawPlan, KEYSPACE, type ScenarioPlan } from "./plan.ts";
import { countSometimes, type Sometimes } from "./sometimes.ts";
import { Topology } from "./topology.ts";
import { Workload } from "./workload.ts";

const CHAOS_MS = 60_000;
const MIN_OPERATIONS = 500;
const MIN_FAULTS = 20;
/** What is still missing after the first minute is waited for in steps of this, in milliseconds. */
const MORE_MS = 5_000;
const LONGEST_CHAOS_MS = 300_000;
const OPENING_MS = 60_000;
const HEALED_MS = 120_000;
const FINAL_TRIES = 30;

export interface ScenarioOptions {
  /** Instead of the strategy by the name `tunable`: one with a planted bug. */
  readonly strategy?: unknown;
  /** Bugs that only tests of this library switch on. */
  readonly planted?: PlantedInWorld | undefined;
  /** Changes what the seed has drawn. */
  readonly adjust?: (plan: ScenarioPlan) => ScenarioPlan;
  /** Called with the world before anything happens in it. */
  readonly prepare?: (world: SimWorld) => void;
}

export interface ScenarioReport {
  readonly seed: number;
  readonly plan: ScenarioPlan;
  readonly violations: readonly Violation[];
  /** Over every event, frame, disk write and answer. */
  readonly trace: string;
  readonly simulatedMs: number;
  readonly events: number;
  readonly operations: number;
  readonly checked: number;
  readonly unknownVerdicts: number;
  /** What clients were told could not be held against the store: see `Evidence`. */
  readonly isExcused: boolean;
  readonly faults: Readonly<Record<string, number>>;
  readonly tally: Readonly<Record<string, number>>;
  readonly sometimes: Sometimes;
}

/**
 * Runs one seed: at least a minute of chaos, 500 operations and 20 faults; then the faults end for a
 * core, and liveness is demanded of it; then all is healed, and what clients were told is judged.
 */
export async function runScenario(
  seed: number,
  options: ScenarioOptions = {},
): Promise<ScenarioReport> {
  const plan = options.adjust?.(drawPlan(seed)) ?? drawPlan(seed);
  return new Scenario(plan, options).run();
}

class Scenario {
  readonly #plan: ScenarioPlan;
  readonly #world: SimWorld;
  readonly #topology: Topology;
  readonly #copies: CopyWatch;
  readonly #operator: Operator;
  readonly #workload: Workload;
  readonly #nemesis: Nemesis;
  readonly #violations: Violation[] = [];

  constructor(plan: ScenarioPlan, options: ScenarioOptions) {
    this.#plan = plan;
    const configuration = configurationOf(plan, options.strategy);
    const world = new SimWorld({
      seed: plan.seed,
      nodes: Array.from({ length: plan.nodes }, (_, index) => `n${index + 1}`),
      configuration,
      planted: options.planted,
      ...{ storage: plan.storage, log: plan.log },
      ...{ connections: plan.connections, maxHeldBytes: plan.maxHeldBytes },
    });
    this.#world = world;
    this.#topology = new Topology(world, configurationOf(plan));
    this.#copies = new CopyWatch(world);
    this.#operator = new Operator(world);
    this.#workload = new Workload(world, plan, (key, version) =>
      this.#topology.holdersOf(key, version),
    );
    this.#nemesis = new Nemesis(world, plan, new Draw(world.random("faults")), {
      ...{ world, plan, operator: this.#operator, topology: this.#topology },
      copies: this.#copies,
    });
    world.onCommit = (node, state, batch) => this.#checkCommit(node, state, batch);
    options.prepare?.(world);
  }

  async run(): Promise<ScenarioReport> {
    const world = this.#world;
    await this.#open();
    const working = this.#workload.run();
    this.#nemesis.start();
    await this.#chaos();
    await this.#calm(working);
    const finals = await this.#healAndReadAll();
    await this.#stopAll();
    const { violations, checked, unknown } = checkEvidence({
      history: this.#workload.history(),
      acknowledged: this.#workload.acknowledged,
      refused: this.#workload.refused,
      finals,
      topology: this.#topology,
      copyHasCounted: this.#copies.hasCounted,
    });
    this.#checkHygiene();
    return {
      seed: this.#plan.seed,
      plan: this.#plan,
      violations: [...this.#violations, ...violations],
      trace: world.trace.digest(),
      simulatedMs: world.time.nowMs,
      events: world.time.events,
      operations: this.#workload.begun,
      checked,
      unknownVerdicts: unknown,
      isExcused: this.#copies.hasCounted,
      faults: this.#nemesis.counts,
      tally: this.#workload.tally,
      sometimes: countSometimes(world, this.#workload),
    };
  }

  async #open(): Promise<void> {
    const { nodes, driver, network } = this.#world;
    for (const [at, { clock, disk }] of nodes.entries()) {
      clock.setAhead(this.#plan.aheadMs[at] ?? 0);
      disk.latencyMs = this.#plan.diskLatencyMs;
    }
    await driver.until(Promise.all(nodes.map(({ id }) => this.#world.start(id))), OPENING_MS);
    const ready = nodes.map(({ life }) => life?.store?.ready());
    await driver.until(Promise.all(ready), OPENING_MS);
    network.conditions = this.#plan.network;
    this.#operator.watch();
  }

  async #chaos(): Promise<void> {
    const { driver, time } = this.#world;
    await driver.run(CHAOS_MS);
    const isEnough = (): boolean =>
      this.#workload.begun >= MIN_OPERATIONS && this.#nemesis.total >= MIN_FAULTS;
    while (!isEnough() && time.nowMs < LONGEST_CHAOS_MS) await driver.run(MORE_MS);
  }

  async #calm(working: Promise<void>): Promise<void> {
    const scene: LivenessScene = {
      world: this.#world,
      operator: this.#operator,
      topology: this.#topology,
      workload: this.#workload,
      draw: new Draw(this.#world.random("calm")),
    };
    this.#nemesis.stop();
    this.#nemesis.undoAll();
    const core = drawCore(scene);
    breakTheRest(scene, core);
    this.#violations.push(...(await demandLiveness(scene, core)));
    // Clients of paused nodes hear of their operations once those go on.
    for (const { id } of this.#world.nodes) this.#world.resume(id);
    await this.#world.driver.until(working, HEALED_MS);
  }

  /** Everything is whole again; what all replicas of each key hold in the end, by their stamps. */
  async #healAndReadAll(): Promise<ReadonlyMap<string, string | undefined>> {
    const { driver, network, nodes } = this.#world;
    network.heal();
    network.conditions = GOOD_NETWORK;
    this.#operator.letGoOfAll();
    const isWhole = (): boolean => nodes.every((node) => this.#topology.isServing(node));
    if (!(await driver.runWhile(() => !isWhole(), HEALED_MS))) {
      this.#violate("liveness", "after all faults have ended not every replica serves again");
    }
    const finals = new Map<string, string | undefined>();
    for (const key of this.#keys()) {
      const node = nodes[0] as (typeof nodes)[number];
      await driver.until(this.#workload.read("last", node, groupOf(key), key), HEALED_MS);
      finals.set(key, await this.#versionOfAll(node, key));
    }
    this.#operator.stop();
    return finals;
  }

  /** Asked again while the detector of some node still doubts another. */
  async #versionOfAll(node: SimNode, key: string): Promise<string | undefined> {
    const { driver } = this.#world;
    let fault = "";
    for (let tries = 0; tries < FINAL_TRIES; tries += 1) {
      const store = node.life?.store;
      if (store === undefined) {
        await driver.run(MORE_MS / 10);
        continue;
      }
      const reading = store
        .keyspace(KEYSPACE)
        .get(key, { consistency: "all" })
        .catch((error: Error) => error);
      const result = await driver.until(reading, HEALED_MS);
      if (result instanceof Error) fault = result.message;
      // Where availability is preferred, less than all may have answered.
      else if (result.receipt.achieved === "all") return result.version;
      else fault = `only ${result.receipt.achieved} was reached`;
      await driver.run(MORE_MS / 10);
    }
    this.#violate("liveness", `${key}: in the end not all replicas answer: ${fault}`);
    return undefined;
  }

  async #stopAll(): Promise<void> {
    const { driver, nodes } = this.#world;
    for (const { id, life } of nodes) {
      if (life?.store !== undefined) await driver.until(this.#world.stop(id), HEALED_MS);
    }
  }

  #keys(): readonly string[] {
    const numbers = Array.from({ length: this.#plan.keysPerGroup }, (_, index) => index + 1);
    return GROUPS.flatMap(({ name }) => numbers.map((number) => `${name}/${number}`));
  }

  /** The version of a key never falls at a replica. */
  #checkCommit(node: string, state: StateStore, { mutations }: StateBatch): void {
    for (const mutation of mutations) {
      if (mutation.type !== "put" || mutation.space !== "data") continue;
      const { shard, key, value, generation } = mutation;
      if (generation !== undefined || keyspaceHashOf(shard) !== this.#topology.keyspace.hash)
        continue;
      const held = state.get(shard, "data", key);
      if (held === undefined) continue;
      if (compareStamps(stampOfRecord(value), stampOfRecord(held)) >= 0) continue;
      this.#violate("falling-version", `${node}: ${Buffer.from(key).toString("utf8")}`);
    }
  }

  #checkHygiene(): void {
    for (const { node, message, atMs } of this.#world.errors) {
      if (EXPLAINED_ERRORS.test(message)) continue;
      this.#violate("hygiene", `${node} at ${atMs.toFixed(1)} ms: ${message}`);
    }
    for (const surprise of this.#operator.surprises) this.#violate("hygiene", surprise);
  }

  #violate(check: string, message: string): void {
    this.#violations.push({ check, message });
  }
}

/** What a node says when its disk fails or its data is an old copy. */
const EXPLAINED_ERRORS =
  /EIO|ENOSPC|log has failed|own records in the log are damaged|storage failed|older copy|another live process|STORE_FAILED|IDENTITY_CONFLICT/;
