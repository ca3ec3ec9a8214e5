import type {
  CoordinatorContext,
  Machine,
  MachineEvent,
  Request,
  Sender,
  ShardMap,
  ShardPlacement,
} from "../../src/core/contracts/machine.ts";
import { HybridClock } from "../../src/core/model/hybrid-clock.ts";
import {
  type Epoch,
  type Incarnation,
  type LogSequence,
  NO_SEQUENCE,
  type NodeId,
  type StoreId,
} from "../../src/core/model/ids.ts";
import { parseLevel } from "../../src/core/model/levels.ts";
import type { Operation } from "../../src/core/model/operations.ts";
import type {
  LeaderlessMessage,
  RangePurpose,
  WriteKind,
  WriteVerdict,
} from "../../src/strategies/leaderless/messages.ts";
import { stampedRules } from "../../src/strategies/leaderless/stamped-rules.ts";
import type { PlantedBugs } from "../../src/strategies/tunable/planted-bugs.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { RecordingEffects } from "./recording-effects.ts";
import { BASE_MS, readKeyed, readStampText } from "./stamp-text.ts";

type Event =
  MachineEvent<LeaderlessMessage> extends infer E
    ? E extends unknown
      ? Omit<E, "nowMs" | "wallMs">
      : never
    : never;

interface TestRequest extends Request {
  answered: boolean;
  memo: unknown;
}

const NODES = ["n1", "n2", "n3"];
const MAX_SKEW_MS = 1_000;

/**
 * Feeds one machine of node n1 the events that a transcript's lines name, and answers what it did.
 * `README.md` beside this file has the language.
 */
