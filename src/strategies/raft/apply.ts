import type { StateReader } from "../../core/contracts/machine.ts";
import { hash32From } from "../../core/model/hash.ts";
import type { Outcome } from "../../core/model/outcome.ts";
import { readBooks } from "./applied-point.ts";
import { type Books, emptyBooks, encodeBooks } from "./books.ts";
import {
  type Command,
  type CommandBody,
  type Condition,
  decodeCommand,
  type Identity,
  type WriteAction,
} from "./commands.ts";
import type { AppliedPoint } from "./consensus-types.ts";
import { ENTRY_HEADER_BYTES } from "./entry.ts";
import { groupOf } from "./group.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import { expiresAtMsOf, isLive, makeRecord, revisionOf } from "./record.ts";
import type { MemoryOfOperation, Remembered } from "./remembered.ts";
import { Sessions } from "./sessions.ts";
import { hasSlotRows, type StateWriter } from "./slot-chunks.ts";
import { booksKey, expiryKey } from "./state-rows.ts";
import { isOfNoLife, lifeMarkOf } from "./version.ts";

export type RejectionReason = "version-mismatch" | "exists" | "absent";

/** What became of one entry. */
export type Applied =
  /** Also of a copy of a write that was applied before: `revision` is that of the first. */
  | { readonly type: "written"; readonly revision: number }
  /** A condition did not hold, for `key`; `current` is its record now, if there is one. */
  | {
      readonly type: "rejected";
      readonly reason: RejectionReason;
      readonly key: Uint8Array;
      readonly current: Uint8Array | undefined;
    }
  /**
   * Nothing was written, and by this entry never will be.
   * - `fenced`: `resolve` has settled the operation as not applied.
   * - `reused`: its id was used for something else.
   * - `full`: there is no room to remember another session.
   */
  | { readonly type: "fenced" | "reused" | "full" }
  /** Whether an earlier copy was applied nobody knows any more. Sessions up to `floor` are not opened. */
  | { readonly type: "forgotten"; readonly floor?: number }
  | { readonly type: "resolved"; readonly outcome: Outcome }
  | { readonly type: "swept" };

/** What watchers see of an entry; several of one entry are told apart by their `ordinal`. */
export interface ShardChange {
  readonly type: "put" | "delete" | "expire";
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly index: number;
  readonly ordinal: number;
}

const SWEPT: Applied = Object.freeze({ type: "swept" });
const OUTCOME_CODES = Object.freeze({
  written: 1,
  rejected: 2,
  fenced: 3,
  reused: 4,
  full: 5,
  forgotten: 6,
  resolved: 7,
  swept: 8,
});

/**
 * The state machine of one shard (extended paper §2): what its committed entries make of the state.
 *
 * Invariant: the state after entry `i` is a function of the entries 1…i and of nothing else, so that
 * replicas with equal `appliedIndex` hold equal bytes. No clock, no settings, no chance: all of
 * that is in the entries.
 */
export class ShardMachine {
  readonly #shardIndex: number;
  readonly #onChange: (change: ShardChange) => void;
  readonly #planted: PlantedReplicaBugs;
  #books: Books = emptyBooks();
  #sessions = new Sessions(this.#books);
  #isDirty = false;
  #ordinal = 0;
  #nearestExpiryMs = Number.POSITIVE_INFINITY;

  constructor(
    shardIndex: number,
    onChange: (change: ShardChange) => void,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  ) {
    this.#shardIndex = shardIndex;
    this.#onChange = onChange;
    this.#planted = planted;
  }

  get books(): Readonly<Books> {
    return this.#books;
  }

