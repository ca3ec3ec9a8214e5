import type { HistoryCheck } from "../../core/contracts/strategy.ts";
import { GOOD_NETWORK } from "../network-conditions.ts";
import { ClientCalls } from "../scenario/client-calls.ts";
import { CopyWatch } from "../scenario/copy-watch.ts";
import { Draw } from "../scenario/draw.ts";
import { isExplained } from "../scenario/explained-errors.ts";
import { Nemesis } from "../scenario/nemesis.ts";
import { Operator } from "../scenario/operator.ts";
import { Topology } from "../scenario/topology.ts";
import type { SimNode } from "../sim-node.ts";
import { SimWorld } from "../sim-world.ts";
import {
  Clients,
  type GroupWorkload,
  groupsOf,
  type KeyGroup,
  valuesOf,
  type Workload,
} from "./clients.ts";
import { type CrdtSide, configurationWith, crdtSideOf, watchedOf } from "./crdt-side.ts";
import { inEachDatacenter, isLocal } from "./datacenter-groups.ts";
import { drawRun, type RunPlan } from "./draw-run.ts";
import { FaultLog, type FaultSpan } from "./fault-log.ts";
import type { Judgement } from "./judge.ts";
import type { FinalRead } from "./judge-finals.ts";
import { judgeGroup } from "./judge-group.ts";
import type { KeyspaceUse } from "./keyspace-use.ts";
import { type LevelPair, nameOfPair } from "./promised-checks.ts";
import { sideGroups } from "./side-groups.ts";
import type { Subject } from "./subject.ts";

const CHAOS_MS = 60_000;
const MIN_OPERATIONS = 500;
const MIN_FAULTS = 20;
const MORE_MS = 5_000;
const LONGEST_CHAOS_MS = 120_000;
const OPENING_MS = 60_000;
const HEALED_MS = 120_000;
const ASK_AGAIN_MS = 500;
const FINAL_TRIES = 60;

/** The worst first. */
const VERDICTS = Object.freeze(["illegal", "unknown", "legal"] as const);

/** What one check says of the keys of one pair of levels. */
export interface Finding extends Judgement {
  readonly pair: LevelPair;
  readonly check: HistoryCheck | "serves-again" | "no-fault-of-its-own";
  /** False: the configuration does not promise it, and it is looked at all the same. */
  readonly isPromised: boolean;
}

/** One history: what a seed did to the keyspace, and what came of it. */
export interface HistoryReport {
  readonly keyspace: string;
  readonly seed: number;
  readonly nodes: readonly string[];
  readonly simulatedMs: number;
  readonly operations: number;
  /** Operations that were answered, as a share of those that ended. */
  readonly answered: number;
  readonly faults: readonly FaultSpan[];
  readonly findings: readonly Finding[];
}

/**
 * Runs the keyspace through one seed: a minute or more of clients under faults, then all is made
 * whole, everything is read once more, and the table of promises is held against what clients were
 * told.
 */
export function runHistory(
  subject: Subject,
  seed: number,
  workload: Workload = "register",
): Promise<HistoryReport> {
  return new HistoryRun(subject, drawRun(seed, subject), workload).run();
}

class HistoryRun {
  readonly #subject: Subject;
  readonly #plan: RunPlan;
  readonly #world: SimWorld;
  readonly #topology: Topology;
  readonly #operator: Operator;
  readonly #groups: readonly KeyGroup[];
  readonly #calls: ClientCalls;
  readonly #crdt: CrdtSide | undefined;
  readonly #clients: Clients;
  readonly #nemesis: Nemesis;
  readonly #faults: FaultLog;
  readonly #findings: Finding[] = [];

