import type {
  ConditionalWritten,
  EmbeddedKeyspace,
  ManyResult,
  Written,
} from "../../../core/store/api.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import { Draw } from "../draw.ts";
import { LargeValues, nameIn } from "../large-values.ts";
import type { KeyspaceScene } from "../strategy-scenario.ts";
import { type AskedWrite, DurableQuorum } from "./durable-quorum.ts";
import type { RaftKeys } from "./raft-keys.ts";
import type { RaftInput, RaftOutput, RaftWrite } from "./raft-model.ts";
import type { RaftCall, RaftRecords } from "./raft-records.ts";
import type { RaftSessions } from "./raft-sessions.ts";

/** Of the writes whose outcome is unknown, this share is tried again under the same id. */
const RETRY_SHARE = 0.4;
/** And this share is settled by `resolve`. */
const RESOLVE_SHARE = 0.3;
const MAX_TRIES = 3;
const DELETE_SHARE = 0.1;
const CONDITIONAL_SHARE = 0.4;
const OWN_ID_SHARE = 0.2;
/** Of the seeds, so many write batches, and times to live; and in those this share of the writes. */
const SEEDS_WITH_BATCHES = 0.6;
const BATCH_SHARE = 0.3;
const SEEDS_WITH_EXPIRY = 0.6;
const EXPIRY_SHARE = 0.4;
const MODIFY_SHARE = 0.1;
/** From one that is over before anybody looks, to one beyond what clocks differ by. */
const TTL_MS: readonly [number, number] = Object.freeze([20, 20_000] as const);

type Answer = Written | ConditionalWritten<unknown> | readonly ManyResult<Written>[];
type WriteInput = Extract<RaftInput, { type: "write" }>;

interface AskOptions {
  readonly operationId?: string;
  /** The token of the session that the write belongs to. */
  readonly session?: string;
}

/** A write as it was drawn: what it says, and how a store is asked for it. */
interface DrawnWrite {
  /** What `modify` was given last is known once it has ended. */
  readonly input: WriteInput;
  readonly ask: (keyspace: EmbeddedKeyspace, options: AskOptions) => Promise<Answer>;
  /** Under an id a copy of it may be sent again. */
  readonly takesIds: boolean;
}

/** The writes of clients, each seen through until what can be known of its outcome is known. */
export class RaftWrites {
  readonly hasExpiry: boolean;
  readonly quorum: DurableQuorum;
  readonly #scene: KeyspaceScene;
  readonly #records: RaftRecords;
  readonly #keys: RaftKeys;
  readonly #sessions: RaftSessions;
  readonly #kinds: Draw;
  readonly #batches: Draw;
  readonly #expiries: Draw;
  readonly #hasBatches: boolean;
  readonly #large: LargeValues;

  constructor(scene: KeyspaceScene, records: RaftRecords, keys: RaftKeys, sessions: RaftSessions) {
    this.#scene = scene;
    this.#sessions = sessions;
    this.#records = records;
    this.#keys = keys;
    this.quorum = new DurableQuorum(scene);
    this.#large = new LargeValues(scene);
    const stream = (name: string) => new Draw(scene.world.random(`${scene.plan.name}/${name}`));
    this.#kinds = stream("kinds-of-writes");
    this.#batches = stream("batches");
    this.#expiries = stream("expiries");
    this.#hasBatches = this.#batches.chance(SEEDS_WITH_BATCHES);
    this.hasExpiry = this.#expiries.chance(SEEDS_WITH_EXPIRY);
  }

