import type { StateBatch, StateStore } from "../../../core/contracts/storage.ts";
import type { Level } from "../../../core/model/levels.ts";
import { requiredReplicas } from "../../../core/model/quorum.ts";
import type { EmbeddedKeyspace, GetResult, StoreEvent, Written } from "../../../core/store/api.ts";
import { type AcknowledgedWrite, checkLostWrites } from "../../../verification/index.ts";
import { isPromised } from "../../../verification/lost-writes.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import type { Draw } from "../draw.ts";
import { demandEqual, isLarge, LARGE_VALUE_READ, LargeValues } from "../large-values.ts";
import { DerivedState } from "../leaderless/derived-state.ts";
import { HintCrossings } from "../leaderless/hint-crossings.ts";
import { countReaping } from "../leaderless/reaping.ts";
import { isSessionKey } from "../leaderless/session-keys.ts";
import { ShardMoves } from "../leaderless/shard-moves.ts";
import { SideRequests } from "../leaderless/side-requests.ts";
import type {
  CheckReport,
  Circumstances,
  KeyspaceRun,
  KeyspaceScene,
  Violation,
} from "../strategy-scenario.ts";
import { CommitCheck } from "./commit-check.ts";
import { committedRecords } from "./committed-records.ts";
import { DynamoCopies } from "./copies.ts";
import { makeWorkload, type Workload, type WriteCall } from "./workloads.ts";

const KEY_PREFIX = "key/";
const LEVELS: readonly Level[] = Object.freeze(["one", "quorum", "quorum", "all"]);
/** And those of datacenters, where there are several. */
const LOCAL_LEVELS: readonly Level[] = Object.freeze(["local-quorum", "each-quorum"]);
const LOCAL_SHARE = 0.35;
/** Of the writes whose outcome is unknown, this share is tried again under the same id. */
const RETRY_SHARE = 0.5;
const THREE = 3;
const MAX_TRIES = 3;
/** Of the writes, this share asks for an id first. */
const OWN_ID_SHARE = 0.2;
const FINAL_TRIES = 60;
const BETWEEN_FINAL_TRIES_MS = 500;
const FINAL_READ_MS = 120_000;

interface Acknowledged extends AcknowledgedWrite<string> {
  /** Which store it was that held it, by holder. */
  readonly storeIds: ReadonlyMap<string, string>;
}

