import { stampOfRecord } from "../../../built-ins.ts";
import type { StateBatch, StateStore } from "../../../core/contracts/storage.ts";
import { keyspaceHashOf } from "../../../core/model/ids.ts";
import { compareStamps } from "../../../core/model/stamp.ts";
import type { StoreEvent, Written } from "../../../core/store/api.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  type OpenCall,
  stampOrder,
} from "../../../verification/index.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import { Draw } from "../draw.ts";
import { demandEqual, isLarge, LARGE_VALUE_READ, LargeValues, nameIn } from "../large-values.ts";
import { ColdKeys } from "../leaderless/cold-keys.ts";
import { DerivedState } from "../leaderless/derived-state.ts";
import { countReaping, reapAfterMsOf } from "../leaderless/reaping.ts";
import { ShardMoves } from "../leaderless/shard-moves.ts";
import { SideRequests } from "../leaderless/side-requests.ts";
import type {
  CheckReport,
  Circumstances,
  KeyspaceRun,
  KeyspaceScene,
  Violation,
} from "../strategy-scenario.ts";
import { isFloorVersion } from "./floor-version.ts";
import { GROUPS, groupOf, type KeyGroup, LOCAL_GROUPS } from "./groups.ts";
import { holdersOf, stampAt } from "./holders.ts";
import { LocalKeys } from "./local-keys.ts";
import { RisingStamps } from "./rising-stamps.ts";
import { type Acknowledged, checkEvidence } from "./tunable-checks.ts";

/** Of the writes whose outcome is unknown, this share is tried again under the same id. */
const RETRY_SHARE = 0.5;
const MAX_TRIES = 3;
/** Of the operations, this share is followed by reads of the same key through other nodes. */
const CHASE_SHARE = 0.25;
const DELETE_SHARE = 0.08;
/** Of the operations, this share is about datacenters, where there are several. */
const LOCAL_SHARE = 0.35;
/** In this share of the seeds some writes wait for longer than any deadline, and are sent again. */
const PATIENT_SEEDS = 0.3;
const PATIENT_SHARE = 0.3;
/** Of the values, this share is longer than a sector of a disk. */
const LARGE_SHARE = 0.06;
const LARGEST_VALUE = 3_000;
/** Of the writes, this share asks for an id first. */
const OWN_ID_SHARE = 0.2;
const FINAL_TRIES = 30;
const BETWEEN_FINAL_TRIES_MS = 500;
/** After a read of all replicas, until those that were behind hold what it found. */
const REPAIR_MS = 2_000;
const FINAL_READ_MS = 120_000;