export class TranscriptRunner {
  #machine: Machine<LeaderlessMessage> | undefined;
  #effects = new RecordingEffects();
  #nowMs = 0;
  readonly #reachable = new Set(NODES);
  readonly #stores = new Map(NODES.map((node) => [node, 1]));
  readonly #requests = new Map<number, TestRequest>();
  #serving = true;
  #placement: ShardPlacement = {
    epoch: 1 as Epoch,
    replicas: NODES as NodeId[],
    standIns: [],
  };

  run(line: string): readonly string[] {
    this.#effects.lines.length = 0;
    const [command = "", ...words] = line.split(/\s+/);
    switch (command) {
      case "replica":
      case "coordinator":
        this.#make(command, words);
        break;
      case "at":
        this.#nowMs = Number(words[0]);
        break;
      case "own":
        this.#serving = words[0] === "serving";
        break;
      case "reachable":
      case "unreachable":
        this.#reach(words[0] as string, command === "reachable");
        break;
      case "from":
        this.#message(words[0] as string, words[1] as string, words.slice(2));
        break;
      default:
        this.#step(this.#eventOf(command, words));
    }
    return [...this.#effects.lines];
  }

  #make(role: "replica" | "coordinator", options: readonly string[]): void {
    const has = (word: string): boolean => options.includes(word);
    const planted: PlantedBugs = {
      strongWriteDoesNotLearn: has("does-not-learn"),
      strongReadDoesNotWriteBack: has("does-not-write-back"),
    };
    const strategy = makeTunableStrategy(planted);
    const partitionPolicy = has("prefer-availability") ? "prefer-availability" : undefined;
    const hedge = options.find((word) => word.startsWith("hedge-"));
    const settings = strategy.parseSettings(
      {
        ...(partitionPolicy !== undefined && { partitionPolicy }),
        digestAbove: has("digests") ? 1 : "off",
        ...(hedge !== undefined && { hedge: hedge.slice("hedge-".length) }),
      },
      "keyspaces.k",
    );
    const context: CoordinatorContext = {
      self: this.#sender("n1"),
      keyspace: "k",
      keyspaceHash: 7,
      settings,
      clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: MAX_SKEW_MS }),
      nodes: NODES as NodeId[],
      placement: () => this.#placement,
      isReachable: (node) => this.#reachable.has(node),
      randomUint32: () => 0,
      health: { diskState: () => "ok", syncAgeMs: () => 0, eventLoopLagMs: () => 0 },
      shardCount: 1,
      shardOf: () => 0,
      servingState: () => (this.#serving ? this.#effects : undefined),
      localReplica: () => undefined,
    };
    this.#machine =
      role === "replica"
        ? strategy.createReplica({ ...context, shardIndex: 0 })
        : strategy.createCoordinator(context);
  }

  #sender(node: string): Sender {
    return {
      node: node as NodeId,
      storeId: `store-${node}-${this.#stores.get(node)}` as StoreId,
      incarnation: 1 as Incarnation,
    };
  }

  #reach(peer: string, reachable: boolean): void {
    if (reachable) this.#reachable.add(peer);
    else this.#reachable.delete(peer);
    if (this.#machine !== undefined) {
      this.#step({ type: "reachability", peer: peer as NodeId, reachable });
    }
  }

  #eventOf(command: string, words: readonly string[]): Event {
    const [first = ""] = words;
    switch (command) {
      case "opened":
        return {
          type: "opened",
          state: {
            origin: first as "newborn",
            lastSequence: NO_SEQUENCE,
            appliedSequence: NO_SEQUENCE,
            durableSequence: NO_SEQUENCE,
          },
        };
      case "replay": {
        const shard = 0 as never;
        const records = words.map((word, index) => {
          const { payload } = readKeyed(word);
          return { shard, sequence: (index + 1) as LogSequence, payload };
        });
        return { type: "replay", records };
      }
      case "timer":
        return { type: "timer", timer: first };
      case "identity":
        this.#stores.set(first, (this.#stores.get(first) ?? 0) + 1);
        return { type: "identity", peer: this.#sender(first) };
      case "map":
        this.#placement = { ...mapOf(words), standIns: [] };
        return { type: "map", shardIndex: 0, placement: this.#placement };
      case "deadline":
        return { type: "deadline", request: this.#request(first) };
      case "aborted":
        return { type: "aborted", request: this.#request(first) };
      case "put":
      case "delete":
      case "get":
        return { type: "operation", request: this.#newRequest(command, words) };
      default:
        throw new Error(`no such command: ${command}`);
    }
  }

  /** `put 1 quorum key value [for 5000]`. */
  #newRequest(type: "put" | "delete" | "get", words: readonly string[]): TestRequest {
    const [id = "", level = "", key = ""] = words;
    const rest = words.slice(3);
    const at = rest.indexOf("for");
    const operation: Operation = {
      type,
      key: Buffer.from(key),
      shardIndex: 0,
      value: type === "put" ? Buffer.from(rest[0] as string) : undefined,
      level: parseLevel(level) ?? "quorum",
      operationId: undefined,
      deadlineMs: at < 0 ? undefined : this.#nowMs + Number(rest[at + 1]),
      options: undefined,
    };
    const request = {
      id: Number(id),
      operation,
      startedAtMs: this.#nowMs,
      answered: false,
      memo: undefined,
    };
    this.#requests.set(request.id, request);
    return request;
  }

  #request(id: string): TestRequest {
    const request = this.#requests.get(Number(id));
    if (request === undefined) throw new Error(`no request ${id}`);
    return request;
  }

  #message(from: string, what: string, words: readonly string[]): void {
    const message = messageOf(what, words);
    this.#step({ type: "message", from: this.#sender(from), shardIndex: 0, message });
  }

  #step(event: Event): void {
    if (this.#machine === undefined) throw new Error("there is no machine yet");
    const moment = { nowMs: this.#nowMs, wallMs: BASE_MS + this.#nowMs };
    this.#machine.step({ ...event, ...moment } as MachineEvent<LeaderlessMessage>, this.#effects);
  }
}

/** `2 n1+n2+n3`, or `2 n1+n2+n3 to n1+n2` while it is pending. */
function mapOf([epoch, replicas = "", , pending]: readonly string[]): ShardMap {
  const nodesOf = (text: string): NodeId[] => text.split("+") as NodeId[];
  return {
    epoch: Number(epoch) as Epoch,
    replicas: nodesOf(replicas),
    ...(pending !== undefined && { pending: nodesOf(pending) }),
  };
}

/** The words of a message as `showMessage` shows them, more or less. */
function messageOf(what: string, words: readonly string[]): LeaderlessMessage {
  const [round = "", first = "", second] = words;
  const [requestId = 0, ...others] = round.split("+").map((name) => Number(name.slice(1)));
  const serving = !words.includes("rebuilding");
  switch (what) {
    case "first-hand":
    case "write-back":
    case "repair": {
      const after = words.indexOf("after");
      const proof = after < 0 ? undefined : readStampText(words[after + 1] as string);
      const kind: WriteKind = what;
      return { type: "write", requestId, kind, proof, keyed: readKeyed(first) };
    }
    case "ack": {
      const stamp = second?.startsWith("@") ? readStampText(second) : undefined;
      const ack = {
        type: "write-ack",
        requestId,
        verdict: first as WriteVerdict,
        serving,
      } as const;
      return others.length === 0 ? { ...ack, stamp } : { ...ack, stamp, others };
    }
    case "whole":
    case "rebuilding":
      return { type: "standing", requestId: 0, serving: what === "whole" };
    case "map":
      return { type: "place-map", requestId, map: mapOf(words.slice(1)) };
    case "read":
      return { type: "read", requestId, stampOnly: second === "stamp", key: Buffer.from(first) };
    case "record": {
      const record = first === "nothing" ? undefined : readKeyed(`key${first}`).record;
      return { type: "read-reply", requestId, serving, record };
    }
    case "digest": {
      const { record } = readKeyed(`key${first}`);
      const summary = stampedRules.summaryOf(record);
      return { type: "read-reply", requestId, serving, record: summary, fullBytes: record.length };
    }
    case "range":
      return {
        type: "range",
        requestId,
        purpose: first as RangePurpose,
        from: undefined,
        to: undefined,
        limitBytes: 65_536,
        limitEntries: Number(second ?? 100),
      };
    case "chunk": {
      const entries = words.filter((word) => /^[^@]+@/.test(word)).map(readKeyed);
      const more = words.includes("more");
      const purpose = first as RangePurpose;
      const settled = { floor: 0, reapable: 0 };
      return { type: "range-reply", requestId, purpose, serving, entries, more, ...settled };
    }
    default:
      throw new Error(`no such message: ${what}`);
  }
}
