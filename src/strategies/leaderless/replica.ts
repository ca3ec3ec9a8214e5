import type {
  Effects,
  MachineEvent,
  OpenedState,
  ReplicaContext,
  ReplicaMachine,
  Sender,
  StateReader,
} from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Stamp } from "../../core/model/stamp.ts";
import { AntiEntropy } from "./anti-entropy/anti-entropy.ts";
import { Handoff } from "./handoff/handoff.ts";
import type {
  LeaderlessMessage,
  RangeMessage,
  RangeReply,
  ReadMessage,
  WriteMessage,
  WriteVerdict,
} from "./messages.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import { Rebuild } from "./rebuild.ts";
import { type KeyedRecord, keyRecord, splitPayload } from "./record.ts";
import { mergedOf, type RecordRules, type Relation } from "./record-rules.ts";
import { RefusedStamps } from "./refused-stamps.ts";
import { DEFAULT_REPAIR, type RepairSettings } from "./repair-settings.ts";
import { stampedRules } from "./stamped-rules.ts";

/**
 * Kept once this shard has learned what its peers hold, or had nothing to learn. It is a record of
 * the log, and so behind all that it vouches for: whatever a stop has left of the log, the mark is
 * not there without them.
 */
const COMPLETE = "complete";
/** Where earlier versions had the same mark: in the state. */
const COMPLETE_KEY = Buffer.from(COMPLETE, "utf8");
const PRESENT = new Uint8Array([1]);
const REBUILD_TIMER = "rebuild";
const MAX_REPLY_BYTES = 256 * 1024;

type LeaderlessEffects = Effects<LeaderlessMessage>;
type LeaderlessEvent = MachineEvent<LeaderlessMessage>;

/**
 * One replica of a leaderless shard: merges versions into the shard's state and answers for what
 * it holds durably.
 *
 * Invariants:
 * - what is held of a key only grows in the order of `RecordRules.relation`;
 * - an answer says `serving` only if the replica has learned everything that an earlier holder of
 *   its place may have acknowledged (docs/decisions/0013).
 *
 * What a record is, its rules say. Streams of a rebuild, of anti-entropy and of those who hand off
 * what was missed all go through `merge`.
 */
export class LeaderlessReplica implements ReplicaMachine<LeaderlessMessage> {
  readonly wantsDurable = false;
  readonly #context: ReplicaContext;
  #rebuild: Rebuild | undefined;
  #opened = false;
  /** False on a node that only stands in: it keeps copies, and none of its answers counts. */
  readonly #isReplica: boolean;
  readonly #refused = new RefusedStamps();

  readonly #planted: PlantedReplicaBugs;
  readonly #rules: RecordRules;
  readonly #antiEntropy: AntiEntropy;
  readonly #handoff: Handoff;

  constructor(
    context: ReplicaContext,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
    rules: RecordRules = stampedRules,
    onCopyLeft?: (key: Uint8Array) => void,
  ) {
    this.#context = context;
    this.#planted = planted;
    this.#rules = rules;
    const { repair } = context.settings as { readonly repair?: RepairSettings };
    this.#antiEntropy = new AntiEntropy(context, repair ?? DEFAULT_REPAIR);
    this.#handoff = new Handoff(context, repair ?? DEFAULT_REPAIR, onCopyLeft);
    const { replicas } = context.placement(context.shardIndex);
    this.#isReplica = replicas.includes(context.self.node);
  }