  constructor(subject: Subject, plan: RunPlan, workload: Workload) {
    this.#subject = subject;
    this.#plan = plan;
    const { nodes, datacenters, storage, connections, keyspace } = subject;
    const { seed, log, maxHeldBytes } = plan;
    const watched = watchedOf(subject);
    const configuration = configurationWith(watched, subject);
    const world = new SimWorld({
      ...{ seed, nodes, datacenters, storage, connections, configuration, log, maxHeldBytes },
    });
    this.#world = world;
    this.#topology = new Topology(world, subject.configuration);
    this.#crdt = watched && crdtSideOf(watched, subject, { world, topology: this.#topology });
    this.#operator = new Operator(world);
    this.#faults = new FaultLog(world);
    const draw = new Draw(world.random("faults"));
    this.#nemesis = new Nemesis(world, plan, draw, {
      ...{ world, plan, operator: this.#operator, topology: this.#topology },
      copies: new CopyWatch(world),
    });
    this.#nemesis.around = (kind, begin) => this.#faults.note(kind, begin);
    const place = this.#topology.of(keyspace.name);
    this.#groups = [
      ...drawGroups(subject, plan, workload).flatMap((group) =>
        isLocal(group.pair) ? inEachDatacenter(group, world.datacenters, place) : [group],
      ),
      ...(workload === "register" ? sideGroups(subject, place) : []),
    ];
    this.#calls = new ClientCalls(world);
    this.#clients = new Clients({
      ...{ world, subject, plan, groups: this.#groups, calls: this.#calls, crdt: this.#crdt },
      keyspace: place,
    });
  }

  async run(): Promise<HistoryReport> {
    await this.#open();
    const working = this.#clients.run();
    this.#nemesis.start();
    await this.#chaos();
    this.#clients.stop();
    this.#nemesis.stop();
    this.#nemesis.undoAll();
    this.#faults.endAll();
    await this.#heal(working);
    const finals = await this.#readAll();
    this.#operator.stop();
    await this.#stopAll();
    const { losses } = this.#topology;
    const facts = {
      ...{ subject: this.#subject, clients: this.#clients, losses, finals, crdt: this.#crdt },
    };
    for (const group of this.#groups) {
      const { pair } = group;
      for (const each of judgeGroup(group, facts)) this.#add({ pair, ...each });
    }
    this.#judgeErrors();
    const { tally, begun } = this.#calls;
    const ended = Object.values(tally).reduce((a, b) => a + b, 0);
    return {
      keyspace: this.#subject.keyspace.name,
      seed: this.#plan.seed,
      nodes: this.#subject.nodes,
      simulatedMs: this.#world.time.nowMs,
      operations: begun,
      answered: ended === 0 ? 1 : (tally.ok ?? 0) / ended,
      faults: this.#faults.spans,
      findings: this.#findings,
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
    const { driver, time, nodes } = this.#world;
    await driver.run(CHAOS_MS);
    // One node alone has no network that could fail.
    const isEnough = (): boolean =>
      this.#calls.begun >= MIN_OPERATIONS &&
      (this.#nemesis.total >= MIN_FAULTS || nodes.length === 1);
    while (!isEnough() && time.nowMs < LONGEST_CHAOS_MS) await driver.run(MORE_MS);
  }

  async #heal(working: Promise<void>): Promise<void> {
    const { driver, network, nodes } = this.#world;
    network.heal();
    network.conditions = GOOD_NETWORK;
    for (const { id, disk } of nodes) {
      disk.files.capacityBytes = Number.POSITIVE_INFINITY;
      disk.files.resume();
      disk.files.clearFaults();
      this.#world.resume(id);
    }
    this.#operator.letGoOfAll();
    await driver.until(working, HEALED_MS);
    const isWhole = (): boolean => nodes.every((node) => this.#topology.isServing(node));
    const serves = await driver.runWhile(() => !isWhole(), HEALED_MS);
    const { defaults } = this.#subject;
    const sentence = `${HEALED_MS / 1_000} s after all faults have ended not every replica serves again.`;
    this.#findings.push({
      ...{ pair: defaults, check: "serves-again", isPromised: true, judged: 1 },
      ...(serves
        ? { verdict: "legal" }
        : { verdict: "illegal", broken: { sentence, operations: [], violated: undefined } }),
    });
  }

  /** Each key once more, as its clients read it, and as all replicas have it. */
  async #readAll(): Promise<ReadonlyMap<string, FinalRead>> {
    const finals = new Map<string, FinalRead>();
    const strongest = strongestOf(this.#subject);
    for (const { keys, pair, nodes } of this.#groups) {
      const node = this.#world.node(nodes?.[0] ?? (this.#subject.nodes[0] as string));
      for (const key of keys) {
        await this.#readSurely("last", node, key, pair);
        const found = await this.#readSurely("final", node, key, { ...pair, read: strongest });
        if (found === undefined) continue;
        finals.set(key, {
          ...{ result: found, version: found.version, values: valuesOf(found) },
        });
      }
    }
    return finals;
  }

  async #readSurely(client: string, node: SimNode, key: string, pair: LevelPair) {
    const { driver } = this.#world;
    for (let tries = 0; tries < FINAL_TRIES; tries += 1) {
      const reading = this.#clients.read(client, node, key, pair);
      const found = await driver.until(reading, HEALED_MS);
      // Where availability is preferred, less than the level may have answered.
      if (found?.receipt.consistent) return found;
      await driver.run(ASK_AGAIN_MS);
    }
    return undefined;
  }

  async #stopAll(): Promise<void> {
    const { driver, nodes } = this.#world;
    for (const { id, life } of nodes) {
      if (life?.store !== undefined) await driver.until(this.#world.stop(id), HEALED_MS);
      else if (life !== undefined) this.#world.crash(id);
    }
  }

  /** Two groups of keys may be judged by one check at the same levels: it is broken if either is. */
  #add(finding: Finding): void {
    const { pair, check, verdict, judged } = finding;
    const isSame = (each: Finding) =>
      each.check === check && nameOfPair(each.pair) === nameOfPair(pair);
    const at = this.#findings.findIndex(isSame);
    const earlier = this.#findings[at];
    if (earlier === undefined) {
      this.#findings.push(finding);
      return;
    }
    const [worse] = VERDICTS.filter((each) => each === verdict || each === earlier.verdict);
    const told = verdict === worse && earlier.verdict !== worse ? finding : earlier;
    this.#findings[at] = { ...told, judged: judged + earlier.judged };
  }

  /** What a node said of itself that no fault of the run explains. */
  #judgeErrors(): void {
    const messages = this.#world.errors
      .filter(({ node, message }) => !isExplained(message, this.#topology.wasDamaged(node)))
      .map(({ node, message, atMs }) => `${node} at ${atMs.toFixed(1)} ms: ${message}`);
    const [first, ...others] = [...messages, ...this.#operator.surprises];
    if (first === undefined) return;
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    const broken = { sentence: `${first}${more}`, operations: [], violated: undefined };
    this.#findings.push({
      ...{ pair: this.#subject.defaults, check: "no-fault-of-its-own", isPromised: true },
      ...{ verdict: "illegal", judged: messages.length, broken },
    });
  }
}

/** As the keyspace is used; where numbers are kept, increments at its own levels too. */
function drawGroups(
  { pairs, defaults, values, use }: Subject,
  { keysPerGroup }: RunPlan,
  workload: Workload,
): readonly KeyGroup[] {
  const keys = Math.min(2, keysPerGroup);
  const isPlain = use === "register" || use === "siblings";
  const groups = groupsOf(pairs, isPlain && workload === "counter" ? workload : USES[use], keys);
  const isCounted = isPlain && workload === "register" && values.isNumeric;
  return isCounted ? [...groups, ...groupsOf([defaults], "counter", 1)] : groups;
}

const USES: Readonly<Record<KeyspaceUse, GroupWorkload>> = Object.freeze({
  register: "register",
  siblings: "contexts",
  merged: "contexts",
  crdt: "operations",
  unused: "reads",
});

function strongestOf({ description }: Subject): LevelPair["read"] {
  const { readLevels } = description;
  const known = (["all", "strong", "quorum"] as const).find((level) => readLevels.includes(level));
  return known ?? description.readDefault;
}
