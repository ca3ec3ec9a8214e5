import type { Effects, StateReader } from "../../core/contracts/machine.ts";
import type { StateEntry } from "../../core/contracts/storage.ts";
import { ByteWriter } from "../../core/model/bytes.ts";
import type { Stamp } from "../../core/model/stamp.ts";
import type { Books } from "./books.ts";
import { type CommandBody, writeBody } from "./commands.ts";
import { isClosed, isOver } from "./sessions.ts";
import { slotsInRow } from "./slot-chunk.ts";
import {
  chunkRange,
  dueOfRow,
  expiryRange,
  ownKeyExpiryRange,
  ownKeyOfRow,
  sessionOfRow,
  sessionRange,
  slotOfRow,
  slotRange,
} from "./state-rows.ts";

type SweepBody = Extract<CommandBody, { type: "sweep" }>;

/** Of each kind, in one sweep: a step stays far below a millisecond. */
const MAX_KEYS = 256;
const MAX_SLOTS = 512;
const MAX_SESSIONS = 64;
const MAX_BYTES = 64 * 1024;
/** How often a leader looks through the sessions, as a part of their lifetime. */
const LOOKS_PER_LIFETIME = 8;
/** Whatever expires meanwhile wakes it; but a clock may be set forward where nothing happens. */
const LONGEST_SLEEP_MS = 60_000;
/** The least time between two sweeps: what is due comes in crowds. */
const PAUSE_MS = 20;

/**
 * Finds what is due in the state of a leader: keys, keys of the users' own, sessions and what is
 * left of them. Only proposes: what happens is decided where the entry is applied.
 *
 * All times are those of the log's clock, as the leader reads it: `clockMs`.
 */
export class Sweeper {
  static readonly TIMER = "sweep";
  readonly #lifetimeMs: number;
  readonly #writer = new ByteWriter();
  #nextLookMs = 0;
  /** When the timer is set for; infinity: it is not. */
  #wakesAtMs = Number.POSITIVE_INFINITY;

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs;
  }

  /** The body of a command that removes nothing, and only moves the clock of the log on. */
  static nothing(): Uint8Array {
    const writer = new ByteWriter();
    writeBody(writer, { type: "sweep", keys: [], sessions: [], slots: [], ownKeys: [] });
    return writer.copy();
  }

  /** It has fired, or was set for a state of which nothing is known any more. */
  forgetTimer(): void {
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
  }

  /** Its time has come, though the timer may not have fired: clocks are set. */
  isDue(clockMs: number): boolean {
    return clockMs >= this.#wakesAtMs;
  }

  /** The body of a command that removes what is due by the clock; undefined if nothing is. */
  find(
    state: Pick<StateReader, "range">,
    readMs: number,
    books: Readonly<Books>,
  ): Uint8Array | undefined {
    // What this step has applied may have moved the log's clock.
    const clockMs = Math.max(readMs, books.clockMs);
    const keys =
      books.expiringRows === 0
        ? []
        : entriesIn(state, expiryRange(clockMs), MAX_KEYS).map(({ key }) => dueOfRow(key));
    if (books.rememberedRows === 0 || clockMs < this.#nextLookMs) {
      return keys.length === 0 ? undefined : this.#encode({ keys });
    }
    const ownKeys = entriesIn(state, ownKeyExpiryRange(clockMs), MAX_KEYS).map(({ key }) =>
      ownKeyOfRow(key),
    );
    const { sessions, slots } = this.#overSessions(state, clockMs);
    if (keys.length + ownKeys.length + sessions.length + slots.length === 0) return undefined;
    return this.#encode({ keys, ownKeys, sessions, slots });
  }

  /** Sets the timer for when something may be due, unless nothing is held that could be. */
  sleep(
    state: Pick<StateReader, "range">,
    clockMs: number,
    books: Readonly<Books>,
    timers: Pick<Effects<unknown>, "setTimer">,
  ): void {
    if (books.expiringRows === 0 && books.rememberedRows === 0) return;
    let atMs = books.rememberedRows === 0 ? Number.POSITIVE_INFINITY : this.#nextLookMs;
    const nextKey = books.expiringRows > 0 ? entriesIn(state, expiryRange(), 1)[0] : undefined;
    if (nextKey !== undefined) atMs = Math.min(atMs, dueOfRow(nextKey.key).expiresAtMs);
    this.#set(atMs, clockMs, timers);
  }

  /** The state has changed: something may be due earlier than the timer says. */
  watch(
    nearestExpiryMs: number,
    clockMs: number,
    books: Readonly<Books>,
    timers: Pick<Effects<unknown>, "setTimer">,
  ): void {
    if (nearestExpiryMs < this.#wakesAtMs) this.#set(nearestExpiryMs, clockMs, timers);
    const isSet = this.#wakesAtMs !== Number.POSITIVE_INFINITY;
    if (!isSet && books.expiringRows + books.rememberedRows > 0) this.#set(0, clockMs, timers);
  }

  #set(atMs: number, clockMs: number, timers: Pick<Effects<unknown>, "setTimer">): void {
    const delayMs = Math.min(LONGEST_SLEEP_MS, Math.max(PAUSE_MS, atMs - clockMs));
    this.#wakesAtMs = clockMs + delayMs;
    timers.setTimer(Sweeper.TIMER, delayMs);
  }

  #encode(found: Partial<SweepBody>): Uint8Array {
    this.#writer.reset();
    const nothing = { keys: [], sessions: [], slots: [], ownKeys: [] };
    writeBody(this.#writer, { type: "sweep", ...nothing, ...found });
    return this.#writer.view();
  }

  /** Sessions that are over are closed; of the closed the slots go, and then their own rows. */
  #overSessions(
    state: Pick<StateReader, "range">,
    clockMs: number,
  ): { sessions: Stamp[]; slots: { session: Stamp; slot: number }[] } {
    const sessions: Stamp[] = [];
    const slots: { session: Stamp; slot: number }[] = [];
    let isDone = true;
    for (const { key, value } of entriesIn(state, sessionRange(), Number.POSITIVE_INFINITY)) {
      const session = sessionOfRow(key);
      if (!isClosed(value) && !isOver(session, value, clockMs, this.#lifetimeMs)) continue;
      isDone = false;
      const room = MAX_SLOTS - slots.length;
      if (room <= 0 || sessions.length >= MAX_SESSIONS) break;
      const left = isClosed(value) ? slotsOf(state, session, room) : [];
      if (left.length === 0) sessions.push(session);
      else for (const slot of left) slots.push({ session, slot });
    }
    if (isDone) this.#nextLookMs = clockMs + this.#lifetimeMs / LOOKS_PER_LIFETIME;
    return { sessions, slots };
  }
}

/** Some of the slots that are taken, if any are. */
function slotsOf(
  state: Pick<StateReader, "range">,
  session: Stamp,
  limit: number,
): readonly number[] {
  const alone = entriesIn(state, slotRange(session), limit).map(({ key }) => slotOfRow(key));
  if (alone.length > 0) return alone;
  const chunks = entriesIn(state, chunkRange(session), limit);
  return chunks.flatMap(({ value }) => slotsInRow(value)).slice(0, limit);
}

function entriesIn(
  state: Pick<StateReader, "range">,
  { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
  limit: number,
): readonly StateEntry[] {
  return state.range(from, to, MAX_BYTES, limit).entries.slice(0, limit);
}
