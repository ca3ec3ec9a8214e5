import type {
  Effects,
  MachineEvent,
  ReplicaContext,
  ReplicaMachine,
  Sender,
} from "../../core/contracts/machine.ts";
import type { ConflictFact } from "../../core/model/facts.ts";
import { type Actor, type HybridTime, hybridTimeOf } from "../../core/model/stamp.ts";
import type { CopyMessage, LeaderlessMessage } from "../leaderless/messages.ts";
import { atEpoch } from "../leaderless/place/place-messages.ts";
import { FIRST_EPOCH } from "../leaderless/place/shard-map.ts";
import { type KeyedRecord, keyRecord } from "../leaderless/record.ts";
import { DEFAULT_REPAIR } from "../leaderless/repair-settings.ts";
import { LeaderlessReplica } from "../leaderless/replica.ts";
import { CausalContext, type EventDot } from "./causal-context.ts";
import { conflictOf } from "./conflict-facts.ts";
import { ContextTokens } from "./context-token.ts";
import {
  type DottedRecord,
  decodeRecord,
  keyDottedRecord,
  NOTHING,
  timeAbove,
} from "./dotted-record.ts";
import { makeDottedRules } from "./dotted-rules.ts";
import { settledUpTo } from "./dotted-settling.ts";
import type {
  DeltaMessage,
  DynamoMessage,
  MintedMessage,
  MintMessage,
  MintVerdict,
  RecallMessage,
} from "./messages.ts";
import { MAX_RECORD_BYTES, mint, NO_OPERATIONS } from "./mint.ts";
import { mintNewest } from "./newest-mint.ts";
import { NO_PLANTED_DYNAMO_BUGS, type PlantedDynamoBugs } from "./planted-bugs.ts";
import { withPlantedJoin } from "./planted-join.ts";
import { RecordReader } from "./read-result.ts";
import { refusalOf } from "./record-limits.ts";
import { RememberedWrites } from "./remembered-writes.ts";
import type { ResolverFailures } from "./resolver-failures.ts";
import type { DynamoSettings } from "./settings.ts";
import { type Settlement, settlementOf } from "./settlement.ts";
import { nameEndMs } from "./states/name-span.ts";
import { GAP, States } from "./states/states.ts";

/** The key, in a record of the log. */
const BYTES_BESIDE_RECORD = 2 * 1_026;
/** Of a planted bug: so old are names that go from contexts unproven. */
const EARLY_MS = 200;

type Fx = Effects<DynamoMessage>;

type Taken = Extract<MachineEvent<DynamoMessage>, { readonly type: "message" }>;

/** What a write is minted upon, and under which name. */
interface Upon {
  readonly bytes: Uint8Array | undefined;
  readonly held: DottedRecord;
  readonly dot: EventDot;
  readonly time: HybridTime;
}

/**
 * One copy of a shard: of a replica, or of a node that stands in for one. All that the two
 * leaderless strategies share is `LeaderlessReplica`'s; this adds that a copy names new events.
 *
 * Invariants:
 * - a dot is minted once: the counter rises with every event of this shard here, and the actor is
 *   drawn when the machine is made, and again whenever a copy of a key leaves it;
 * - no dot is minted that the copy's context covers: other copies would take it for replaced;
 * - the copy that an event is minted upon holds every earlier event of this actor for the key;
 * - the event is in the log and the state by the same step that names it.
 */
export class DynamoReplica implements ReplicaMachine<DynamoMessage> {
  readonly wantsDurable = false;
  readonly #context: ReplicaContext;
  readonly #planted: PlantedDynamoBugs;
  readonly #settlement: Settlement;
  readonly #copies: LeaderlessReplica;
  /** Undefined: the keyspace has no CRDT. */
  readonly #states: States | undefined;
  readonly #remembered = new RememberedWrites();
  #actor: Actor;
  /** For keys whose context has this node's next events already: somebody has made one up. */
  #spareActor: Actor | undefined;
  #counter = 0;
  readonly #maxRecordBytes: number;
  /** Of versions side by side one stays, whatever is in them: see `mintNewest`. */
  readonly #keepsNewest: boolean;
  readonly #reapAfterMs: number;
  /** Wall time since when this machine remembers what it minted. */
  #sinceMs = Number.POSITIVE_INFINITY;
  /** Versions of acknowledged writes, perhaps, that lost against a concurrent one here. */
  #discarded = 0;
  #deltas = 0;
  /** Deltas that rested on something that is missing here. */
  #gaps = 0;
  /** What the resolver threw where watches were to be told. */
  readonly #failures: ResolverFailures;
  /** Of the step that runs. */
  readonly #meetings: ConflictFact[] = [];

