import type { LogStore, StateMutation, StateStore } from "../contracts/storage.ts";
import { type LogPosition, type LogSequence, NO_POSITION, NO_SEQUENCE } from "../model/ids.ts";
import type { MachineCell } from "./machine-cell.ts";
import { NO_PLANTED_HOST_BUGS, type PlantedHostBugs } from "./planted-bugs.ts";
import { keepWords, type Word } from "./words.ts";

const NOTHING: readonly never[] = Object.freeze([]);

/** What of one step waits for the log: one is made for every write. */
class WaitingGroup {
  readonly cell: MachineCell;
  /** Everything in the group may happen once the log is durable up to here. */
  readonly position: LogPosition;
  /** Newest record of the shard that is in the state with the step, and with all before it. */
  readonly sequence: LogSequence;
  mutations: readonly StateMutation[] = NOTHING;
  words: readonly Word[] = NOTHING;
  /** Whether the step moved the mark of what is applied, perhaps without a mutation. */
  marks = false;
  /** Called when the mutations are committed. */
  committed: (() => void) | undefined = undefined;

  constructor(cell: MachineCell, position: LogPosition) {
    this.cell = cell;
    this.position = position;
    this.sequence = appliedOf(cell);
  }

  /** Nothing of it is to happen. */
  forget(): void {
    this.cell.state.settle(this.mutations);
    this.mutations = NOTHING;
    this.words = NOTHING;
    this.marks = false;
    this.committed = undefined;
  }
}

/** Says in a commit how far the shard's log is in the state with it; undefined where that is not kept. */
export type AppliedMark = (cell: MachineCell, sequence: LogSequence) => StateMutation | undefined;

/**
 * Words after durability, in the one place that does it.
 *
 * Invariants, for every group g of one step's mutations and words:
 * - g is committed and spoken only when `log.durablePosition ≥ g.position`, and
 *   `g.position ≥` the position of every earlier append of g's shard;
 * - mutations are committed in the order in which their steps ran, so that the state never holds
 *   a step without all earlier ones; one machine's words leave in the order of its steps.
 */
export class CommitQueue {
  readonly #log: LogStore;
  readonly #state: StateStore;
  readonly #speak: (cell: MachineCell, words: readonly Word[]) => void;
  readonly #appliedMark: AppliedMark;
  readonly #planted: PlantedHostBugs;
  readonly #waiting: WaitingGroup[] = [];
  #isReleasing = false;
  /** How far the log was last said to be durable. */
  #upTo = NO_POSITION;

  constructor(options: {
    readonly log: LogStore;
    readonly state: StateStore;
    readonly speak: (cell: MachineCell, words: readonly Word[]) => void;
    readonly appliedMark: AppliedMark;
    readonly planted?: PlantedHostBugs;
  }) {
    this.#planted = options.planted ?? NO_PLANTED_HOST_BUGS;
    this.#log = options.log;
    this.#state = options.state;
    this.#speak = options.speak;
    this.#appliedMark = options.appliedMark;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** `mutations` and `words` are the step's own scratch arrays: copied if they have to wait. */
  add(
    cell: MachineCell,
    mutations: readonly StateMutation[],
    words: readonly Word[],
    marks: boolean = mutations.length > 0,
    committed?: () => void,
  ): void {
    const position = cell.lastPosition;
    // What a word leads to while others wait to be said takes its place behind them.
    const isDurable = !this.#isReleasing && position <= this.#log.durablePosition;
    if (this.#planted.wordsBeforeDurability === true) {
      if (words.length > 0) this.#speak(cell, keepWords(words));
      words = [];
    }
    // Words that change nothing need not wait for other shards' syncs, only for their own machine's
    // earlier words.
    if (isDurable && !marks && cell.waitingGroups === 0) {
      if (words.length > 0) this.#speak(cell, words);
      return;
    }
    if (this.length === 0 && isDurable) {
      const mark = marks ? this.#appliedMark(cell, appliedOf(cell)) : undefined;
      const all = mark === undefined ? mutations : [...mutations, mark];
      if (all.length > 0) {
        this.#state.commit({ mutations: all, position: this.#log.durablePosition });
      }
      committed?.();
      if (words.length > 0) this.#speak(cell, words);
      return;
    }
    if (!marks && words.length === 0) return;
    if (this.#planted.stateBeyondLog === true && marks) {
      this.#commitAtOnce(cell, mutations);
      mutations = [];
      marks = false;
    }
    const last = this.#waiting.at(-1);
    const after = last !== undefined && last.position > position ? last.position : position;
    const group = new WaitingGroup(cell, after);
    group.marks = marks;
    group.committed = committed;
    if (words.length > 0) group.words = keepWords(words);
    if (mutations.length > 0) {
      group.mutations = mutations.slice();
      cell.state.overlay(mutations);
    }
    cell.waitingGroups++;
    this.#waiting.push(group);
  }

  /** Of what waits for the cell nothing is to happen: its log, or its state, is not what it was. */
  forget(cell: MachineCell): void {
    for (const group of this.#waiting) if (group.cell === cell) group.forget();
  }

  /** The log is durable up to `position`. What that lets go is one commit, and then its words. */
  release(position: LogPosition): void {
    this.#upTo = position;
    if (this.#isReleasing || this.length === 0) return;
    this.#isReleasing = true;
    try {
      for (let due = this.#takeDue(); due.length > 0; due = this.#takeDue()) {
        if (this.#planted.commitForgotten !== true) this.#commit(due);
        this.#say(due);
      }
    } finally {
      this.#isReleasing = false;
    }
  }

  /** A planted bug: the log may never come to be as far as this. */
  #commitAtOnce(cell: MachineCell, mutations: readonly StateMutation[]): void {
    const mark = this.#appliedMark(cell, appliedOf(cell));
    const all = mark === undefined ? mutations.slice() : [...mutations, mark];
    if (all.length > 0) this.#state.commit({ mutations: all, position: this.#log.durablePosition });
  }

  #takeDue(): readonly WaitingGroup[] {
    const waiting = this.#waiting.findIndex((group) => group.position > this.#upTo);
    return this.#waiting.splice(0, waiting < 0 ? this.#waiting.length : waiting);
  }

  #say(due: readonly WaitingGroup[]): void {
    for (const { cell, mutations, words, committed } of due) {
      cell.waitingGroups--;
      if (mutations.length > 0) cell.state.settle(mutations);
      committed?.();
      if (words.length > 0) this.#speak(cell, words);
    }
  }

  /** All of the groups' mutations in their order, and each shard's newest mark once. */
  #commit(due: readonly WaitingGroup[]): void {
    const mutations: StateMutation[] = [];
    const newest = new Map<MachineCell, LogSequence>();
    for (const group of due) {
      if (!group.marks) continue;
      for (const mutation of group.mutations) mutations.push(mutation);
      newest.set(group.cell, group.sequence);
    }
    for (const [cell, sequence] of newest) {
      const mark = this.#appliedMark(cell, sequence);
      if (mark !== undefined) mutations.push(mark);
    }
    if (mutations.length === 0) return;
    this.#state.commit({ mutations, position: (due.at(-1) as WaitingGroup).position });
  }
}

/**
 * Records that a machine has not been given yet are in no state, though the log has them; and of
 * one that applies later, none but those of which it has said so.
 */
function appliedOf(cell: MachineCell): LogSequence {
  if (cell.replica?.appliesLater === true) return cell.appliedTo ?? NO_SEQUENCE;
  return cell.replayedTo ?? cell.lastSequence;
}
