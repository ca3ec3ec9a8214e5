import type { Effects, ReplicaContext, Sender } from "../../core/contracts/machine.ts";
import { type HybridTime, hybridTimeOf } from "../../core/model/stamp.ts";
import { type KeyedRecord, keyRecord } from "../leaderless/record.ts";
import type { LeaderlessReplica } from "../leaderless/replica.ts";
import type { EventDot } from "./causal-context.ts";
import { DotSupply } from "./dot-supply.ts";
import {
  type DottedRecord,
  decodeRecord,
  keyDottedRecord,
  nothingUpTo,
  timeAbove,
} from "./dotted-record.ts";
import { settledUpTo } from "./dotted-settling.ts";
import type { DynamoMessage, MintMessage, RecallMessage } from "./messages.ts";
import { MAX_RECORD_BYTES, mint, NO_OPERATIONS } from "./mint.ts";
import { MintReplies } from "./mint-replies.ts";
import { mintNewest } from "./newest-mint.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import { refusalOf } from "./record-limits.ts";
import { RememberedWrites } from "./remembered-writes.ts";
import type { Settlement } from "./settlement.ts";
import { nameEndMs } from "./states/name-span.ts";
import type { States } from "./states/states.ts";

/** The key, in a record of the log. */
const BYTES_BESIDE_RECORD = 2 * 1_026;
/** Of a planted bug: so old are names that go from contexts unproven. */
const EARLY_MS = 200;

type Fx = Effects<DynamoMessage>;

/** What a minter needs of the copies that it mints upon. */
export type MintedCopies = Pick<
  LeaderlessReplica,
  "fence" | "floor" | "hasRoom" | "holdsForGood" | "store"
>;

/** What a write is minted upon, and under which name. */
interface Upon {
  readonly bytes: Uint8Array | undefined;
  readonly held: DottedRecord;
  readonly dot: EventDot;
  readonly time: HybridTime;
}

/**
 * Names clients' writes, and keeps each in the same step: the minter of its shard's keys here.
 *
 * Invariants:
 * - an operation is minted once, however often it comes: what is not remembered and may have come
 *   before is answered `forgotten`;
 * - the copy that an event is minted upon holds every earlier event of this actor for the key
 *   (`DotSupply` has those of the dots);
 * - the event is in the log and the state by the same step that names it, and later than all that it
 *   follows and than what is promised to be over.
 */
export class Minter {
  readonly #context: ReplicaContext;
  readonly #planted: PlantedDynamoBugs;
  readonly #settlement: Settlement;
  readonly #copies: MintedCopies;
  /** Undefined: the keyspace has no CRDT. */
  readonly #states: States | undefined;
  readonly #dots: DotSupply;
  readonly #replies: MintReplies;
  readonly #remembered = new RememberedWrites();
  readonly #maxRecordBytes: number;
  /** Of versions side by side one stays, whatever is in them: see `mintNewest`. */
  readonly #keepsNewest: boolean;
  readonly #reapAfterMs: number;
  /** Wall time since when this machine remembers what it minted. */
  #sinceMs = Number.POSITIVE_INFINITY;

  constructor(parts: {
    readonly context: ReplicaContext;
    readonly planted: PlantedDynamoBugs;
    readonly settlement: Settlement;
    readonly states: States | undefined;
    readonly copies: MintedCopies;
    readonly reapAfterMs: number;
  }) {
    const { context, planted, settlement } = parts;
    this.#context = context;
    this.#planted = planted;
    this.#settlement = settlement;
    this.#states = parts.states;
    this.#copies = parts.copies;
    this.#reapAfterMs = parts.reapAfterMs;
    // Two that meet have to fit the log together.
    const half = ((context.maxRecordBytes ?? Number.POSITIVE_INFINITY) - BYTES_BESIDE_RECORD) / 2;
    this.#maxRecordBytes = Math.min(MAX_RECORD_BYTES, Math.floor(half));
    const picks = settlement.kind === "pick" && settlement.resolver;
    this.#keepsNewest = picks && picks.capabilities.keepsNewest === true && !mintsWrong(planted);
    this.#dots = new DotSupply(context, context.shardIndex, planted);
    this.#replies = new MintReplies(context.shardIndex, parts.copies);
  }

  /** Events minted so far. */
  get minted(): number {
    return this.#dots.minted;
  }

  /** What came before is not remembered. */
  open(wallMs: number): void {
    this.#sinceMs = wallMs;
  }

  /** A copy of a key has left this node. */
  onCopyLeft(): void {
    this.#dots.renew();
  }

