import type { LogStore, StateMutation, StateStore } from "../contracts/storage.ts";
import type { LogPosition, LogSequence } from "../model/ids.ts";
import type { MachineCell } from "./machine-cell.ts";
import { keepWords, type Word } from "./words.ts";

interface WaitingGroup {
  readonly cell: MachineCell;
  /** Everything in the group may happen once the log is durable up to here. */
  readonly position: LogPosition;
  readonly mutations: readonly StateMutation[];
  readonly words: readonly Word[];
  /** Newest record of the shard when the step ended. */
  readonly sequence: LogSequence;
  readonly number: number;
}

/** Adds to a commit how far the shard's log is in the state with it. */
export type WithPosition = (
  cell: MachineCell,
  mutations: readonly StateMutation[],
  sequence: LogSequence,
) => readonly StateMutation[];

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
  readonly #withPosition: WithPosition;
  #waiting: WaitingGroup[] = [];
  #head = 0;
  #nextNumber = 1;

  constructor(options: {
    readonly log: LogStore;
    readonly state: StateStore;
    readonly speak: (cell: MachineCell, words: readonly Word[]) => void;
    readonly withPosition: WithPosition;
  }) {
    this.#log = options.log;
    this.#state = options.state;
    this.#speak = options.speak;
    this.#withPosition = options.withPosition;
  }

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  /** `mutations` and `words` are the step's own scratch arrays: copied if they have to wait. */
  add(cell: MachineCell, mutations: readonly StateMutation[], words: readonly Word[]): void {
    const position = cell.lastPosition;
    const isDurable = position <= this.#log.durablePosition;
    // Words that change nothing need not wait for other shards' syncs, only for their own machine's
    // earlier words.
    if (isDurable && mutations.length === 0 && cell.waitingGroups === 0) {
      if (words.length > 0) this.#speak(cell, words);
      return;
    }
    if (this.length === 0 && isDurable) {
      if (mutations.length > 0) {
        this.#commit(cell, mutations, cell.lastSequence, this.#log.durablePosition);
      }
      if (words.length > 0) this.#speak(cell, words);
      return;
    }
    if (mutations.length === 0 && words.length === 0) return;
    const last = this.#waiting.at(-1);
    const group: WaitingGroup = {
      cell,
      position: last !== undefined && last.position > position ? last.position : position,
      mutations: mutations.slice(),
      words: keepWords(words),
      sequence: cell.lastSequence,
      number: this.#nextNumber++,
    };
    if (group.mutations.length > 0) cell.state.overlay(group.mutations, group.number);
    cell.waitingGroups++;
    this.#waiting.push(group);
  }

  /** The log is durable up to `position`. */
  release(position: LogPosition): void {
    while (this.#head < this.#waiting.length) {
      const group = this.#waiting[this.#head] as WaitingGroup;
      if (group.position > position) break;
      this.#head++;
      group.cell.waitingGroups--;
      if (group.mutations.length > 0) {
        this.#commit(group.cell, group.mutations, group.sequence, group.position);
        group.cell.state.settle(group.mutations, group.number);
      }
      if (group.words.length > 0) this.#speak(group.cell, group.words);
    }
    if (this.#head > 0 && this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
  }

  #commit(
    cell: MachineCell,
    mutations: readonly StateMutation[],
    sequence: LogSequence,
    position: LogPosition,
  ): void {
    this.#state.commit({ mutations: this.#withPosition(cell, mutations, sequence), position });
  }
}