/** Clients of one dynamo keyspace, and what its promises are judged by. */
export class DynamoRun implements KeyspaceRun {
  readonly #scene: KeyspaceScene;
  readonly #copies: DynamoCopies;
  readonly #workload: Workload;
  readonly #commits: CommitCheck;
  readonly #acknowledged: Acknowledged[] = [];
  readonly #finals = new Map<string, GetResult<unknown> | undefined>();
  readonly #violations: Violation[] = [];
  readonly #side: SideRequests;
  readonly #moves: ShardMoves;
  readonly #derived: DerivedState;
  readonly #hints: HintCrossings;
  /** Whether clients delete keys. */
  readonly #deletes: boolean;
  #reaping: Readonly<Record<string, number>> = {};
  #written = 0;
  readonly #seen = { siblings: 0, three: 0, large: 0, standIns: 0, overEpochs: 0 };
  #deltaGaps = 0;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    this.#moves = new ShardMoves(scene);
    this.#derived = new DerivedState(scene);
    this.#hints = new HintCrossings(scene.keyspace.keyspace.hash);
    this.#copies = new DynamoCopies(scene.world, scene.keyspace);
    const { resolver } = scene.plan.configuration as { readonly resolver?: string };
    this.#workload = makeWorkload(resolver ?? "siblings", scene.instruments?.watched, {
      large: new LargeValues(scene),
      contextOf: (key, version) => this.#copies.contextOf(key, version),
      seenIn: (key, version) => this.#copies.seenIn(key, version),
      losses: () => scene.topology.losses,
      storeIdOf: (node) => this.#copies.storeIdOf(node),
    });
    this.#commits = new CommitCheck(this.#workload);
    const isPlain = resolver === undefined || resolver === "lww";
    this.#side = new SideRequests(scene, this.#copies, isPlain);
    this.#deletes = scene.instruments?.watched === undefined;
  }

  async operate(
    client: string,
    draw: Draw,
    node: SimNode,
    another: () => SimNode | undefined,
  ): Promise<Ending> {
    this.#moves.begin();
    if (this.#side.takes()) return this.#side.operate(client, node, another);
    const { plan, world } = this.#scene;
    const key = `${KEY_PREFIX}${draw.whole(1, plan.keysPerGroup)}`;
    const isLocal = world.datacenters.length > 1 && draw.chance(LOCAL_SHARE);
    const level = draw.pick(isLocal ? LOCAL_LEVELS : LEVELS);
    if (!draw.chance(plan.writeShare)) {
      const read = await this.#read(client, node, key, level);
      return typeof read === "string" ? read : "ok";
    }
    const wantsRead = draw.chance(this.#workload.readFirstShare);
    const read = wantsRead ? await this.#read(client, node, key, level) : undefined;
    if (typeof read === "string") return read;
    const call = this.#workload.draw(draw, key, read, `v${++this.#written}`);
    return this.#write(client, draw, node, level, call);
  }

  calm(): void {
    this.#moves.stop();
  }

  settle(): Promise<void> {
    return this.#moves.settle();
  }

  async readAtTheEnd(): Promise<void> {
    const isApart = (key: string): boolean => this.#distinctCopies(key).size > 1;
    const left = await demandEqual(this.#scene, () => this.#keys().filter(isApart));
    this.#violations.push(...left);
    const node = this.#scene.world.nodes[0] as SimNode;
    for (const key of this.#keys()) this.#finals.set(key, await this.#readAll(node, key));
    for (const key of this.#keys()) await this.#untilEqual(key);
    await this.#moves.demandLeft();
    await this.#side.readAtTheEnd();
    await this.#derived.compareAtTheEnd();
    this.#deltaGaps = this.#countDeltaGaps();
    this.#reaping = countReaping(this.#scene.world, this.#scene.plan.name);
  }

  onEvent(_node: string, event: StoreEvent): void {
    this.#moves.onEvent(event);
  }

  onCommit(node: string, state: StateStore, batch: StateBatch): void {
    this.#side.look();
    this.#hints.onCommit(node, batch, this.#scene.world.time.nowMs);
    const { hash } = this.#scene.keyspace.keyspace;
    for (const { key, record, held } of committedRecords(hash, state, batch)) {
      if (isSessionKey(key)) this.#copies.noteNames(key, record);
      // What becomes of the others is judged by what their clients are told.
      if (!key.startsWith(KEY_PREFIX)) continue;
      const before = held();
      this.#commits.onPut(node, key, before, record);
      const atMs = this.#scene.world.time.nowMs;
      this.#workload.noteCommit?.({ node, atMs, key, held: before, record });
    }
  }

  judge({ copyHasCounted }: Circumstances): CheckReport {
    const outcomes = this.#workload.judgeOutcomes();
    if (copyHasCounted) return { violations: outcomes, checked: 0, unknown: 0 };
    const { losses } = this.#scene.topology;
    const promised = new Set(
      this.#acknowledgedByName()
        .filter((each) => isPromised(each, losses))
        .map(({ version }) => version),
    );
    const finals = [...this.#finals].map(([key, result]) => ({
      key,
      result,
      known:
        result?.version === undefined ? undefined : this.#copies.contextOf(key, result.version),
      covers: (version: string) =>
        result?.version !== undefined &&
        this.#copies.covers(key, result.version, version) &&
        // A floor covers what went with its only holders, too: of that nothing was promised.
        (this.#copies.names(key, result.version, version) || promised.has(`${key}\n${version}`)),
    }));
    return {
      violations: [
        ...outcomes,
        ...this.#violations,
        ...this.#moves.violations,
        ...this.#derived.violations,
        ...this.#commits.violations(),
        ...this.#side.judge(),
        ...this.#lostWrites(),
        ...finals.flatMap((final) => this.#workload.judgeFinal(final)),
      ],
      checked: this.#acknowledged.length,
      unknown: 0,
    };
  }

  sometimes(): Readonly<Record<string, number>> {
    const deleted = [...this.#finals.values()].filter((final) => final?.found === false);
    return {
      ...this.#side.sometimes(),
      ...this.#moves.sometimes(),
      ...this.#reaping,
      ...this.#derived.sometimes(),
      ...this.#hints.sometimes(),
      "siblings were read": this.#seen.siblings,
      "three siblings were read": this.#seen.three,
      [LARGE_VALUE_READ]: this.#seen.large,
      "a delta met a gap": this.#deltaGaps,
      "a write was in flight over a change of epoch": this.#seen.overEpochs,
      "a stand-in took a write": this.#seen.standIns,
      "a deletion was final": deleted.filter((final) => final?.version !== undefined).length,
    };
  }

  async #read(
    client: string,
    node: SimNode,
    key: string,
    level: Level,
  ): Promise<GetResult<unknown> | Ending> {
    const { calls, plan } = this.#scene;
    try {
      const asking = calls.keyspaceOf(node, plan.name).get(key, { consistency: level });
      const result = await calls.alive(node, asking);
      const siblings = result.found && result.conflict ? result.siblings.length : 0;
      this.#seen.siblings += siblings > 0 ? 1 : 0;
      this.#seen.three += siblings >= THREE ? 1 : 0;
      const isOne = result.found && !result.conflict;
      this.#seen.large += isOne && isLarge(String(result.value)) ? 1 : 0;
      this.#workload.noteRead(key, result);
      calls.noteOk(client, key, JSON.stringify(result.found ? result.version : null));
      return result;
    } catch (error) {
      return calls.noteFault(client, key, error).code === "down" ? "down" : "fault";
    }
  }

  async #write(
    client: string,
    draw: Draw,
    node: SimNode,
    level: Level,
    call: WriteCall,
  ): Promise<Ending> {
    const { calls, plan } = this.#scene;
    let operationId: string | undefined;
    let isUnknown = false;
    this.#workload.begun(call);
    const beganAtMs = this.#scene.world.time.nowMs;
    const epochs = this.#epochsOf(call.key);
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace: EmbeddedKeyspace = calls.keyspaceOf(node, plan.name);
        if (tries === 1 && draw.chance(OWN_ID_SHARE)) {
          operationId = await calls.alive(node, keyspace.operationId());
        }
        const options = { consistency: level, ...(operationId && { operationId }) };
        const written = await calls.alive(node, call.send(keyspace, options));
        calls.noteOk(client, call.key, `${call.id} ${written.version}`);
        this.#acknowledge(call, written);
        if (this.#epochsOf(call.key) > epochs) this.#seen.overEpochs += 1;
        if (call.isDeletion === true) this.#hints.onDeleted(call.key, beganAtMs);
        return "ok";
      } catch (error) {
        const fault = calls.noteFault(client, call.key, error);
        operationId = fault.operationId;
        isUnknown ||= fault.outcome !== "not-applied";
        const goesOn = fault.outcome === "unknown" && operationId !== undefined;
        if (goesOn && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        this.#workload.failed(call, isUnknown);
        return fault.code === "down" ? "down" : "fault";
      }
    }
  }

  /** How many switches of its shard are known of. */
  #epochsOf(key: string): number {
    return this.#moves.switchesOf(this.#scene.keyspace.shardOf(key)).length;
  }

  /** Since the last start of each node. */
  #countDeltaGaps(): number {
    const { world, plan } = this.#scene;
    return world.running().reduce((total, { life }) => {
      const shards = (life?.store?.keyspace(plan.name).describe().shards ?? []) as readonly {
        readonly deltaGaps?: number;
      }[];
      return shards.reduce((sum, { deltaGaps = 0 }) => sum + deltaGaps, total);
    }, 0);
  }

  #acknowledge(call: WriteCall, { version, receipt }: Written): void {
    const { key } = call;
    if (receipt.consistent) this.#checkConsistent(key, version, receipt.asked);
    this.#seen.standIns += receipt.replicas.standIns > 0 ? 1 : 0;
    this.#workload.acknowledged(call, version);
    const holders = this.#copies.holdersOf(key, version);
    const acknowledgedAt = this.#scene.world.time.nowMs;
    const storeIds = new Map(holders.map((id) => [id, this.#copies.storeIdOf(id)]));
    this.#acknowledged.push({ key, version, acknowledgedAt, holders, storeIds });
  }

  /** As many replicas hold it as the level asks for, as far as that can be seen. */
  #checkConsistent(key: string, version: string, asked: Level): void {
    const { world, topology } = this.#scene;
    const sets = this.#copies.decidersOf(key);
    // One that is not up, or was not all along, may have held it when it said so.
    const isSeen = (id: string) => topology.isServing(world.node(id));
    if (topology.losses.length > 0 || !sets.flat().every(isSeen)) return;
    const held = this.#copies.holdersOf(key, version);
    // Whoever holds it for a moved shard hands it over before it goes.
    const isCounted = (id: string) => this.#copies.wasMoved(key) || sets.flat().includes(id);
    const holders = held.filter(isCounted);
    const needed = Math.min(...sets.map((set) => requiredReplicas(asked, set.length) ?? 1));
    if (holders.length >= needed) return;
    const by = holders.join(", ");
    this.#violate("consistent", `${key}: said to be held as ${asked} asks for, by ${by} alone`);
  }

  /** Acknowledged writes, each version together with its key. */
  #acknowledgedByName(): readonly AcknowledgedWrite<string>[] {
    return this.#acknowledged.map((each) => ({
      ...each,
      // A store that was found to be an old copy is set aside, with all that it took since then.
      holders: each.holders.filter((id) => each.storeIds.get(id) === this.#copies.storeIdOf(id)),
      version: `${each.key}\n${each.version}`,
    }));
  }

  #lostWrites(): Violation[] {
    const finals = new Map(
      [...this.#finals].map(([key, final]) => [
        key,
        // A floor covers all that is gone: nothing may be where nothing is deleted.
        final?.version === undefined || (!final.found && !this.#deletes)
          ? []
          : [`${key}\n${final.version}`],
      ]),
    );
    const result = checkLostWrites({
      acknowledged: this.#acknowledgedByName(),
      wiped: this.#scene.topology.losses,
      finals,
      covers: (found, written) => {
        const [key = "", version = ""] = found.split("\n");
        return this.#copies.covers(key, version, written.split("\n")[1] ?? "");
      },
    });
    return result.violations.map(({ write }) => ({
      check: "lost-write",
      message:
        `${write.key}: acknowledged at ${write.acknowledgedAt.toFixed(1)} ms, held by ` +
        `${write.holders.join(", ")}; in the end nobody knows of it`,
    }));
  }

  /** Asked again while the detector of some node still doubts another. */
  async #readAll(node: SimNode, key: string): Promise<GetResult<unknown> | undefined> {
    const { world, plan } = this.#scene;
    let fault = "";
    for (let tries = 0; tries < FINAL_TRIES; tries += 1) {
      const store = node.life?.store;
      const reading = store
        ?.keyspace(plan.name)
        .get(key, { consistency: "all" })
        .catch((error: Error) => error);
      if (reading !== undefined && this.#isHandedOver()) {
        const result = await world.driver.until(reading, FINAL_READ_MS);
        if (result instanceof Error) fault = result.message;
        else if (result.receipt.achieved === "all") return result;
        else fault = `only ${result.receipt.achieved} was reached`;
      }
      await world.driver.run(BETWEEN_FINAL_TRIES_MS);
    }
    if (this.#isHandedOver()) {
      this.#violate("liveness", `${key}: in the end not all replicas answer: ${fault}`);
    } else this.#violate("hints-left", `${key}: in the end copies are left that others have`);
    return undefined;
  }

  /** No node has a copy left that it only holds for others. */
  #isHandedOver(): boolean {
    const { world, plan } = this.#scene;
    return world.running().every(({ life }) => {
      const described = life?.store?.keyspace(plan.name).describe();
      const shards = (described?.shards ?? []) as readonly {
        readonly hints?: { readonly held: number };
      }[];
      return shards.every(({ hints }) => hints === undefined || hints.held === 0);
    });
  }

  /** Replicas are byte-equal soon after everybody can talk to everybody. */
  async #untilEqual(key: string): Promise<void> {
    const { world } = this.#scene;
    for (let tries = 0; tries < FINAL_TRIES; tries += 1) {
      if (this.#distinctCopies(key).size <= 1) return;
      await world.driver.run(BETWEEN_FINAL_TRIES_MS);
    }
    const distinct = this.#distinctCopies(key).size;
    this.#violate("convergence", `${key}: replicas hold ${distinct} different records in the end`);
  }

  #distinctCopies(key: string): ReadonlySet<string> {
    const { world } = this.#scene;
    const placed = this.#copies.replicasOf(key);
    const nodes = world.running().filter(({ id }) => placed.includes(id));
    return new Set(
      nodes.map((node) => {
        const record = this.#copies.recordAt(node, key);
        return record === undefined ? "" : Buffer.from(record).toString("base64");
      }),
    );
  }

  #keys(): readonly string[] {
    const { keysPerGroup } = this.#scene.plan;
    return Array.from({ length: keysPerGroup }, (_, index) => `${KEY_PREFIX}${index + 1}`);
  }

  #violate(check: string, message: string): void {
    this.#violations.push({ check, message });
  }
}