/** Clients that write values that are written once, and read them. */
export class TunableRun implements KeyspaceRun {
  readonly #scene: KeyspaceScene;
  readonly #recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
  readonly #acknowledged: Acknowledged[] = [];
  /** Values of writes that were said to have had no effect. */
  readonly #refused = new Set<string>();
  /** Values of writes that ended unknown. */
  readonly #unknown = new Set<string>();
  /** Places, among all operations, of writes that took their stamp themselves, and lost to a newer one. */
  readonly #superseded: number[] = [];
  /** By places among all operations: the epoch of the map by which one was answered. */
  readonly #epochs = new Map<number, number>();
  readonly #hasPatience: boolean;
  #called = 0;
  /** What a read of all replicas found in the end, per key. */
  readonly #finals = new Map<string, string | undefined>();
  /** Keys of these that were not found. */
  readonly #goneInTheEnd = new Set<string>();
  readonly #violations: Violation[] = [];
  readonly #side: SideRequests;
  readonly #moves: ShardMoves;
  readonly #clocks: RisingStamps;
  readonly #derived: DerivedState;
  readonly #local: LocalKeys;
  readonly #large: LargeValues;
  readonly #cold: ColdKeys;
  #largeReads = 0;
  #reaping: Readonly<Record<string, number>> = {};

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    const { time } = scene.world;
    this.#side = new SideRequests(scene, {
      covers: (_key, found, seen) => stampOrder(found, seen) >= 0,
      isFloor: (_key, version) => isFloorVersion(version),
    });
    this.#moves = new ShardMoves(scene);
    this.#clocks = new RisingStamps(scene);
    this.#derived = new DerivedState(scene);
    this.#large = new LargeValues(scene);
    this.#cold = new ColdKeys(scene);
    const { world, keyspace, plan } = scene;
    this.#local = new LocalKeys(world.datacenters, keyspace, plan.keysPerGroup);
    this.#hasPatience = new Draw(scene.world.random("patience")).chance(PATIENT_SEEDS);
    this.#recorder = new HistoryRecorder({ now: () => time.nowMs });
  }

  async operate(
    client: string,
    draw: Draw,
    node: SimNode,
    another: () => SimNode | undefined,
  ): Promise<Ending> {
    this.#moves.begin();
    if (this.#clocks.takes(node)) return this.#clocks.probe(client, node);
    if (this.#cold.takes()) return this.#cold.operate(client, node);
    if (this.#side.takes()) return this.#side.operate(client, node, another);
    const { plan } = this.#scene;
    const isLocal = this.#local.isUsed && draw.chance(LOCAL_SHARE);
    const group = isLocal
      ? drawGroup(draw, undefined, LOCAL_GROUPS)
      : drawGroup(draw, plan.focus, GROUPS);
    const key = this.#local.nameFor(group, node.id, draw.whole(1, plan.keysPerGroup));
    const ending = draw.chance(plan.writeShare)
      ? await this.#write(client, draw, node, group, key)
      : await this.#read(client, node, group, key);
    // What was written, or read, and is not everywhere yet shows in a read elsewhere right after.
    for (let reads = draw.chance(CHASE_SHARE) ? draw.whole(1, 3) : 0; reads > 0; reads -= 1) {
      const next = another();
      if (next === undefined || !this.#local.mayUse(key, next.id)) continue;
      await this.#read(client, next, group, key);
    }
    return ending;
  }

  calm(): void {
    this.#moves.stop();
  }

  settle(): Promise<void> {
    return this.#moves.settle();
  }

  async readAtTheEnd(): Promise<void> {
    const isApart = (key: string): boolean => this.#distinctAt(key).size > 1;
    const keys = [...this.#keys(), ...this.#cold.keys];
    const left = await demandEqual(this.#scene, () => keys.filter(isApart));
    this.#violations.push(...left);
    await this.#side.readAtTheEnd();
    const { driver, nodes } = this.#scene.world;
    for (const key of this.#keys()) {
      const home = this.#local.homeOf(key);
      const node = home === undefined ? (nodes[0] as SimNode) : this.#scene.world.node(home);
      await driver.until(this.#read("last", node, groupOf(key), key), FINAL_READ_MS);
      this.#finals.set(key, await this.#versionOfAll(node, key));
    }
    await driver.run(REPAIR_MS);
    await this.#untilEqual();
    await this.#moves.demandLeft();
    await this.#derived.compareAtTheEnd();
    this.#reaping = countReaping(this.#scene.world, this.#scene.plan.name);
  }

  /** The version of a key never falls at a replica. */
  onCommit(node: string, state: StateStore, { mutations }: StateBatch): void {
    this.#side.look();
    const { hash } = this.#scene.keyspace.keyspace;
    for (const mutation of mutations) {
      if (mutation.type !== "put" || mutation.space !== "data") continue;
      const { shard, key, value, generation } = mutation;
      if (generation !== undefined || keyspaceHashOf(shard) !== hash) continue;
      const held = state.get(shard, "data", key);
      if (held === undefined) continue;
      if (compareStamps(stampOfRecord(value), stampOfRecord(held)) >= 0) continue;
      this.#violate("falling-version", `${node}: ${Buffer.from(key).toString("utf8")}`);
    }
  }

  onEvent(_node: string, event: StoreEvent): void {
    this.#moves.onEvent(event);
  }

  judge({ copyHasCounted }: Circumstances): CheckReport {
    const report = checkEvidence({
      history: this.#recorder.operations(),
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      superseded: this.#superseded,
      epochs: this.#epochs,
      isHeldToLocal: (key) => this.#local.isHeldTo(key),
      switchesOf: (key) => this.#moves.switchesOf(this.#scene.keyspace.shardOf(key)),
      finals: this.#finals,
      losses: this.#scene.topology.losses,
      reapAfterMs: reapAfterMsOf(this.#scene.plan.configuration),
      copyHasCounted,
    });
    return {
      ...report,
      violations: [
        ...this.#violations,
        ...this.#moves.violations,
        ...this.#derived.violations,
        ...(copyHasCounted ? [] : [...this.#side.judge(), ...this.#clocks.judge()]),
        ...report.violations,
      ],
    };
  }

  sometimes(): Readonly<Record<string, number>> {
    const seen = this.#recorder
      .operations()
      .filter(({ input, output }) => input.type === "get" && this.#unknown.has(`${output?.value}`));
    return {
      "an unknown write was seen later": seen.length,
      "datacenters were told apart": this.#local.isUsed ? 1 : 0,
      [LARGE_VALUE_READ]: this.#largeReads,
      ...this.#side.sometimes(),
      ...this.#moves.sometimes(),
      ...this.#derived.sometimes(),
      ...this.#reaping,
    };
  }

  async #read(client: string, node: SimNode, group: KeyGroup, key: string): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const input: KeyValueInput = { type: "get", key };
    const call = this.#recorder.call({ client, node: node.id, level: group.read, input });
    const place = this.#called;
    this.#called += 1;
    try {
      const options = { consistency: group.read };
      const result = await calls.alive(node, calls.keyspaceOf(node, plan.name).get(key, options));
      const found = result.found && !result.conflict ? (result.value as string) : undefined;
      if (found !== undefined && isLarge(found)) this.#largeReads += 1;
      const value = found === undefined ? undefined : nameIn(found);
      const { version } = result;
      calls.noteOk(client, key, `${value} ${version}`);
      const output = { value, ...(version !== undefined && { version }) };
      call.applied(output, { achieved: result.receipt.achieved });
      this.#epochs.set(place, result.receipt.epoch);
      return "ok";
    } catch (error) {
      const { code } = calls.noteFault(client, key, error);
      call.notApplied();
      return code === "down" ? "down" : "fault";
    }
  }

  async #write(
    client: string,
    draw: Draw,
    node: SimNode,
    group: KeyGroup,
    key: string,
  ): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const padding = draw.chance(LARGE_SHARE) ? "-".repeat(draw.whole(200, LARGEST_VALUE)) : "";
    const value = draw.chance(DELETE_SHARE) ? undefined : `v${calls.begun}${padding}`;
    const input: KeyValueInput =
      value === undefined ? { type: "delete", key } : { type: "put", key, value };
    const put = value === undefined ? undefined : this.#large.valueFor(key, value);
    const call = this.#recorder.call({ client, node: node.id, level: group.write, input });
    const place = this.#called;
    this.#called += 1;
    const isPatient = this.#hasPatience && draw.chance(PATIENT_SHARE);
    const patience = isPatient ? { timeoutMs: draw.whole(2_000, 20_000) } : {};
    const minting = this.#clocks.begin(node);
    let operationId: string | undefined;
    let hasOwnId = false;
    let isUnknown = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace = calls.keyspaceOf(node, plan.name);
        if (tries === 1 && draw.chance(OWN_ID_SHARE)) {
          operationId = await calls.alive(node, keyspace.operationId());
          hasOwnId = true;
        }
        const options = {
          ...{ consistency: group.write, ...patience },
          ...(operationId && { operationId }),
        };
        const writing =
          put === undefined ? keyspace.delete(key, options) : keyspace.put(key, put, options);
        const written = await calls.alive(node, writing);
        calls.noteOk(client, key, `${value} ${written.version}`);
        this.#acknowledge(key, written);
        // A stamp of an earlier try, or of before the call, says nothing of the clock now.
        if (operationId === undefined) minting(written.version);
        call.applied({ version: written.version }, { achieved: written.receipt.achieved });
        this.#epochs.set(place, written.receipt.epoch);
        return "ok";
      } catch (error) {
        const fault = calls.noteFault(client, key, error);
        operationId = fault.operationId;
        isUnknown ||= fault.outcome === "unknown";
        const goesOn = fault.outcome === "unknown" && operationId !== undefined;
        if (goesOn && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        if (fault.code === "SUPERSEDED" && !hasOwnId) this.#superseded.push(place);
        this.#end(call, fault.outcome === "applied" ? "applied" : isUnknown, value);
        return fault.code === "down" ? "down" : "fault";
      }
    }
  }

  #acknowledge(key: string, { version }: Written): void {
    const { world, keyspace } = this.#scene;
    const holders = holdersOf(world, keyspace, { key, version });
    const atMs = this.#scene.world.time.nowMs;
    this.#acknowledged.push({ key, version, atMs, holders });
  }

  #end(call: OpenCall<KeyValueOutput>, how: "applied" | boolean, value: string | undefined): void {
    if (how === "applied") call.applied();
    else if (how) {
      call.unknown();
      if (value !== undefined) this.#unknown.add(value);
    } else {
      call.notApplied();
      if (value !== undefined) this.#refused.add(value);
    }
  }

  /** Asked again while the detector of some node still doubts another. */
  async #versionOfAll(node: SimNode, key: string): Promise<string | undefined> {
    const { world, plan } = this.#scene;
    let fault = "";
    for (let tries = 0; tries < FINAL_TRIES; tries += 1) {
      const store = node.life?.store;
      if (store === undefined) {
        await world.driver.run(BETWEEN_FINAL_TRIES_MS);
        continue;
      }
      const reading = store
        .keyspace(plan.name)
        .get(key, { consistency: "all" })
        .catch((error: Error) => error);
      const result = await world.driver.until(reading, FINAL_READ_MS);
      if (result instanceof Error) fault = result.message;
      else if (result.receipt.achieved === "all") {
        if (!result.found) this.#goneInTheEnd.add(key);
        return result.version;
      }
      // Where availability is preferred, less than all may have answered.
      else fault = `only ${result.receipt.achieved} was reached`;
      await world.driver.run(BETWEEN_FINAL_TRIES_MS);
    }
    this.#violate("liveness", `${key}: in the end not all replicas answer: ${fault}`);
    return undefined;
  }

  /**
   * A read of all replicas has mended each key: they hold the same. Of what is deleted one may hold
   * the tombstone for a moment longer than another.
   */
  async #untilEqual(): Promise<void> {
    const { driver } = this.#scene.world;
    for (let tries = 0; tries < FINAL_TRIES; tries += 1) {
      const differing = this.#keys().filter((key) => this.#distinctAt(key).size > 1);
      if (!differing.some((key) => this.#goneInTheEnd.has(key))) break;
      await driver.run(BETWEEN_FINAL_TRIES_MS);
    }
    for (const key of this.#keys()) {
      const held = this.#distinctAt(key);
      if (held.size <= 1) continue;
      const each = [...held].map(([what, ids]) => `${ids.join("+")} ${what}`).join(", ");
      this.#violate("convergence", `${key}: in the end replicas hold different versions: ${each}`);
    }
  }

  /** What replicas hold of the key, with the nodes that hold it. */
  #distinctAt(key: string): ReadonlyMap<string, readonly string[]> {
    const { world, keyspace } = this.#scene;
    const held = new Map<string, readonly string[]>();
    for (const id of keyspace.newestOf(keyspace.shardOf(key))) {
      const stamp = stampAt(world.node(id), keyspace, key);
      const what = stamp === undefined ? "nothing" : JSON.stringify(stamp);
      held.set(what, [...(held.get(what) ?? []), id]);
    }
    return held;
  }

  #keys(): readonly string[] {
    const { keysPerGroup } = this.#scene.plan;
    const numbers = Array.from({ length: keysPerGroup }, (_, index) => index + 1);
    const keys = GROUPS.flatMap(({ name }) => numbers.map((number) => `${name}/${number}`));
    return [...keys, ...this.#local.all()];
  }

  #violate(check: string, message: string): void {
    this.#violations.push({ check, message });
  }
}

function drawGroup(draw: Draw, focus: number | undefined, groups: readonly KeyGroup[]): KeyGroup {
  let left = focus ?? draw.between(0, 1);
  for (const group of groups) {
    left -= group.share;
    if (left < 0) return group;
  }
  return groups[0] as KeyGroup;
}