  get lifeMark(): number {
    return lifeMarkOf(this.#books.salt, this.#shardIndex);
  }

  /** What was seen there says nothing of this state. */
  isOfAnotherLife(lifeMark: number): boolean {
    if (this.#books.salt === 0 || isOfNoLife(lifeMark, this.#shardIndex)) return false;
    return lifeMark !== this.lifeMark;
  }

  /** Whether entries since the last `finish` have changed the books. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** Takes up what the state says of itself. Throws `MalformedBytesError` if that is damaged. */
  open(state: Pick<StateReader, "get" | "range">): void {
    this.#books = readBooks(state);
    this.#sessions = new Sessions(this.#books, hasSlotRows(state));
    this.#isDirty = false;
  }

  /** The nearest expiry of what was put since the last call; infinity if nothing expires. */
  takeNearestExpiryMs(): number {
    const nearest = this.#nearestExpiryMs;
    this.#nearestExpiryMs = Number.POSITIVE_INFINITY;
    return nearest;
  }

  /** An entry that is none of ours: only the place in the log moves on. */
  skip(index: number, term: number): void {
    this.#advance(index, term);
  }

  /** `record` is the entry's log record. Throws if no leader has made it, or out of order. */
  apply(index: number, term: number, record: Uint8Array, state: StateWriter): Applied {
    this.#advance(index, term);
    const command = decodeCommand(record, ENTRY_HEADER_BYTES);
    const { clockMs, salt } = command.header;
    const books = this.#books;
    if (clockMs > books.clockMs) books.clockMs = clockMs;
    // In every group another one, though the same replica may have drawn both.
    if (books.salt === 0) books.salt = (salt ^ groupOf(term)) >>> 0 || 1;
    this.#ordinal = 0;
    const { body } = command;
    const hash = hash32From(record, body.type === "write" ? body.contentFrom : 0);
    const applied = this.#run(index, command, hash, state);
    books.chain = mix(mix(mix(books.chain, index), hash), OUTCOME_CODES[applied.type]);
    return applied;
  }

  /**
   * Writes down what the entries since the last call have changed of the books, and of what is
   * remembered; at the end of every step that has applied some. False if that is nothing.
   * `point`: where the consensus says that the state stands.
   */
  finish(
    state: StateWriter,
    point: Pick<AppliedPoint, "index" | "term"> | undefined = undefined,
  ): boolean {
    if (!this.#isDirty) return false;
    this.#isDirty = false;
    this.#sessions.flush(state);
    const { appliedIndex, appliedTerm } = this.#books;
    const index = point?.index ?? appliedIndex;
    const term = point?.term ?? appliedTerm;
    const books = { ...this.#books, appliedIndex: index, appliedTerm: term };
    state.put(booksKey(), encodeBooks(books));
    return true;
  }

  #advance(index: number, term: number): void {
    const books = this.#books;
    if (index !== books.appliedIndex + 1) {
      throw new Error(`entry ${index} was to be applied behind entry ${books.appliedIndex}`);
    }
    // Another group's log may have had other entries at these places: another life of the shard.
    if (books.appliedTerm > 0 && groupOf(term) > groupOf(books.appliedTerm)) books.salt = 0;
    books.appliedIndex = index;
    books.appliedTerm = term;
    this.#isDirty = true;
  }

  #run(index: number, { header, body }: Command, hash: number, state: StateWriter): Applied {
    const { sessionLifetimeMs } = header;
    switch (body.type) {
      case "write":
        if (body.identity === undefined || this.#planted.retryAppliedTwice === true) {
          return this.#write(index, body.actions, state);
        }
        return this.#writeOnce(index, body.identity, body.actions, hash, sessionLifetimeMs, state);
      case "resolve":
        return this.#resolve(body, sessionLifetimeMs, state);
      case "sweep":
        this.#sweep(index, body, sessionLifetimeMs, state);
        return SWEPT;
    }
  }

  #writeOnce(
    index: number,
    identity: Identity,
    actions: readonly WriteAction[],
    fingerprint: number,
    lifetimeMs: number,
    state: StateWriter,
  ): Applied {
    const recalled = this.#sessions.recall(identity, state);
    if (recalled.type === "known") return this.#again(recalled.memory, actions, fingerprint, state);
    if (recalled.type === "forgotten") {
      return { type: "forgotten", floor: this.books.sessionFloor };
    }
    if (recalled.type !== "new") return { type: recalled.type };
    const applied = this.#write(index, actions, state);
    const outcome: Remembered = applied.type === "rejected" ? applied.reason : "written";
    const memory = { outcome, revision: index, fingerprint };
    this.#sessions.remember(identity, memory, lifetimeMs, state);
    return applied;
  }

  /** A copy of an operation that has its outcome. */
  #again(
    { outcome, revision, fingerprint: before }: MemoryOfOperation,
    actions: readonly WriteAction[],
    fingerprint: number,
    state: StateWriter,
  ): Applied {
    if (outcome === "fenced") return { type: "fenced" };
    if (before !== fingerprint) return { type: "reused" };
    if (outcome === "written") return { type: "written", revision };
    const { key } = actions.find((action) => action.condition !== undefined) ?? firstOf(actions);
    return { type: "rejected", reason: outcome, key, current: this.#liveRecord(key, state) };
  }

  /** All conditions hold before anything is written, or nothing is. */
  #write(index: number, actions: readonly WriteAction[], state: StateWriter): Applied {
    const { batchInParts, refusedIsWritten } = this.#planted;
    const refusal = this.#refusalOf(actions, state);
    if (refusal !== undefined && refusedIsWritten !== true) return refusal;
    const done = batchInParts === true && actions.length > 1 ? actions.slice(0, -1) : actions;
    for (const action of done) this.#act(index, action, state);
    return refusal ?? { type: "written", revision: index };
  }

  /** By the first condition that does not hold; undefined if all do. */
  #refusalOf(actions: readonly WriteAction[], state: StateWriter): Applied | undefined {
    for (const { condition, key } of actions) {
      if (condition === undefined || this.#planted.conditionIgnored === true) continue;
      const current = this.#liveRecord(key, state);
      const reason = this.#brokenBy(current, condition);
      if (reason !== undefined) return { type: "rejected", reason, key, current };
    }
    return undefined;
  }

