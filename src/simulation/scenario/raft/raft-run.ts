import { raftBooksOf } from "../../../built-ins.ts";
import type { StateBatch, StateMutation, StateStore } from "../../../core/contracts/storage.ts";
import { keyspaceHashOf, type ShardId } from "../../../core/model/ids.ts";
import type { ConditionalWritten, EmbeddedKeyspace, Written } from "../../../core/store/api.ts";
import { checkLinearizable, HistoryRecorder, type OpenCall } from "../../../verification/index.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import type { Draw } from "../draw.ts";
import type {
  CheckReport,
  Circumstances,
  KeyspaceRun,
  KeyspaceScene,
  Violation,
} from "../strategy-scenario.ts";
import {
  conditionalRegister,
  type RaftInput,
  type RaftOperation,
  type RaftOutput,
} from "./conditional-register.ts";

/** Of the writes whose outcome is unknown, this share is tried again under the same id. */
const RETRY_SHARE = 0.4;
/** And this share is settled by `resolve`. */
const RESOLVE_SHARE = 0.3;
const MAX_TRIES = 3;
const DELETE_SHARE = 0.1;
const CONDITIONAL_SHARE = 0.4;
const OWN_ID_SHARE = 0.2;
const FINAL_TRIES = 30;
const BETWEEN_FINAL_TRIES_MS = 500;
const FINAL_READ_MS = 120_000;

const LEVELS = Object.freeze(["strong", "strong", "lease", "follower", "stale"] as const);
/** Reads at these are one history with all writes. */
const LINEARIZABLE = Object.freeze(["strong", "lease", "follower"]);

