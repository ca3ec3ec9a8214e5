import type { StateBatch, StateStore } from "../../../core/contracts/storage.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import { Draw } from "../draw.ts";
import type {
  CheckReport,
  Circumstances,
  KeyspaceRun,
  KeyspaceScene,
} from "../strategy-scenario.ts";
import { ClockSpread } from "./clock-spread.ts";
import { judgeLinearizability } from "./raft-judge.ts";
import { RaftKeys } from "./raft-keys.ts";
import { RAFT_READ_LEVELS, RaftReads, SESSION_READ_LEVELS } from "./raft-reads.ts";
import { RaftRecords } from "./raft-records.ts";
import { RaftSessions } from "./raft-sessions.ts";
import { RaftWrites } from "./raft-writes.ts";
import { ReplicaStates } from "./replica-states.ts";

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
  "a value with a time to live was written",
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
  readonly #states: ReplicaStates;
  readonly #clocks: ClockSpread;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    const { world, plan, keyspace } = scene;
    this.#records = new RaftRecords(() => world.time.nowMs);
    const stream = (name: string) => new Draw(world.random(`${plan.name}/${name}`));
    this.#keys = new RaftKeys(plan.keysPerGroup, stream("keys"));
    this.#sessions = new RaftSessions(stream("sessions"));
    this.#sessionLevels = stream("levels-in-sessions");
    this.#reads = new RaftReads(scene, this.#records, this.#sessions);
    this.#writes = new RaftWrites(scene, this.#records, this.#keys, this.#sessions);
    this.#states = new ReplicaStates(keyspace.keyspace.hash);
    this.#clocks = new ClockSpread(world.nodes.map(({ clock }) => clock));
  }

  async operate(client: string, draw: Draw, node: SimNode): Promise<Ending> {
    this.#clocks.look();
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

  async readAtTheEnd(): Promise<void> {
    const { driver, nodes, time } = this.#scene.world;
    this.#clocks.look();
    const allGoneMs = this.#lastExpiryMs() + this.#clocks.spreadMs + SWEEPING_MS;
    if (time.nowMs < allGoneMs) await driver.run(allGoneMs - time.nowMs);
    for (const key of this.#keys.all) {
      let ending: Ending = "fault";
      for (let tries = 0; tries < FINAL_TRIES && ending !== "ok"; tries += 1) {
        const reading = this.#reads.read(
          "last",
          nodes[tries % nodes.length] as SimNode,
          key,
          "strong",
        );
        ending = await driver.until(reading, FINAL_READ_MS);
        if (ending !== "ok") await driver.run(BETWEEN_FINAL_TRIES_MS);
      }
      if (ending === "ok") continue;
      this.#records.violate("liveness", `${key}: no strong read succeeds in the end`);
    }
    this.#demandGone();
  }

  onCommit(node: string, state: StateStore, batch: StateBatch): void {
    this.#clocks.look();
    this.#states.onCommit(node, state, batch);
  }

  judge({ copyHasCounted }: Circumstances): CheckReport {
    const records = this.#records;
    const violations = [
      ...this.#states.violations,
      ...records.violations,
      ...records.refusedAndSeen(),
    ];
    if (copyHasCounted) return { violations, checked: 0, unknown: 0 };
    const { history } = records;
    const { spreadMs } = this.#clocks;
    violations.push(...this.#sessions.judge(history, spreadMs));
    const { checked, ...report } = judgeLinearizability(history, spreadMs);
    violations.push(...report.violations);
    return { ...report, violations, checked: checked + this.#sessions.events };
  }

  sometimes(): Readonly<Record<string, number>> {
    const records = this.#records;
    for (const { input, output } of records.history) {
      const isSeen = input.type === "get" && records.unknown.has(`${output?.value}`);
      if (isSeen) records.count("an unknown raft write was seen later");
    }
    return Object.fromEntries(RAFT_SOMETIMES.map((name) => [name, records.countOf(name)]));
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