  #brokenBy(current: Uint8Array | undefined, condition: Condition): RejectionReason | undefined {
    if (condition.type === "absent") return current === undefined ? undefined : "exists";
    if (current === undefined) return "absent";
    const isThere =
      condition.lifeMark === this.lifeMark && condition.revision === revisionOf(current);
    return isThere ? undefined : "version-mismatch";
  }

  #act(index: number, action: WriteAction, state: StateWriter): void {
    const { key } = action;
    if (action.type === "delete") {
      const there = state.get(key);
      if (there === undefined) return;
      const wasLive = isLive(there, this.#books.clockMs);
      this.#forgetExpiry(key, there, state);
      state.delete(key);
      this.#tell(wasLive ? "delete" : "expire", index, key, undefined);
      return;
    }
    // Only where something expires can a record lie here whose expiry has to be forgotten.
    if (this.#books.expiringRows > 0) this.#replace(index, key, state);
    const expiresAtMs = action.ttlMs === 0 ? 0 : this.#books.clockMs + action.ttlMs;
    const made = makeRecord(key, index, expiresAtMs, action.value);
    state.put(made.key, made.record);
    if (expiresAtMs !== 0) {
      state.put(expiryKey(expiresAtMs, key), new Uint8Array(0));
      this.#books.expiringRows++;
      if (expiresAtMs < this.#nearestExpiryMs) this.#nearestExpiryMs = expiresAtMs;
    }
    this.#tell("put", index, made.key, action.value);
  }

  /** What lies under the key is about to be overwritten. */
  #replace(index: number, key: Uint8Array, state: StateWriter): void {
    const there = state.get(key);
    if (there === undefined) return;
    this.#forgetExpiry(key, there, state);
    if (!isLive(there, this.#books.clockMs)) this.#tell("expire", index, key, undefined);
  }

  #forgetExpiry(key: Uint8Array, record: Uint8Array, state: StateWriter): void {
    const expiresAtMs = expiresAtMsOf(record);
    if (expiresAtMs === 0) return;
    state.delete(expiryKey(expiresAtMs, key));
    this.#books.expiringRows--;
  }

  /** What was not applied by now never will be: its sequence is taken. */
  #resolve(
    { session, sequence }: Extract<CommandBody, { type: "resolve" }>,
    lifetimeMs: number,
    state: StateWriter,
  ): Applied {
    const identity: Identity = { type: "session", session, sequence };
    const recalled = this.#sessions.recall(identity, state);
    if (recalled.type === "known") {
      const isApplied = recalled.memory.outcome === "written";
      return { type: "resolved", outcome: isApplied ? "applied" : "not-applied" };
    }
    if (recalled.type !== "new") return { type: "resolved", outcome: "unknown" };
    const memory: MemoryOfOperation = { outcome: "fenced", revision: 0, fingerprint: 0 };
    this.#sessions.remember(identity, memory, lifetimeMs, state);
    return { type: "resolved", outcome: "not-applied" };
  }

  #sweep(
    index: number,
    { keys, sessions, slots, ownKeys }: Extract<CommandBody, { type: "sweep" }>,
    lifetimeMs: number,
    state: StateWriter,
  ): void {
    for (const { key, expiresAtMs } of keys) {
      const there = state.get(key);
      // Written since, perhaps with another expiry: then it has a row of its own, or none.
      if (there === undefined) continue;
      const isAsked = expiresAtMsOf(there) === expiresAtMs && !isLive(there, this.#books.clockMs);
      if (!isAsked && this.#planted.sweptThoughRewritten !== true) continue;
      this.#forgetExpiry(key, there, state);
      state.delete(key);
      this.#tell("expire", index, key, undefined);
    }
    for (const session of sessions) this.#sessions.sweepSession(session, lifetimeMs, state);
    for (const { session, slot } of slots) this.#sessions.sweepSlot(session, slot, state);
    for (const ownKey of ownKeys) this.#sessions.sweepOwnKey(ownKey, state);
  }

  #liveRecord(key: Uint8Array, state: StateWriter): Uint8Array | undefined {
    const record = state.get(key);
    return record !== undefined && isLive(record, this.#books.clockMs) ? record : undefined;
  }

  #tell(
    type: ShardChange["type"],
    index: number,
    key: Uint8Array,
    value: Uint8Array | undefined,
  ): void {
    if (this.#planted.changesOfBatchDropped === true && this.#ordinal > 0) return;
    this.#onChange({ type, key, value, index, ordinal: this.#ordinal++ });
  }
}

function firstOf(actions: readonly WriteAction[]): WriteAction {
  return actions[0] as WriteAction;
}

/** One word into a running hash (the round of MurmurHash3). */
function mix(hash: number, word: number): number {
  let block = Math.imul(word | 0, 0xcc9e2d51);
  block = Math.imul((block << 15) | (block >>> 17), 0x1b873593);
  const turned = hash ^ block;
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) >>> 0;
}