  /** @param session the token of the session that it belongs to. */
  async write(
    client: string,
    draw: Draw,
    node: SimNode,
    key: string,
    session?: string,
  ): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const drawn = this.#draw(draw, key);
    const { input } = drawn;
    const call = this.#records.recorder.call({ client, node: node.id, level: "strong", input });
    const asked = this.quorum.asked(key);
    let operationId: string | undefined;
    let isUnknown = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace = calls.keyspaceOf(node, plan.name);
        if (tries === 1 && drawn.takesIds && draw.chance(OWN_ID_SHARE)) {
          operationId = await calls.alive(node, keyspace.operationId());
        }
        const options = {
          ...(operationId !== undefined && { operationId }),
          ...(session !== undefined && { session }),
        };
        const answer = await calls.alive(node, drawn.ask(keyspace, options));
        const written = this.#written(client, input, call, answer, asked);
        if (session !== undefined) this.#noteInSession(client, node, input, written);
        return "ok";
      } catch (error) {
        const fault = calls.noteFault(client, key, error);
        operationId = fault.operationId ?? operationId;
        isUnknown ||= fault.outcome === "unknown";
        const mayAskAgain = fault.outcome === "unknown" && fault.operationId !== undefined;
        const mayRetry = mayAskAgain && drawn.takesIds;
        if (mayRetry && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        const settled =
          mayAskAgain && draw.chance(RESOLVE_SHARE)
            ? await this.#resolve(node, fault.operationId as string)
            : "unknown";
        this.#end(call, isUnknown ? settled : "not-applied", input);
        return fault.code === "down" ? "down" : "fault";
      }
    }
  }

  /** One put of this value, without anything that is drawn. */
  async put(client: string, node: SimNode, key: string, value: string): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const input: WriteInput = { type: "write", writes: [{ key, value }] };
    const call = this.#records.recorder.call({ client, node: node.id, level: "strong", input });
    const asked = this.quorum.asked(key);
    try {
      const keyspace = calls.keyspaceOf(node, plan.name);
      const written = await calls.alive(node, keyspace.put(key, value));
      this.#written(client, input, call, written, asked);
      return "ok";
    } catch (error) {
      const { code, outcome } = calls.noteFault(client, key, error);
      this.#end(call, outcome === "unknown" ? "unknown" : "not-applied", input);
      return code === "down" ? "down" : "fault";
    }
  }

  #draw(draw: Draw, key: string): DrawnWrite {
    const { calls } = this.#scene;
    const value = `v${calls.begun}`;
    const ttlMs = this.#drawTtl();
    if (this.#hasBatches && this.#batches.chance(BATCH_SHARE)) {
      return this.#drawBatch(key, value, ttlMs);
    }
    if (this.#kinds.chance(MODIFY_SHARE)) return this.#drawModify(key, value, ttlMs);
    const put = draw.chance(DELETE_SHARE) ? undefined : value;
    const sent = put === undefined ? undefined : this.#large.valueFor(key, put);
    const condition = this.#drawCondition(draw, key);
    const writes = [{ key, value: put }];
    const ttl = put === undefined ? undefined : ttlMs;
    return {
      input: { type: "write", writes, condition: condition?.holds, ttlMs: ttl },
      takesIds: true,
      ask: (keyspace, given) => {
        const options = { ...condition?.options, ...given, ...ttlOption(ttl) };
        return sent === undefined
          ? keyspace.delete(key, options)
          : keyspace.put(key, sent, options);
      },
    };
  }

  #drawTtl(): number | undefined {
    if (!this.hasExpiry || !this.#expiries.chance(EXPIRY_SHARE)) return undefined;
    return Math.round(this.#expiries.magnitude(...TTL_MS));
  }

  /** One value for all keys, so that whoever sees some of them old and some new has seen a half. */
  #drawBatch(key: string, value: string, ttlMs: number | undefined): DrawnWrite {
    const keys = this.#keys.besides(key);
    const some = keys.slice(0, this.#batches.whole(1, keys.length));
    const writes = some.map((each): RaftWrite => {
      return { key: each, value: this.#batches.chance(DELETE_SHARE) ? undefined : value };
    });
    const sent = writes.map((write) =>
      write.value === undefined
        ? { delete: write.key }
        : { put: write.key, value: this.#large.valueFor(write.key, write.value) },
    );
    return {
      input: { type: "write", writes, ttlMs },
      takesIds: true,
      ask: (keyspace, options) => keyspace.batch(sent, { ...options, ...ttlOption(ttlMs) }),
    };
  }

  /** Reads, and writes on the condition that what it has read is still there. */
  #drawModify(key: string, value: string, ttlMs: number | undefined): DrawnWrite {
    const input: WriteInput & { condition?: { value: string | undefined } } = {
      type: "write",
      writes: [{ key, value }],
      ttlMs,
    };
    const sent = this.#large.valueFor(key, value);
    return {
      input,
      takesIds: false,
      ask: (keyspace, options) =>
        keyspace.modify(
          key,
          (current) => {
            input.condition = {
              value: current === undefined ? undefined : nameIn(current as string),
            };
            return sent;
          },
          { ...options, ...ttlOption(ttlMs) },
        ),
    };
  }

  #drawCondition(draw: Draw, key: string) {
    if (!draw.chance(CONDITIONAL_SHARE)) return undefined;
    const known = this.#records.versions.get(key);
    if (known === undefined || draw.chance(0.3)) {
      return { holds: { value: undefined }, options: { ifAbsent: true } };
    }
    return { holds: { value: known.value }, options: { ifVersion: known.version } };
  }

  /** Undefined if its condition did not hold. */
  #written(
    client: string,
    input: WriteInput,
    call: RaftCall,
    answer: Answer,
    asked: AskedWrite | undefined,
  ): Written | undefined {
    const { calls } = this.#scene;
    const { writes, condition, ttlMs } = input;
    const { key, value } = writes[0] as RaftWrite;
    if ("ok" in answer && !answer.ok) {
      this.#records.count("a conditional write was refused");
      for (const write of writes) if (write.value !== undefined) this.#refuse(write.value);
      calls.noteOk(client, key, `rejected ${answer.reason}`);
      call.applied({ isDone: false });
      return undefined;
    }
    const written = this.#oneOf(answer, writes);
    const { version, receipt } = written;
    this.quorum.told(asked, version, writes);
    calls.noteOk(client, key, `${value} ${version}`);
    for (const write of writes) {
      if (write.value !== undefined) {
        this.#records.versions.set(write.key, { version, value: write.value });
      }
    }
    if (writes.length > 1) this.#records.count("a batch of several keys was written");
    if (ttlMs !== undefined) this.#records.count("a value with a time to live was written");
    const output: RaftOutput = { version, ...(condition !== undefined && { isDone: true }) };
    call.applied(output, { achieved: receipt.achieved });
    return written;
  }

  #noteInSession(
    client: string,
    node: SimNode,
    { writes }: WriteInput,
    written: Written | undefined,
  ): void {
    if (written === undefined) return;
    const { version, session } = written;
    const atMs = this.#scene.world.time.nowMs;
    for (const { key } of writes) {
      const event = { client, key, type: "write", version, node: node.id, atMs } as const;
      this.#sessions.note(session, event);
    }
  }

  /** All of a batch has happened at once. */
  #oneOf(answer: Answer, writes: readonly RaftWrite[]): Written {
    if (!Array.isArray(answer)) return answer as Written;
    const results = answer as readonly ManyResult<Written>[];
    const [first] = results;
    const isWhole = results.every(
      (each) => each.ok && first?.ok === true && each.result.version === first.result.version,
    );
    if (!isWhole || results.length !== writes.length || first?.ok !== true) {
      this.#records.violate("batch", `a batch was answered in parts: ${JSON.stringify(results)}`);
      throw new Error("a batch was answered in parts");
    }
    return first.result;
  }

  async #resolve(node: SimNode, operationId: string) {
    const store = node.life?.store;
    if (store === undefined) return "unknown" as const;
    try {
      const { outcome } = await this.#scene.calls.alive(node, store.resolve(operationId));
      if (outcome !== "unknown") this.#records.count("an unknown raft write was resolved");
      return outcome;
    } catch {
      return "unknown" as const;
    }
  }

  #end(
    call: RaftCall,
    outcome: "applied" | "not-applied" | "unknown",
    { writes, condition }: WriteInput,
  ): void {
    if (outcome === "applied") call.applied(condition === undefined ? {} : { isDone: true });
    else if (outcome === "unknown") call.unknown();
    else call.notApplied();
    for (const { value } of writes) {
      if (value === undefined) continue;
      if (outcome === "unknown") this.#records.unknown.add(value);
      if (outcome === "not-applied") this.#refuse(value);
    }
  }

  #refuse(value: string): void {
    this.#records.refused.add(value);
  }
}

function ttlOption(ttlMs: number | undefined) {
  return ttlMs === undefined ? {} : { ttlMs };
}