/** Clients that read, write and write conditionally, each value once. */
export class RaftRun implements KeyspaceRun {
  readonly #scene: KeyspaceScene;
  readonly #recorder: HistoryRecorder<RaftInput, RaftOutput>;
  readonly #refused = new Set<string>();
  readonly #unknown = new Set<string>();
  /** What is known of each key: some version that it had, and the value of that. */
  readonly #versions = new Map<string, { readonly version: string; readonly value: string }>();
  /** By shard, life and index: the chain of the first replica that has applied so far. */
  readonly #chains = new Map<string, { readonly chain: number; readonly node: string }>();
  readonly #violations: Violation[] = [];
  #rejections = 0;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    const { time } = scene.world;
    this.#recorder = new HistoryRecorder({ now: () => time.nowMs });
  }

  async operate(client: string, draw: Draw, node: SimNode): Promise<Ending> {
    const { plan } = this.#scene;
    const key = `k${draw.whole(1, plan.keysPerGroup)}`;
    return draw.chance(plan.writeShare)
      ? this.#write(client, draw, node, key)
      : this.#read(client, node, key, LEVELS[draw.whole(0, LEVELS.length - 1)] ?? "strong");
  }

  async readAtTheEnd(): Promise<void> {
    const { driver, nodes } = this.#scene.world;
    for (const key of this.#keys()) {
      let ending: Ending = "fault";
      for (let tries = 0; tries < FINAL_TRIES && ending !== "ok"; tries += 1) {
        const reading = this.#read("last", nodes[tries % nodes.length] as SimNode, key, "strong");
        ending = await driver.until(reading, FINAL_READ_MS);
        if (ending !== "ok") await driver.run(BETWEEN_FINAL_TRIES_MS);
      }
      if (ending !== "ok") this.#violate("liveness", `${key}: no strong read succeeds in the end`);
    }
  }

  /** Equal states at equal indices, and an index that never falls. */
  onCommit(node: string, state: StateStore, { mutations }: StateBatch): void {
    const { hash } = this.#scene.keyspace.keyspace;
    for (const mutation of mutations) {
      if (mutation.type !== "put" || mutation.space !== "data") continue;
      if (keyspaceHashOf(mutation.shard) !== hash) continue;
      const books = raftBooksOf(mutation.key, mutation.value);
      if (books === undefined) continue;
      this.#checkChain(node, mutation.shard, books);
      this.#checkRise(node, state, mutation, books.appliedIndex);
    }
  }

  judge({ copyHasCounted }: Circumstances): CheckReport {
    const history = this.#recorder.operations();
    const violations = [...this.#violations, ...this.#refusedAndSeen(history)];
    if (copyHasCounted) return { violations, checked: 0, unknown: 0 };
    const part = history.filter(
      ({ input, level }) => input.type !== "get" || LINEARIZABLE.includes(level ?? ""),
    );
    const result = checkLinearizable(conditionalRegister, part);
    if (result.verdict === "illegal") {
      const { keys, counterexample } = result;
      const message = `${keys.join(", ")}: ${describe(counterexample)}`;
      violations.push({ check: "linearizability", message });
    }
    return { violations, checked: part.length, unknown: result.verdict === "unknown" ? 1 : 0 };
  }

  sometimes(): Readonly<Record<string, number>> {
    const seen = this.#recorder
      .operations()
      .filter(({ input, output }) => input.type === "get" && this.#unknown.has(`${output?.value}`));
    return {
      "a conditional write was refused": this.#rejections,
      "an unknown raft write was seen later": seen.length,
    };
  }

  async #read(
    client: string,
    node: SimNode,
    key: string,
    level: (typeof LEVELS)[number],
  ): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const call = this.#recorder.call({ client, node: node.id, level, input: { type: "get", key } });
    try {
      const keyspace = calls.keyspaceOf(node, plan.name);
      const result = await calls.alive(node, keyspace.get(key, { consistency: level }));
      const value = result.found && !result.conflict ? (result.value as string) : undefined;
      const { version } = result;
      if (version !== undefined && value !== undefined) this.#versions.set(key, { version, value });
      calls.noteOk(client, key, `${value} ${version}`);
      call.applied(value === undefined ? {} : { value }, { achieved: result.receipt.achieved });
      return "ok";
    } catch (error) {
      const { code } = calls.noteFault(client, key, error);
      call.notApplied();
      return code === "down" ? "down" : "fault";
    }
  }

  async #write(client: string, draw: Draw, node: SimNode, key: string): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const value = draw.chance(DELETE_SHARE) ? undefined : `v${calls.begun}`;
    const condition = this.#drawCondition(draw, key);
    const input: RaftInput =
      condition === undefined
        ? { type: "set", key, value }
        : { type: "set-if", key, expected: condition.expected, value };
    const call = this.#recorder.call({ client, node: node.id, level: "strong", input });
    let operationId: string | undefined;
    let isUnknown = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace = calls.keyspaceOf(node, plan.name);
        if (tries === 1 && draw.chance(OWN_ID_SHARE)) {
          operationId = await calls.alive(node, keyspace.operationId());
        }
        const options = { ...condition?.options, ...(operationId && { operationId }) };
        const written = await calls.alive(node, writeTo(keyspace, key, value, options));
        this.#written(client, key, value, call, written);
        return "ok";
      } catch (error) {
        const fault = calls.noteFault(client, key, error);
        operationId = fault.operationId ?? operationId;
        isUnknown ||= fault.outcome === "unknown";
        const mayAskAgain = fault.outcome === "unknown" && fault.operationId !== undefined;
        if (mayAskAgain && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        const settled =
          mayAskAgain && draw.chance(RESOLVE_SHARE)
            ? await this.#resolve(node, fault.operationId as string)
            : "unknown";
        this.#end(call, isUnknown ? settled : "not-applied", value, condition !== undefined);
        return fault.code === "down" ? "down" : "fault";
      }
    }
  }

  #drawCondition(draw: Draw, key: string) {
    if (!draw.chance(CONDITIONAL_SHARE)) return undefined;
    const known = this.#versions.get(key);
    if (known === undefined || draw.chance(0.3)) {
      return { expected: undefined, options: { ifAbsent: true } };
    }
    return { expected: known.value, options: { ifVersion: known.version } };
  }

  #written(
    client: string,
    key: string,
    value: string | undefined,
    call: OpenCall<RaftOutput>,
    written: Written | ConditionalWritten<unknown>,
  ): void {
    const { calls } = this.#scene;
    if ("ok" in written && !written.ok) {
      this.#rejections += 1;
      if (value !== undefined) this.#refused.add(value);
      calls.noteOk(client, key, `rejected ${written.reason}`);
      call.applied({ isDone: false });
      return;
    }
    const { version, receipt } = written;
    calls.noteOk(client, key, `${value} ${version}`);
    if (value !== undefined) this.#versions.set(key, { version, value });
    call.applied("ok" in written ? { isDone: true } : {}, { achieved: receipt.achieved });
  }

  async #resolve(node: SimNode, operationId: string) {
    const store = node.life?.store;
    if (store === undefined) return "unknown" as const;
    try {
      return (await this.#scene.calls.alive(node, store.resolve(operationId))).outcome;
    } catch {
      return "unknown" as const;
    }
  }

  #end(
    call: OpenCall<RaftOutput>,
    outcome: "applied" | "not-applied" | "unknown",
    value: string | undefined,
    isConditional: boolean,
  ): void {
    if (outcome === "applied") call.applied(isConditional ? { isDone: true } : {});
    else if (outcome === "unknown") call.unknown();
    else call.notApplied();
    if (value === undefined) return;
    if (outcome === "unknown") this.#unknown.add(value);
    if (outcome === "not-applied") this.#refused.add(value);
  }

  #checkChain(
    node: string,
    shard: ShardId,
    { appliedIndex, salt, chain }: { appliedIndex: number; salt: number; chain: number },
  ): void {
    const place = `${shard}/${salt}/${appliedIndex}`;
    const first = this.#chains.get(place);
    if (first === undefined) this.#chains.set(place, { chain, node });
    else if (first.chain !== chain) {
      this.#violate(
        "equal-states",
        `${node} and ${first.node} have applied ${appliedIndex} entries of shard ${shard}, and differ`,
      );
    }
  }

  #checkRise(
    node: string,
    state: StateStore,
    { shard, key, generation }: Extract<StateMutation, { type: "put" }>,
    appliedIndex: number,
  ): void {
    const held = generation === undefined ? state.get(shard, "data", key) : undefined;
    const before = held === undefined ? undefined : raftBooksOf(key, held)?.appliedIndex;
    if (before === undefined || before <= appliedIndex) return;
    this.#violate("applied-falls", `${node}: from ${before} to ${appliedIndex} in shard ${shard}`);
  }

  #refusedAndSeen(history: readonly RaftOperation[]): Violation[] {
    return history.flatMap(({ input, output }): Violation[] => {
      const value = output?.value;
      if (input.type !== "get" || value === undefined || !this.#refused.has(value)) return [];
      const message = `${input.key}: a read found ${value}, whose write was said not to be applied`;
      return [{ check: "outcome", message }];
    });
  }

  #keys(): readonly string[] {
    const { keysPerGroup } = this.#scene.plan;
    return Array.from({ length: keysPerGroup }, (_, index) => `k${index + 1}`);
  }

  #violate(check: string, message: string): void {
    this.#violations.push({ check, message });
  }
}

function writeTo(
  keyspace: EmbeddedKeyspace,
  key: string,
  value: string | undefined,
  options: Readonly<Record<string, unknown>>,
): Promise<Written | ConditionalWritten<unknown>> {
  return value === undefined ? keyspace.delete(key, options) : keyspace.put(key, value, options);
}

function describe(counterexample: unknown): string {
  const { operations } = counterexample as { operations?: readonly RaftOperation[] };
  if (operations === undefined) return JSON.stringify(counterexample);
  return operations
    .map(({ client, level, input, output, outcome, calledAt, returnedAt }) => {
      const what = input.type === "get" ? `${level} ${output?.value}` : `${input.value}`;
      const when = input.type === "set-if" ? ` if ${input.expected} ${output?.isDone}` : "";
      return `[${calledAt}–${returnedAt}] ${client} ${input.type} ${what}${when} ${outcome}`;
    })
    .join("; ");
}