  constructor(context: ReplicaContext, planted: PlantedDynamoBugs = NO_PLANTED_DYNAMO_BUGS) {
    const { resolver, repair } = context.settings as unknown as DynamoSettings;
    this.#reapAfterMs = (repair ?? DEFAULT_REPAIR).reapAfterMs;
    this.#context = context;
    this.#planted = planted;
    this.#settlement = withPlantedJoin(settlementOf(resolver), planted);
    if (this.#settlement.kind === "states") {
      this.#states = new States(this.#settlement.resolver, planted);
    }
    // Two that meet have to fit the log together.
    const half = ((context.maxRecordBytes ?? Number.POSITIVE_INFINITY) - BYTES_BESIDE_RECORD) / 2;
    this.#maxRecordBytes = Math.min(MAX_RECORD_BYTES, Math.floor(half));
    const picks = this.#settlement.kind === "pick" && this.#settlement.resolver;
    this.#keepsNewest = picks && picks.capabilities.keepsNewest === true && !mintsWrong(planted);
    const { keyspace, keyspaceHash, clusterKey, shardIndex } = context;
    const tokens = new ContextTokens(keyspace, keyspaceHash, clusterKey);
    const reader = new RecordReader(this.#settlement, tokens);
    this.#failures = reader.failures;
    const rules = makeDottedRules(this.#settlement, {
      planted,
      changeOf: (key, record) => reader.changeOf(key, record),
      onMeeting: (key, versions, kept) => {
        this.#meetings.push(conflictOf(this.#settlement, { shardIndex, key, versions, kept }));
      },
    });
    this.#copies = new LeaderlessReplica(context, planted, rules, () => {
      this.#actor = this.#drawActor();
      this.#spareActor = undefined;
    });
    this.#actor = this.#drawActor();
  }

  get serving(): boolean {
    return this.#copies.serving;
  }

  step(event: MachineEvent<DynamoMessage>, effects: Fx): void {
    // A step that threw has left nothing behind.
    this.#meetings.length = 0;
    this.#handle(event, effects);
    this.#failures.tell(event.nowMs, effects);
    for (const meeting of this.#meetings) {
      this.#discarded += meeting.discarded;
      effects.recordFact(meeting);
    }
  }

  #handle(event: MachineEvent<DynamoMessage>, effects: Fx): void {
    if (event.type === "message") {
      const { message, from, wallMs } = event;
      if (message.type === "at-epoch") {
        this.#onAtEpoch(event, message, effects);
        return;
      }
      if (message.type === "mint") {
        if (!this.#copies.admits(from, FIRST_EPOCH, effects)) return;
        this.#onMint(from, message, wallMs, effects);
        return;
      }
      if (message.type === "recall") {
        this.#onRecall(from, message, effects);
        return;
      }
      if (message.type === "delta") {
        if (!this.#copies.admits(from, FIRST_EPOCH, effects)) return;
        this.#onDelta(event, message, effects);
        return;
      }
      if (message.type === "minted" || message.type === "gap") return;
      // What is left is of all copies: the very event, of which no other is made for each write.
      this.#copies.step(event as MachineEvent<LeaderlessMessage>, effects);
      return;
    }
    if (event.type === "opened") this.#sinceMs = event.wallMs;
    this.#copies.step(event, effects);
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      ...this.#copies.describe(),
      minted: this.#counter,
      discardedByMerge: this.#discarded,
      ...(this.#states !== undefined && { deltasJoined: this.#deltas, deltaGaps: this.#gaps }),
    };
  }

  #onAtEpoch(
    event: Extract<MachineEvent<DynamoMessage>, { type: "message" }>,
    { epoch, vote, message }: Extract<DynamoMessage, { type: "at-epoch" }>,
    effects: Fx,
  ): void {
    const { from, wallMs } = event;
    switch (message.type) {
      case "mint":
        if (this.#copies.admits(from, epoch, effects)) this.#onMint(from, message, wallMs, effects);
        return;
      case "delta":
        if (this.#copies.admits(from, epoch, effects)) this.#onDelta(event, message, effects);
        return;
      case "recall":
      case "minted":
      case "gap":
        return;
      default:
        this.#copies.step(
          { ...event, message: { type: "at-epoch", epoch, vote, message } },
          effects,
        );
    }
  }

  #drawActor(): Actor {
    const { shardIndex, self } = this.#context;
    return this.#planted.actorReused === true
      ? { high: shardIndex, low: Buffer.from(self.node).readUInt8(0) }
      : { high: this.#context.randomUint32(), low: this.#context.randomUint32() };
  }

  #onMint(from: Sender, message: MintMessage, wallMs: number, effects: Fx): void {
    const { operation, key } = message;
    const isKnown = this.#remembered.has(operation);
    if (isKnown && this.#planted.mintedTwice !== true) {
      const record = effects.get(key);
      // The copy may have left this node since: the event is out there, and is not minted again.
      if (record === undefined) this.#answer(from, message, "forgotten", "", effects);
      else this.#hand(from, message, keyRecord(key, record), undefined, effects);
      return;
    }
    if (this.#mayHaveForgotten(message)) {
      this.#answer(from, message, "forgotten", "", effects);
      return;
    }
    this.#mint(from, message, wallMs, effects);
  }

  #mint(from: Sender, message: MintMessage, wallMs: number, effects: Fx): void {
    const { key, event } = message;
    if (!this.#copies.hasRoom) {
      this.#answer(from, message, "no-room", "", effects);
      return;
    }
    const bytes = effects.get(key);
    const forgets = this.#planted.counterReusedAfterReaping === true && this.#copies.floor > 0;
    if (forgets && bytes === undefined) this.#counter = 0;
    const time = this.#timeAfter(this.#newestOf(bytes, message), wallMs);
    const newest = this.#mintNewest(bytes, event, key, time);
    if (newest !== undefined) {
      this.#keep(message, newest, wallMs, effects);
      this.#hand(from, message, newest, undefined, effects);
      return;
    }
    const held = bytes === undefined ? this.#nothing : decodeRecord(bytes);
    const dot = this.#nextDot(held, event, time);
    if (event.type === "update") {
      this.#operate(from, message, { bytes, held, dot, time }, wallMs, effects);
      return;
    }
    const minted = mint(this.#settlement, held, this.#seenBy(event, held), dot, time);
    if (minted.type !== "record") {
      const reason = minted.type === "refused" ? minted.message : "";
      this.#answer(from, message, minted.type, reason, effects);
      return;
    }
    const kept = settledUpTo(minted.record, this.#settledTo(wallMs));
    const keyed = keyDottedRecord(key, kept);
    const refusal = refusalOf(kept.context, keyed.record.length, this.#maxRecordBytes);
    if (refusal !== undefined) {
      this.#answer(from, message, refusal.verdict, refusal.reason, effects);
      return;
    }
    this.#countGone(minted.record.context.entries.length - kept.context.entries.length);
    this.#keep(message, keyed, wallMs, effects);
    this.#hand(from, message, keyed, undefined, effects);
  }

  /** Undefined: there is more to it. */
  #mintNewest(
    held: Uint8Array | undefined,
    { type, value, seen, expiresAtMs }: MintMessage["event"],
    key: Uint8Array,
    time: HybridTime,
  ): KeyedRecord | undefined {
    if (!this.#keepsNewest || type === "update" || seen !== undefined) return undefined;
    const counter = this.#counter + 1;
    const version = { key, value, expiresAtMs, actor: this.#actor, counter, time };
    const keyed = mintNewest(held, version, this.#copies.floor);
    return keyed !== undefined && keyed.record.length <= this.#maxRecordBytes ? keyed : undefined;
  }

  /** As `mint` has it, for the state of a CRDT. */
  #operate(from: Sender, message: MintMessage, upon: Upon, wallMs: number, effects: Fx): void {
    const { key, event } = message;
    const { bytes, held, dot, time } = upon;
    const copy = { key, bytes, record: held };
    const operated =
      this.#states === undefined || event.value === undefined
        ? NO_OPERATIONS
        : this.#states.operate(
            copy,
            { value: event.value, dot, time, endsAtMs: this.#nameEndMs(time) },
            this.#settledTo(wallMs),
          );
    if (operated.type === "refused") {
      this.#answer(from, message, "refused", operated.message, effects);
      return;
    }
    const { context, namesGone, byteLength, keyed, encoded, delta } = operated;
    const refusal = refusalOf(context, byteLength, this.#maxRecordBytes);
    if (refusal !== undefined) {
      this.#answer(from, message, refusal.verdict, refusal.reason, effects);
      return;
    }
    this.#countGone(namesGone);
    this.#keep(message, keyed, wallMs, effects);
    this.#states?.keep(keyed, encoded);
    this.#hand(from, message, keyed, delta, effects);
  }

  #countGone(names: number): void {
    if (names > 0) this.#context.count?.("actors_retired", names);
  }

  #keep({ operation }: MintMessage, keyed: KeyedRecord, wallMs: number, effects: Fx): void {
    this.#counter++;
    this.#remembered.remember(operation);
    if (this.#planted.minterKeepsNothing !== true) this.#copies.store(keyed, wallMs, effects);
  }

  /**
   * The causal gate: a copy that lacks what the delta rests on asks for the whole record. Where it
   * does not, the record with the delta in it is taken as if it had come.
   */
  #onDelta(event: Taken, { requestId, delta }: DeltaMessage, effects: Fx): void {
    const { key, dot } = delta;
    const bytes = effects.get(key);
    // No answer, as to a write: nobody counts who does not say that he holds it.
    if (this.#states === undefined || (bytes === undefined && !this.#copies.hasRoom)) return;
    const record = bytes === undefined ? this.#nothing : decodeRecord(bytes);
    // Whether what is settled was held here, only a record can say.
    const isSettled = dot.time <= this.#copies.floor;
    const verdict = isSettled ? GAP : this.#states.join({ key, bytes, record }, delta);
    if (verdict.type === "gap") {
      this.#gaps++;
      const shard = this.#context.shardIndex;
      effects.send(event.from.node, "coordinator", shard, { type: "gap", requestId });
      return;
    }
    const keyed =
      verdict.type === "joined" ? verdict.keyed : keyRecord(key, bytes ?? new Uint8Array(0));
    if (verdict.type === "joined" && !this.#copies.hasRoomFor(keyed.record, bytes)) return;
    const kind = "write-back" as const;
    const write = { type: "write" as const, requestId, kind, proof: undefined, keyed };
    // The delta was admitted: what has become of it is of this copy's own epoch.
    const message = atEpoch<CopyMessage>({ epoch: this.#copies.epoch }, write);
    this.#copies.step({ ...event, message }, effects);
    if (verdict.type !== "joined") return;
    this.#deltas++;
    this.#states.keep(keyed, verdict.encoded);
  }

  /** The record, at once; the acknowledgement, when it is durable. */
  #hand(
    from: Sender,
    { requestId }: MintMessage,
    keyed: KeyedRecord,
    delta: MintedMessage["delta"],
    effects: Fx,
  ): void {
    const shard = this.#context.shardIndex;
    // Before this copy is durable: the record vouches for nothing, and a node that loses it comes
    // back under another actor, so that the dot never names anything else.
    effects.sendBeforeDurable(from.node, "coordinator", shard, {
      type: "minted",
      requestId,
      verdict: "minted",
      keyed,
      delta,
      reason: "",
    });
    effects.send(from.node, "coordinator", shard, {
      type: "write-ack",
      requestId,
      verdict: "stored",
      serving: this.#copies.holdsForGood,
      stamp: undefined,
    });
  }

  #onRecall(from: Sender, message: RecallMessage, effects: Fx): void {
    const isKnown = this.#remembered.has(message.operation);
    this.#answer(from, message, isKnown ? "known" : "forgotten", "", effects);
  }

  /**
   * A message that may have come before, and is not remembered: it did not come while this machine
   * was here, if it was made later than the machine, whatever the clocks say (within the guard),
   * and if nothing as new has been forgotten.
   */
  #mayHaveForgotten({ operation, again }: MintMessage): boolean {
    if (this.#planted.mintedTwice === true) return false;
    if (this.#remembered.isBeyondMemory(operation)) return true;
    return again && !this.#context.clock.isBeyondGuard(operation, this.#sinceMs);
  }

  /**
   * A context that a client made up may cover events of this actor that are still to come. Such keys
   * get events of another actor; all others keep theirs, so that their contexts do not grow.
   */
  #nextDot(held: DottedRecord, { seen }: MintMessage["event"], time: number): EventDot {
    const counter = this.#counter + 1;
    const isTaken = (dot: EventDot) =>
      held.context.covers(dot, time) || seen?.covers(dot, time) === true;
    const dot = { actor: this.#actor, counter };
    if (!isTaken(dot)) return dot;
    this.#spareActor ??= this.#drawActor();
    if (isTaken({ actor: this.#spareActor, counter })) this.#spareActor = this.#drawActor();
    return { actor: this.#spareActor, counter };
  }

  /** A new event has to lie above all that it follows, and above what is promised to be over. */
  #newestOf(held: Uint8Array | undefined, message: MintMessage): HybridTime {
    const above = held === undefined ? this.#copies.floor : timeAbove(held);
    return Math.max(above, message.newestTime, this.#copies.fence);
  }

  /**
   * What is known of a key that is not held. A record that is made of it says up to when that is all:
   * else whoever has seen what was settled would look for that in vain.
   */
  get #nothing(): DottedRecord {
    const { floor } = this.#copies;
    if (floor === 0) return NOTHING;
    return { ...NOTHING, context: CausalContext.upTo(floor), newestTime: floor };
  }

  #settledTo(wallMs: number): HybridTime {
    const isEarly = this.#planted.actorsRetiredWithoutProof === true;
    return isEarly ? hybridTimeOf(wallMs - EARLY_MS) : this.#copies.floor;
  }

  /** Undefined where nothing would come of it: the name stays for as long as the actor. */
  #nameEndMs(time: HybridTime): number | undefined {
    const isOfUse = this.#states?.retiresActors === true;
    if (!isOfUse || this.#reapAfterMs === Number.POSITIVE_INFINITY) return undefined;
    const settledTo = Math.max(this.#copies.floor, hybridTimeOf(this.#sinceMs));
    return nameEndMs(time, settledTo, this.#reapAfterMs);
  }

  #timeAfter(newestTime: number, wallMs: number): number {
    const { clock } = this.#context;
    if (newestTime === 0) return clock.mint(wallMs).time;
    return clock.mintAbove({ time: newestTime, actorHigh: 0, actorLow: 0 }, wallMs).stamp.time;
  }

  #seenBy(event: MintMessage["event"], held: DottedRecord): MintMessage["event"] {
    const { contextIgnored, blindWriteReplaces } = this.#planted;
    if (contextIgnored === true) return { ...event, seen: held.context, unseen: [] };
    if (blindWriteReplaces === true) return { ...event, seen: event.seen ?? held.context };
    return event;
  }

  #answer(
    from: Sender,
    { requestId }: { readonly requestId: number },
    verdict: MintVerdict,
    reason: string,
    effects: Fx,
  ): void {
    // What is known has to be durable before anybody is told so; the rest waits with it.
    effects.send(from.node, "coordinator", this.#context.shardIndex, {
      type: "minted",
      requestId,
      verdict,
      keyed: undefined,
      reason,
    });
  }
}

/** Bugs that are planted where a record is read to be minted upon. */
function mintsWrong(planted: PlantedDynamoBugs): boolean {
  const { contextIgnored, blindWriteReplaces, actorsRetiredWithoutProof } = planted;
  return [contextIgnored, blindWriteReplaces, actorsRetiredWithoutProof].includes(true);
}