  get serving(): boolean {
    if (!this.#isReplica) return false;
    if (this.#planted.rebuildingVotes === true) return this.#opened;
    return this.#opened && this.#rebuild === undefined;
  }

  /** False on a node that stands in and keeps as many copies as it may. */
  get hasRoom(): boolean {
    return this.#isReplica || !this.#handoff.isFull;
  }

  step(event: LeaderlessEvent, effects: LeaderlessEffects): void {
    switch (event.type) {
      case "message":
        this.#onMessage(event.from, event.message, event.wallMs, event.nowMs, effects);
        break;
      case "opened":
        this.#onOpened(event.state, event.nowMs, effects);
        break;
      case "replay":
        if (this.#planted.replayForgotten === true) break;
        for (const record of event.records) this.#replay(record.payload, event.wallMs, effects);
        break;
      case "timer":
        this.#onTimer(event.timer, event.nowMs, event.wallMs, effects);
        break;
      case "reachability":
        this.#antiEntropy.onReachability(event.peer, event.reachable, event.nowMs, effects);
        this.#handoff.onReachability(event.peer, event.reachable, effects);
        break;
      case "identity":
        this.#rebuild?.onIdentity(event.peer);
        this.#antiEntropy.onIdentity(event.peer, event.nowMs, effects);
        this.#handoff.onIdentity(event.peer, effects);
        break;
      default:
        break;
    }
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      state: this.#stateWord(),
      ...(this.#rebuild === undefined ? {} : { rebuild: this.#rebuild.describe() }),
      antiEntropy: this.#antiEntropy.describe(),
      hints: this.#handoff.describe(),
    };
  }

  #stateWord(): string {
    if (!this.#opened) return "closed";
    if (!this.#isReplica) return "standing-in";
    return this.serving ? "serving" : "rebuilding";
  }

  #onTimer(timer: string, nowMs: number, wallMs: number, effects: LeaderlessEffects): void {
    if (timer === REBUILD_TIMER) this.#advanceRebuild(nowMs, effects);
    else if (!this.#handoff.onTimer(timer, nowMs, wallMs, effects)) {
      this.#antiEntropy.onTimer(timer, nowMs, effects);
    }
  }

  #onOpened(state: OpenedState, nowMs: number, effects: LeaderlessEffects): void {
    this.#opened = true;
    this.#handoff.open(effects);
    const others = this.#others();
    // Nothing is missing where nothing has to be: a stand-in holds what it was given.
    if (!this.#isReplica) return;
    if (state.origin === "kept" && this.#isComplete(effects)) {
      this.#antiEntropy.start(nowMs, effects);
      return;
    }
    const isWhole = state.origin === "newborn" || this.#planted.emptyReplicaServes === true;
    if (isWhole || others.length === 0) {
      this.#antiEntropy.start(nowMs, effects);
      effects.keep(COMPLETE, PRESENT);
      // Something is missing, and nobody has it.
      if (state.origin === "empty") this.#sayLoss(effects);
      return;
    }
    this.#rebuild = new Rebuild({
      peers: others,
      replicas: others.length + 1,
      near: others.filter((node) => this.#isNear(node)),
      ...(this.#planted.rebuildFromOne === true && { needed: 1 }),
      startAtMs: nowMs + rebuildDelayMsOf(this.#context.settings),
    });
    effects.keep(COMPLETE, undefined);
    effects.deleteSide(COMPLETE_KEY);
    effects.emit({ type: "rebuild-started", shard: this.#context.shardIndex });
    this.#advanceRebuild(nowMs, effects);
  }

  #isComplete(effects: LeaderlessEffects): boolean {
    if (effects.kept(COMPLETE) !== undefined) return true;
    if (effects.getSide(COMPLETE_KEY) === undefined) return false;
    effects.keep(COMPLETE, PRESENT);
    effects.deleteSide(COMPLETE_KEY);
    return true;
  }

  #onMessage(
    from: Sender,
    message: LeaderlessMessage,
    wallMs: number,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    switch (message.type) {
      case "write":
        this.#onWrite(from, message, wallMs, nowMs, effects);
        break;
      case "read":
        this.#onRead(from, message, effects);
        break;
      case "range":
        this.#onRange(from, message, effects);
        break;
      case "range-reply":
        this.#onRangeReply(from, message, wallMs, nowMs, effects);
        break;
      case "reconcile":
        this.#antiEntropy.onMessage(from, message, nowMs, effects, (keyed) =>
          this.merge(keyed, wallMs, effects),
        );
        break;
      case "hint":
        this.#handoff.note(message.key, message.targets, wallMs, effects);
        break;
      case "handoff":
        for (const keyed of message.records) this.merge(keyed, wallMs, effects);
        effects.send(
          from.node,
          "replica",
          this.#context.shardIndex,
          { type: "handoff-ack", requestId: message.requestId },
          "bulk",
        );
        break;
      case "handoff-ack":
        this.#handoff.onAck(from, message.requestId, effects);
        break;
      default:
        break;
    }
  }

  #onWrite(
    from: Sender,
    message: WriteMessage,
    wallMs: number,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    const { keyed, kind } = message;
    const held = effects.get(keyed.key);
    // No answer: the coordinator counts nobody who has not said that he holds it.
    if (held === undefined && !this.hasRoom) return;
    const relation = held === undefined ? "succeeded" : this.#rules.relation(held, keyed.record);
    let verdict = this.#verdict(message, relation, wallMs, nowMs);
    let stored = keyed;
    if (verdict === "stored" && relation === "apart" && !this.#overwrites(kind)) {
      const merged = this.#rules.merge(held as Uint8Array, keyed.record, keyed.key);
      if (merged === held) verdict = "newer";
      else if (merged !== keyed.record) stored = keyRecord(keyed.key, merged);
    }
    if (verdict === "stored") this.store(stored, wallMs, effects);
    if (kind === "repair") return;
    effects.send(from.node, "coordinator", this.#context.shardIndex, {
      type: "write-ack",
      requestId: message.requestId,
      verdict,
      serving: this.serving,
      stamp: verdict === "newer" && held !== undefined ? this.#rules.stampOf(held) : undefined,
    });
  }

  #verdict(message: WriteMessage, relation: Relation, wallMs: number, nowMs: number): WriteVerdict {
    const firstHand = message.kind === "first-hand";
    if (this.#overwrites(message.kind)) return "stored";
    if (relation === "equal") return "equal";
    if (relation === "included" && this.#planted.olderOverwritesNewer !== true) return "newer";
    if (!firstHand || relation === "included") return "stored";
    // Neither knows of the other, though both stand under the stamp of one write.
    if (relation === "apart") return "reused";
    const stamp = this.#rules.stampOf(message.keyed.record);
    return this.#accepts(stamp, message.proof, wallMs, nowMs) ? "stored" : "skewed";
  }

  #accepts(stamp: Stamp, proof: Stamp | undefined, wallMs: number, nowMs: number): boolean {
    const isWithin = this.#context.clock.accepts(stamp, proof, wallMs);
    if (isWithin && !this.#refused.has(stamp, nowMs)) return true;
    if (!isWithin) this.#refused.add(stamp, nowMs);
    return false;
  }

  #onRead(from: Sender, message: ReadMessage, effects: LeaderlessEffects): void {
    const held = effects.get(message.key);
    const record = message.stampOnly && held !== undefined ? this.#rules.summaryOf(held) : held;
    effects.send(from.node, "coordinator", this.#context.shardIndex, {
      type: "read-reply",
      requestId: message.requestId,
      serving: this.serving,
      record,
    });
  }

