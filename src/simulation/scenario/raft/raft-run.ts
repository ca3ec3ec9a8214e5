import type { StateBatch, StateStore } from "../../../core/contracts/storage.ts";
import type { StoreEvent } from "../../../core/store/api.ts";
import type { SimNode } from "../../sim-node.ts";
import type { LogNews } from "../../watched-log.ts";
import type { Ending } from "../client-calls.ts";
import { Draw } from "../draw.ts";
import { LARGE_VALUE_READ } from "../large-values.ts";
import type {
  CheckReport,
  Circumstances,
  KeyspaceRun,
  KeyspaceScene,
} from "../strategy-scenario.ts";
import { ClockSpread } from "./clock-spread.ts";
import { demandEveryShard } from "./every-shard.ts";
import { judgeLinearizability } from "./raft-judge.ts";
import { RaftKeys } from "./raft-keys.ts";
import { RARITIES_SOMETIMES, RaftRarities } from "./raft-rarities.ts";
import { RAFT_READ_LEVELS, RaftReads, SESSION_READ_LEVELS } from "./raft-reads.ts";
import { RaftRecords } from "./raft-records.ts";
import { RaftSessions } from "./raft-sessions.ts";
import { RaftWatches } from "./raft-watches.ts";
import { RaftWrites } from "./raft-writes.ts";
import { MOVES_SOMETIMES, ReplicaMoves } from "./replica-moves.ts";
import { ReplicaStates } from "./replica-states.ts";
import { ReplicaTerms } from "./replica-terms.ts";
import { SafetyWatch } from "./safety-watch.ts";
import { WatchJudge } from "./watch-judge.ts";

const FINAL_TRIES = 30;
const BETWEEN_FINAL_TRIES_MS = 500;
const FINAL_READ_MS = 120_000;
/** What is due has been swept by a leader that is there. */
const SWEEPING_MS = 3_000;

/** Rare states that a long run has to reach. */
export const RAFT_SOMETIMES: readonly string[] = Object.freeze([
  "a conditional write was refused",
  "an unknown raft write was seen later",
  "an unknown raft write was resolved",
  "a batch of several keys was written",
  LARGE_VALUE_READ,
  "a value with a time to live was written",
  ...MOVES_SOMETIMES,
  "many raft shards were all led in the end",
  "a watch was told of a gap",
  "a watch was told of an expiry",
  ...RARITIES_SOMETIMES,
]);

