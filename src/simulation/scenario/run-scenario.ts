import type { StoreEvent } from "../../core/store/api.ts";
import { GOOD_NETWORK } from "../network-conditions.ts";
import { type PlantedInWorld, SimWorld } from "../sim-world.ts";
import { ClientCalls } from "./client-calls.ts";
import { CopyWatch } from "./copy-watch.ts";
import { Draw } from "./draw.ts";
import { isExplained } from "./explained-errors.ts";
import { withLargeValues } from "./large-values.ts";
import { LateReads } from "./late-reads.ts";
import { breakTheRest, demandLiveness, drawCore, type LivenessScene } from "./liveness.ts";
import { LogBeforeState } from "./log-before-state.ts";
import { withRoomForShards } from "./many-shards.ts";
import { Nemesis } from "./nemesis.ts";
import { Operator } from "./operator.ts";
import { calmNetworkOf, configurationOf, drawPlan, type ScenarioPlan } from "./plan.ts";
import { SlowLinks } from "./slow-links.ts";
import { countSometimes, type Sometimes } from "./sometimes.ts";
import { strategyScenario } from "./strategies.ts";
import type { Instruments, KeyspaceRun, Violation } from "./strategy-scenario.ts";
import { Topology } from "./topology.ts";
import { Workload } from "./workload.ts";

const MIN_OPERATIONS = 500;
const MIN_FAULTS = 20;
/** What is still missing after the first minute is waited for in steps of this, in milliseconds. */
const MORE_MS = 5_000;
const LONGEST_CHAOS_MS = 300_000;
/** What a seed is to have in any case, but cannot have, is not waited for any longer. */
const LONGEST_UNMIXED_MS = 180_000;
const OPENING_MS = 60_000;
const HEALED_MS = 120_000;
const QUEUES_EVERY_MS = 200;
const MANY_DOUBLED = 200;
/** What one turn may add before anybody looks. */
const ONE_TURN_BYTES = 256 * 1024;

export interface ScenarioOptions {
  /** Of which keyspaces are drawn, by name. Default: all that have a scenario. */
  readonly strategies?: readonly string[] | undefined;
  /** Instead of strategies, by name: ones with a planted bug. */
  readonly substitutes?: Readonly<Record<string, unknown>>;
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
  /** Of which faults came for so long. */
  readonly chaosMs: number;
  readonly events: number;
  readonly operations: number;
  /** Of which so many were begun while faults came. */
  readonly chaosOperations: number;
  /** What clients heard meanwhile: of an operation with reads after it more than once. */
  readonly chaosAnswers: number;
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
  const drawn = withLargeValues(withRoomForShards(drawPlan(seed, options.strategies)));
  return new Scenario(options.adjust?.(drawn) ?? drawn, options).run();
}

class Scenario {
  readonly #plan: ScenarioPlan;
  readonly #world: SimWorld;
  readonly #topology: Topology;
  readonly #copies: CopyWatch;
  readonly #operator: Operator;
  readonly #calls: ClientCalls;
  readonly #runs: readonly KeyspaceRun[];
  readonly #workload: Workload;
  readonly #nemesis: Nemesis;
  readonly #logFirst = new LogBeforeState();
  readonly #lateReads: LateReads;
  readonly #slowLinks: SlowLinks;
  readonly #violations: Violation[] = [];
  #isEnding = false;