  onMint(from: Sender, message: MintMessage, wallMs: number, effects: Fx): void {
    const { operation, key } = message;
    const isKnown = this.#remembered.has(operation);
    if (isKnown && this.#planted.mintedTwice !== true) {
      const record = effects.get(key);
      // The copy may have left this node since: the event is out there, and is not minted again.
      if (record === undefined) this.#replies.answer(from, message, "forgotten", "", effects);
      else this.#replies.hand(from, message, keyRecord(key, record), undefined, effects);
      return;
    }
    if (this.#mayHaveForgotten(message)) {
      this.#replies.answer(from, message, "forgotten", "", effects);
      return;
    }
    this.#mint(from, message, wallMs, effects);
  }

  onRecall(from: Sender, message: RecallMessage, effects: Fx): void {
    const isKnown = this.#remembered.has(message.operation);
    this.#replies.answer(from, message, isKnown ? "known" : "forgotten", "", effects);
  }

  #mint(from: Sender, message: MintMessage, wallMs: number, effects: Fx): void {
    const { key, event } = message;
    if (!this.#copies.hasRoom) {
      this.#replies.answer(from, message, "no-room", "", effects);
      return;
    }
    const bytes = effects.get(key);
    const forgets = this.#planted.counterReusedAfterReaping === true && this.#copies.floor > 0;
    if (forgets && bytes === undefined) this.#dots.countAgain();
    const time = this.#timeAfter(this.#newestOf(bytes, message), wallMs);
    const newest = this.#mintNewest(bytes, event, key, time);
    if (newest !== undefined) {
      this.#keep(message, newest, wallMs, effects);
      this.#replies.hand(from, message, newest, undefined, effects);
      return;
    }
    const held = bytes === undefined ? nothingUpTo(this.#copies.floor) : decodeRecord(bytes);
    const dot = this.#dots.next(held.context, event.seen, time);
    if (event.type === "update") {
      this.#operate(from, message, { bytes, held, dot, time }, wallMs, effects);
      return;
    }
    const minted = mint(this.#settlement, held, this.#seenBy(event, held), dot, time);
    if (minted.type !== "record") {
      const reason = minted.type === "refused" ? minted.message : "";
      this.#replies.answer(from, message, minted.type, reason, effects);
      return;
    }
    const kept = settledUpTo(minted.record, this.#settledTo(wallMs));
    const keyed = keyDottedRecord(key, kept);
    const refusal = refusalOf(kept.context, keyed.record.length, this.#maxRecordBytes);
    if (refusal !== undefined) {
      this.#replies.answer(from, message, refusal.verdict, refusal.reason, effects);
      return;
    }
    this.#countGone(minted.record.context.entries.length - kept.context.entries.length);
    this.#keep(message, keyed, wallMs, effects);
    this.#replies.hand(from, message, keyed, undefined, effects);
  }

  /** Undefined: there is more to it. */
  #mintNewest(
    held: Uint8Array | undefined,
    { type, value, seen, expiresAtMs }: MintMessage["event"],
    key: Uint8Array,
    time: HybridTime,
  ): KeyedRecord | undefined {
    if (!this.#keepsNewest || type === "update" || seen !== undefined) return undefined;
    const { actor, nextCounter: counter } = this.#dots;
    const version = { key, value, expiresAtMs, actor, counter, time };
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
      this.#replies.answer(from, message, "refused", operated.message, effects);
      return;
    }
    const { context, namesGone, byteLength, keyed, encoded, delta } = operated;
    const refusal = refusalOf(context, byteLength, this.#maxRecordBytes);
    if (refusal !== undefined) {
      this.#replies.answer(from, message, refusal.verdict, refusal.reason, effects);
      return;
    }
    this.#countGone(namesGone);
    this.#keep(message, keyed, wallMs, effects);
    this.#states?.keep(keyed, encoded);
    this.#replies.hand(from, message, keyed, delta, effects);
  }

  #countGone(names: number): void {
    if (names > 0) this.#context.count?.("actors_retired", names);
  }

  #keep({ operation }: MintMessage, keyed: KeyedRecord, wallMs: number, effects: Fx): void {
    this.#dots.take();
    this.#remembered.remember(operation);
    if (this.#planted.minterKeepsNothing !== true) this.#copies.store(keyed, wallMs, effects);
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

  /** A new event has to lie above all that it follows, and above what is promised to be over. */
  #newestOf(held: Uint8Array | undefined, message: MintMessage): HybridTime {
    const above = held === undefined ? this.#copies.floor : timeAbove(held);
    return Math.max(above, message.newestTime, this.#copies.fence);
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
}

/** Bugs that are planted where a record is read to be minted upon. */
function mintsWrong(planted: PlantedDynamoBugs): boolean {
  const { contextIgnored, blindWriteReplaces, actorsRetiredWithoutProof } = planted;
  return [contextIgnored, blindWriteReplaces, actorsRetiredWithoutProof].includes(true);
}