/** Clients that read, write and write conditionally, each value once. */
export class RaftRun implements KeyspaceRun {
  readonly #scene: KeyspaceScene;
  readonly #records: RaftRecords;
  readonly #keys: RaftKeys;
  readonly #sessions: RaftSessions;
  readonly #sessionLevels: Draw;
  readonly #reads: RaftReads;
  readonly #writes: RaftWrites;
  readonly #watches: RaftWatches;
  readonly #moves: ReplicaMoves;
  readonly #states: ReplicaStates;
  readonly #safety: SafetyWatch;
  readonly #rarities: RaftRarities;
  readonly #terms: ReplicaTerms;
  readonly #clocks: ClockSpread;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    const { world, plan, keyspace } = scene;
    this.#records = new RaftRecords(() => world.time.nowMs);
    const stream = (name: string) => new Draw(world.random(`${plan.name}/${name}`));
    this.#keys = new RaftKeys(plan.keysPerGroup, stream("keys"));
    this.#sessions = new RaftSessions(stream("sessions"));
    this.#sessionLevels = stream("levels-in-sessions");
    this.#rarities = new RaftRarities(scene);
    this.#reads = new RaftReads(scene, this.#records, this.#sessions, this.#rarities);
    this.#writes = new RaftWrites(scene, this.#records, this.#keys, this.#sessions);
    this.#watches = new RaftWatches(scene, this.#records);
    this.#moves = new ReplicaMoves(scene, this.#records, stream("moves"));
    this.#states = new ReplicaStates(keyspace.keyspace.hash);
    this.#safety = new SafetyWatch(scene);
    this.#terms = new ReplicaTerms(scene, (...said) => this.#safety.onCommitIndex(...said));
    this.#clocks = new ClockSpread(world.nodes.map(({ clock }) => clock));
  }

  async operate(client: string, draw: Draw, node: SimNode): Promise<Ending> {
    this.#clocks.look();
    this.#watches.begin();
    this.#moves.begin();
    this.#terms.begin();
    const key = draw.pick(this.#keys.all);
    const session = this.#sessions.tokenFor(client);
    if (draw.chance(this.#scene.plan.writeShare)) {
      return this.#writes.write(client, draw, node, key, session);
    }
    const level =
      session === undefined
        ? draw.pick(RAFT_READ_LEVELS)
        : this.#sessionLevels.pick(SESSION_READ_LEVELS);
    return this.#reads.read(client, node, key, level, session);
  }

  calm(): void {
    this.#moves.stop();
  }

  hasActed(): boolean {
    return this.#moves.hasMoved;
  }

  settle(): Promise<void> {
    return this.#moves.settle();
  }

  async readAtTheEnd(): Promise<void> {
    const { driver, time } = this.#scene.world;
    this.#clocks.look();
    const allGoneMs = this.#lastExpiryMs() + this.#clocks.spreadMs + SWEEPING_MS;
    if (time.nowMs < allGoneMs) await driver.run(allGoneMs - time.nowMs);
    await this.#watches.goOnForGood();
    for (const key of this.#keys.all) {
      await this.#insist(`${key}: no strong read succeeds in the end`, (node) =>
        this.#reads.read("last", node, key, "strong"),
      );
    }
    await demandEveryShard(this.#scene, this.#records);
    this.#demandGone();
    if (this.#watches.isOn) await this.#writeForWatches();
    this.#watches.end();
    this.#terms.stop();
    await this.#safety.readLogs();
  }

  /** What is written now they are told, whatever has happened to the shard before. */
  async #writeForWatches(): Promise<void> {
    const sinceMs = this.#scene.world.time.nowMs;
    const values: string[] = [];
    for (const key of this.#keys.all) {
      let tries = 0;
      // Each try has a value of its own: one that was refused is not to be seen.
      const valueOfTry = () => `told/${key}/${tries}`;
      await this.#insist(`${key}: no write succeeds in the end`, (node) => {
        tries++;
        return this.#writes.put("last", node, key, valueOfTry());
      });
      values.push(valueOfTry());
    }
    await this.#watches.demandToldOf(values, sinceMs);
  }

  /** Asks one node after the other. */
  async #insist(missed: string, ask: (node: SimNode) => Promise<Ending>): Promise<void> {
    const { driver, nodes } = this.#scene.world;
    for (let tries = 0; tries < FINAL_TRIES; tries += 1) {
      const asking = ask(nodes[tries % nodes.length] as SimNode);
      if ((await driver.until(asking, FINAL_READ_MS)) === "ok") return;
      await driver.run(BETWEEN_FINAL_TRIES_MS);
    }
    this.#records.violate("liveness", missed);
  }

  onCommit(node: string, state: StateStore, batch: StateBatch): void {
    this.#clocks.look();
    this.#states.onCommit(node, state, batch);
    this.#safety.onCommit(node, batch);
  }

  onLog(node: string, news: LogNews): void {
    this.#safety.onLog(node, news);
  }

  onEvent(node: string, event: StoreEvent): void {
    this.#safety.onEvent(node, event);
    this.#rarities.onEvent(node, event);
  }

  judge({ copyHasCounted }: Circumstances): CheckReport {
    const records = this.#records;
    const violations = [...records.violations, ...records.refusedAndSeen()];
    // Two majorities may have committed different entries in one place, and one of them gives way.
    if (copyHasCounted) return { violations, checked: 0, unknown: 0 };
    violations.push(...this.#states.violations, ...this.#terms.violations);
    violations.push(...this.#writes.quorum.violations, ...this.#safety.violations);
    violations.push(...this.#moves.violations);
    const { history } = records;
    const { spreadMs } = this.#clocks;
    violations.push(...this.#sessions.judge(history, spreadMs));
    const { checked, ...report } = judgeLinearizability(history, spreadMs);
    violations.push(...report.violations);
    const { keyspace } = this.#scene;
    const watches = new WatchJudge(history, records.refused, (key) => keyspace.shardOf(key));
    watches.judge(this.#watches.stints);
    violations.push(...watches.violations);
    const judged = checked + this.#sessions.events + watches.checked + this.#writes.quorum.judged;
    return { ...report, violations, checked: judged };
  }

  sometimes(): Readonly<Record<string, number>> {
    const records = this.#records;
    for (const { input, output } of records.history) {
      const isSeen = input.type === "get" && records.unknown.has(`${output?.value}`);
      if (isSeen) records.count("an unknown raft write was seen later");
    }
    return {
      ...Object.fromEntries(RAFT_SOMETIMES.map((name) => [name, records.countOf(name)])),
      ...this.#rarities.sometimes(),
      "a watch was told of a gap": this.#watches.countOf("gap"),
      "a watch was told of an expiry": this.#watches.countOf("expire"),
    };
  }

  /** By the clock that is right; 0 if nothing was to expire. */
  #lastExpiryMs(): number {
    return this.#records.history.reduce((last, { input, outcome, calledAtMs, returnedAtMs }) => {
      if (input.type !== "write" || input.ttlMs === undefined) return last;
      if (outcome === "not-applied") return last;
      return Math.max(last, (returnedAtMs ?? calledAtMs ?? 0) + input.ttlMs);
    }, 0);
  }

  /** Of what was surely written before its time nothing is there after it. */
  #demandGone(): void {
    const due = new Set<string | undefined>();
    for (const { input, outcome } of this.#records.history) {
      if (input.type !== "write" || input.ttlMs === undefined || outcome !== "applied") continue;
      for (const { value } of input.writes) due.add(value);
    }
    for (const { client, input, output } of this.#records.history) {
      if (client !== "last" || input.type !== "get" || output?.value === undefined) continue;
      if (!due.has(output.value)) continue;
      const message = `${input.key}: ${output.value} is still there long after its time`;
      this.#records.violate("expiry", message);
    }
  }
}