  constructor(plan: ScenarioPlan, options: ScenarioOptions) {
    this.#plan = plan;
    const instruments = plan.keyspaces.map((each) =>
      strategyScenario(each.strategy).instrument?.(each),
    );
    const configuration = configurationOf(instrumented(plan, instruments), options.substitutes);
    const nodes = Array.from({ length: plan.nodes }, (_, index) => `n${index + 1}`);
    const world = new SimWorld({
      seed: plan.seed,
      nodes,
      datacenters: datacentersOf(plan, nodes),
      configuration,
      planted: options.planted,
      ...{ storage: plan.storage, log: plan.log },
      ...{ connections: plan.connections, maxHeldBytes: plan.maxHeldBytes },
    });
    this.#world = world;
    this.#topology = new Topology(world, configurationOf(plan));
    this.#copies = new CopyWatch(world);
    this.#operator = new Operator(world);
    this.#lateReads = new LateReads(world, plan.lateReads);
    this.#slowLinks = new SlowLinks(world, plan.slowLinks);
    this.#calls = new ClientCalls(world);
    this.#runs = plan.keyspaces.map((keyspacePlan, place) =>
      strategyScenario(keyspacePlan.strategy).createRun({
        ...{ world, plan: keyspacePlan, calls: this.#calls, topology: this.#topology },
        keyspace: this.#topology.of(keyspacePlan.name),
        instruments: instruments[place],
      }),
    );
    this.#workload = new Workload(world, plan, this.#calls, this.#runs);
    this.#nemesis = new Nemesis(world, plan, new Draw(world.random("faults")), {
      ...{ world, plan, operator: this.#operator, topology: this.#topology },
      copies: this.#copies,
    });
    world.onCommit = (node, state, batch) => {
      const { durablePosition = Number.POSITIVE_INFINITY } =
        world.node(node).disk.storage?.log ?? {};
      this.#logFirst.onCommit(node, batch, durablePosition);
      for (const run of this.#runs) run.onCommit?.(node, state, batch);
    };
    world.onLog = (node, news) => {
      this.#logFirst.onLog(node, news);
      for (const run of this.#runs) run.onLog?.(node, news);
    };
    world.onEvent = (node, event) => {
      this.#onEvent(node, event);
      for (const run of this.#runs) run.onEvent?.(node, event);
    };
    if (plan.faults.includes("old-copy")) this.#copies.listen();
    options.prepare?.(world);
  }

  async run(): Promise<ScenarioReport> {
    const world = this.#world;
    await this.#open();
    const working = this.#workload.run();
    this.#nemesis.start();
    this.#slowLinks.start();
    const chaos = await this.#chaos();
    await this.#calm(working);
    await this.#healAll();
    for (const run of this.#runs) await run.readAtTheEnd();
    this.#operator.stop();
    this.#isEnding = true;
    if (this.#calls.pending > 0)
      this.#violate("hygiene", "operations are left that nobody answers");
    await this.#stopAll();
    const copyHasCounted = this.#copies.hasCounted;
    const reports = this.#runs.map((run) => run.judge({ copyHasCounted }));
    this.#checkHygiene();
    this.#checkDoubledFrames();
    this.#checkDisowned();
    return {
      seed: this.#plan.seed,
      plan: this.#plan,
      violations: [
        ...this.#violations,
        ...this.#logFirst.violations,
        ...this.#copies.violations,
        ...reports.flatMap(({ violations }) => violations),
      ],
      trace: world.trace.digest(),
      simulatedMs: world.time.nowMs,
      ...chaos,
      events: world.time.events,
      operations: this.#calls.begun,
      checked: sumOf(reports, "checked"),
      unknownVerdicts: sumOf(reports, "unknown"),
      isExcused: copyHasCounted,
      faults: this.#nemesis.counts,
      tally: this.#calls.tally,
      sometimes: countSometimes(world, this.#calls, [
        this.#lateReads,
        this.#slowLinks,
        ...this.#runs,
      ]),
    };
  }

  async #open(): Promise<void> {
    const { nodes, driver, network } = this.#world;
    for (const [at, { clock, disk }] of nodes.entries()) {
      clock.setAhead(this.#plan.aheadMs[at] ?? 0);
      disk.latencyMs = this.#plan.diskLatencyMs;
      disk.stateLagMs = this.#plan.stateLagMs;
      disk.maxPendingBytes = this.#plan.maxPendingBytes;
    }
    await driver.until(Promise.all(nodes.map(({ id }) => this.#world.start(id))), OPENING_MS);
    const ready = nodes.map(({ life }) => life?.store?.ready());
    await driver.until(Promise.all(ready), OPENING_MS);
    network.conditions = this.#plan.network;
    this.#operator.watch();
    this.#watchQueues();
  }

  /** What waits for a disk keeps its bound: clients are refused, and peers above twice as much. */
  #watchQueues(): void {
    const { nodes, time } = this.#world;
    for (const { id, disk } of nodes) {
      const { state } = disk.storage ?? {};
      const pending = state?.pendingBytes ?? 0;
      if (pending <= 2 * this.#plan.maxPendingBytes + ONE_TURN_BYTES) continue;
      this.#violate("queue-bound", `${id}: ${pending} bytes wait for the state`);
    }
    if (!this.#isEnding) time.setTimer(QUEUES_EVERY_MS, () => this.#watchQueues());
  }

  /** How long it lasted, and how much was asked and answered in it. */
  async #chaos(): Promise<Pick<ScenarioReport, "chaosMs" | "chaosOperations" | "chaosAnswers">> {
    const { driver, time } = this.#world;
    const beganMs = time.nowMs;
    await driver.run(this.#plan.chaosMs);
    const { counts } = this.#nemesis;
    const isMixed = (): boolean =>
      this.#plan.demandedFaults.every((kind) => counts[kind] !== undefined) &&
      this.#runs.every((run) => run.hasActed?.() ?? true);
    const isEnough = (): boolean =>
      this.#calls.begun >= MIN_OPERATIONS &&
      this.#nemesis.total >= MIN_FAULTS &&
      (time.nowMs >= LONGEST_UNMIXED_MS || isMixed());
    while (!isEnough() && time.nowMs < LONGEST_CHAOS_MS) await driver.run(MORE_MS);
    const { begun, answers } = this.#calls;
    return { chaosMs: time.nowMs - beganMs, chaosOperations: begun, chaosAnswers: answers };
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
    this.#lateReads.stop();
    this.#slowLinks.stop();
    for (const run of this.#runs) run.calm?.();
    this.#world.network.conditions = calmNetworkOf(this.#plan);
    const core = drawCore(scene);
    breakTheRest(scene, core);
    this.#violations.push(...(await demandLiveness(scene, core)));
    // Clients of paused nodes hear of their operations once those go on.
    for (const { id } of this.#world.nodes) this.#world.resume(id);
    await this.#world.driver.until(working, HEALED_MS);
  }

  async #healAll(): Promise<void> {
    const { driver, network, nodes } = this.#world;
    network.heal();
    network.conditions = GOOD_NETWORK;
    this.#operator.letGoOfAll();
    for (const run of this.#runs) await run.settle?.();
    const isWhole = (): boolean => nodes.every((node) => this.#topology.isServing(node));
    if (!(await driver.runWhile(() => !isWhole(), HEALED_MS))) {
      this.#violate("liveness", "after all faults have ended not every replica serves again");
    }
  }

  async #stopAll(): Promise<void> {
    const { driver, nodes } = this.#world;
    for (const { id, life } of nodes) {
      if (life?.store !== undefined) await driver.until(this.#world.stop(id), HEALED_MS);
    }
  }

  #onEvent(id: string, { type, code }: StoreEvent): void {
    if (type === "shard-damaged" && !this.#topology.wasDamaged(id)) {
      this.#violate("unfounded-damage", `${id}: what was found damaged is whole`);
    }
    if (type === "failed" && code === "IDENTITY_CONFLICT") {
      this.#violate("unfounded-conflict", `${id}: its machine runs no other process`);
    }
    if (type !== "failed" || code !== "DATA_DISOWNED") return;
    const node = this.#world.node(id);
    if (!this.#copies.wasPlaced(id, node.disk.storeId) && !this.#topology.wasDamaged(id)) {
      this.#violate("unfounded-disowning", `${id}: no older copy was put in the place of its data`);
    }
    // With its data goes what it has acknowledged since the copy was put in place.
    this.#topology.noteLoss(node, "old-copy");
  }

  /** Data that is given up at a start was damaged, or is an older copy. */
  #checkDisowned(): void {
    const { losses } = this.#topology;
    for (const id of this.#operator.disowned) {
      const isCopy = losses.some(({ node, how }) => node === id && how === "old-copy");
      if (isCopy || this.#topology.wasDamaged(id)) continue;
      this.#violate("unfounded-damage", `${id}: a start gave up data that is whole`);
    }
  }

  /** Not every second copy is known for one, as a session may be over: but never none of so many. */
  #checkDoubledFrames(): void {
    const { network, doubledDropped } = this.#world;
    if (network.doubledArrivals < MANY_DOUBLED || doubledDropped > 0) return;
    const message = `${network.doubledArrivals} frames arrived twice, and none was known for it`;
    this.#violate("doubled-frame", message);
  }

  #checkHygiene(): void {
    for (const { node, message, atMs } of this.#world.errors) {
      if (isExplained(message, this.#topology.wasDamaged(node))) continue;
      this.#violate("hygiene", `${node} at ${atMs.toFixed(1)} ms: ${message}`);
    }
    for (const surprise of this.#operator.surprises) this.#violate("hygiene", surprise);
  }

  #violate(check: string, message: string): void {
    this.#violations.push({ check, message });
  }
}

function datacentersOf(
  { datacenters }: ScenarioPlan,
  nodes: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (datacenters === undefined) return undefined;
  return Object.fromEntries(nodes.map((id, at) => [id, datacenters[at] as string]));
}

function instrumented(
  plan: ScenarioPlan,
  instruments: readonly (Instruments | undefined)[],
): ScenarioPlan {
  const keyspaces = plan.keyspaces.map((each, place) => ({
    ...each,
    configuration: { ...each.configuration, ...instruments[place]?.configuration },
  }));
  return { ...plan, keyspaces };
}

function sumOf<Name extends string>(
  reports: readonly Readonly<Record<Name, number>>[],
  name: Name,
): number {
  return reports.reduce((sum, report) => sum + report[name], 0);
}