  #onRange(from: Sender, message: RangeMessage, effects: LeaderlessEffects): void {
    const { entries, more } = readRun(effects, message);
    const forRebuild = message.purpose === "rebuild";
    const reply: RangeReply = {
      type: "range-reply",
      requestId: message.requestId,
      purpose: message.purpose,
      serving: this.serving,
      entries,
      more,
    };
    const role = forRebuild ? "replica" : "coordinator";
    effects.send(from.node, role, this.#context.shardIndex, reply, forRebuild ? "bulk" : "log");
  }

  #onRangeReply(
    from: Sender,
    reply: RangeReply,
    wallMs: number,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    if (this.#rebuild === undefined || !this.#rebuild.onReply(from, reply)) return;
    for (const keyed of reply.entries) this.merge(keyed, wallMs, effects);
    this.#advanceRebuild(nowMs, effects);
  }

  #advanceRebuild(nowMs: number, effects: LeaderlessEffects): void {
    const rebuild = this.#rebuild;
    if (rebuild === undefined) return;
    const end = rebuild.settle(nowMs);
    if (end !== undefined) {
      this.#rebuild = undefined;
      effects.cancelTimer(REBUILD_TIMER);
      this.#antiEntropy.start(nowMs, effects);
      effects.keep(COMPLETE, PRESENT);
      const shard = this.#context.shardIndex;
      effects.emit({ type: "rebuild-finished", shard, entries: rebuild.entries });
      if (end === "all-others") this.#sayLoss(effects);
      return;
    }
    for (const request of rebuild.requests(nowMs, (node) => this.#context.isReachable(node))) {
      effects.send(request.node, "replica", this.#context.shardIndex, request.message, "bulk");
    }
    effects.setTimer(REBUILD_TIMER, rebuild.retryMs(nowMs));
  }

  #sayLoss(effects: LeaderlessEffects): void {
    effects.emit({ type: "writes-may-be-lost", shard: this.#context.shardIndex });
  }

  /**
   * Streams, hints and anti-entropy: what is held and what comes become one, whatever the clock
   * says. Answers what is held then: `keyed` itself if that is all there is.
   */
  merge(keyed: KeyedRecord, wallMs: number, effects: LeaderlessEffects): KeyedRecord {
    const held = effects.get(keyed.key);
    const overwrites = this.#planted.rebuildOverwritesNewer === true;
    const merged = overwrites ? keyed.record : mergedOf(this.#rules, held, keyed.record, keyed.key);
    if (merged === keyed.record) {
      this.store(keyed, wallMs, effects);
      return keyed;
    }
    const result = keyRecord(keyed.key, merged);
    if (merged !== held) this.store(result, wallMs, effects);
    // Equal bytes in another buffer are what came, too.
    return Buffer.compare(merged, keyed.record) === 0 ? keyed : result;
  }

  /** Keeps a record that includes what is held of its key. */
  store(keyed: KeyedRecord, wallMs: number, effects: LeaderlessEffects): void {
    // Within the guard only: a stored stamp never drags this node's clock along.
    this.#context.clock.observe(this.#rules.stampOf(keyed.record), wallMs);
    effects.append(keyed.payload);
    this.#antiEntropy.touch(keyed.key);
    if (!this.#isReplica) this.#handoff.noteCopy(keyed.key, wallMs, effects);
    if (this.#planted.tombstoneForgotten === true && this.#rules.isTombstone(keyed.record)) {
      effects.delete(keyed.key);
    } else effects.put(keyed.key, keyed.record);
    const { changeOf } = this.#rules;
    if (changeOf !== undefined && effects.isWatched) {
      effects.change(changeOf(keyed.key, keyed.record));
    }
  }

  /** The log's own record: it is in the log already. */
  #replay(payload: Uint8Array, wallMs: number, effects: LeaderlessEffects): void {
    const { key, record } = splitPayload(payload, this.#rules.check);
    const held = effects.get(key);
    const merged = mergedOf(this.#rules, held, record);
    if (merged === held) return;
    this.#context.clock.observe(this.#rules.stampOf(record), wallMs);
    effects.put(key, merged);
    this.#antiEntropy.touch(key);
    if (!this.#isReplica) this.#handoff.noteCopy(key, wallMs, effects);
  }

  #overwrites(kind: WriteMessage["kind"]): boolean {
    return this.#planted.repairOverwritesNewer === true && kind !== "first-hand";
  }

  #isNear(node: NodeId): boolean {
    const { self, datacenterOf } = this.#context;
    return datacenterOf === undefined || datacenterOf(node) === datacenterOf(self.node);
  }

  #others() {
    const { replicas } = this.#context.placement(this.#context.shardIndex);
    return replicas.filter((node) => node !== this.#context.self.node);
  }
}

/**
 * How long a replica that lost its state waits before it streams. An acknowledgement that its
 * lost self has given may still be counted by a coordinator whose write has not reached the other
 * replicas; after the longest write deadline no such write is pending any more, and the stream
 * sees all that was acknowledged.
 */
function rebuildDelayMsOf(settings: Readonly<Record<string, unknown>>): number {
  const delay = settings.rebuildDelayMs;
  return typeof delay === "number" ? delay : 0;
}

function readRun(
  state: StateReader,
  message: RangeMessage,
): { readonly entries: readonly KeyedRecord[]; readonly more: boolean } {
  const limitBytes = Math.min(message.limitBytes, MAX_REPLY_BYTES);
  const run = state.range(message.from, message.to, limitBytes, message.limitEntries);
  const entries = run.entries.map((entry) => keyRecord(entry.key, entry.value));
  return { entries, more: run.more };
}
