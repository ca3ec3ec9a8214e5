import type { Storage } from "../contracts/storage.ts";
import { type LogPosition, type LogSequence, NO_POSITION } from "../model/ids.ts";
import type { MachineCell } from "./machine-cell.ts";

interface Append {
  readonly position: LogPosition;
  readonly sequence: LogSequence;
}

/**
 * What follows an append, later: machines that asked for it hear how far their records are
 * durable, and the log may drop what the durable state includes.
 */
export class LogUpkeep {
  readonly #storage: Storage;
  /** Cells of which the log holds records that it may drop one day; each once (`cell.touched`). */
  #touched: MachineCell[] = [];
  /** Up to here all touched cells have been looked at: each of them waits for more. */
  #lookedUpTo = NO_POSITION;
  /** Of the cells that listen: appends of which they have not heard, the oldest first. */
  readonly #unheard = new Map<MachineCell, Append[]>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** What can be dropped of the cell's log may have changed. */
  touch(cell: MachineCell): void {
    if (cell.touched) return;
    cell.touched = true;
    this.#touched.push(cell);
    this.#lookedUpTo = NO_POSITION;
  }

  appended(cell: MachineCell): void {
    this.touch(cell);
    if (cell.replica?.wantsDurable !== true) return;
    const { lastPosition: position, lastSequence: sequence } = cell;
    const unheard = this.#unheard.get(cell);
    if (unheard === undefined) this.#unheard.set(cell, [{ position, sequence }]);
    else unheard.push({ position, sequence });
  }

  /**
   * The log of the cell ends at `cell.lastSequence` now. Notices that are still to come are about
   * records that it has: a record that was cut may have a successor of the same sequence.
   */
  cut(cell: MachineCell): void {
    const { lastSequence } = cell;
    if (cell.durableSequence > lastSequence) cell.durableSequence = lastSequence;
    if (cell.releaseSequence > lastSequence) cell.releaseSequence = lastSequence;
    const unheard = this.#unheard.get(cell);
    const at = unheard?.findIndex(({ sequence }) => sequence > lastSequence) ?? -1;
    if (unheard === undefined || at < 0) return;
    const { position } = unheard[at] as Append;
    const told = unheard[at - 1]?.sequence ?? cell.durableSequence;
    unheard.length = at;
    // Its first records have stayed: they are durable where the last of them would have been.
    if (told < lastSequence) unheard.push({ position, sequence: lastSequence });
    else if (at === 0) this.#unheard.delete(cell);
  }

  /** Tells each listening cell its greatest sequence at or before `position`, if that has risen. */
  durable(position: LogPosition, tell: (cell: MachineCell, sequence: LogSequence) => void): void {
    for (const [cell, unheard] of this.#unheard) {
      const beyond = unheard.findIndex((append) => append.position > position);
      const count = beyond < 0 ? unheard.length : beyond;
      if (count === 0) continue;
      const { sequence } = unheard.splice(0, count).at(-1) as Append;
      if (unheard.length === 0) this.#unheard.delete(cell);
      cell.durableSequence = sequence;
      tell(cell, sequence);
    }
  }

  /**
   * Lets the log drop what the durable state includes and the machine does not read back. The
   * point that is awaited was taken when the last one was reached, so that one comparison per turn
   * is enough as long as no more is durable, and one per shard then.
   */
  release(): void {
    if (this.#touched.length === 0) return;
    const { durablePosition } = this.#storage.state;
    if (durablePosition > NO_POSITION && durablePosition === this.#lookedUpTo) return;
    this.#lookedUpTo = durablePosition;
    this.#touched = this.#touched.filter((cell) => {
      if (cell.releasePosition > 0 && durablePosition < cell.releasePosition) return true;
      this.#drop(cell);
      const isLater = cell.replica?.appliesLater === true;
      const sequence = isLater ? (cell.appliedTo ?? cell.releaseSequence) : cell.lastSequence;
      cell.touched = cell.releaseSequence !== sequence;
      cell.releaseSequence = sequence;
      cell.releasePosition = isLater ? this.#beyondAll() : cell.lastPosition;
      if (cell.releasePosition <= durablePosition) this.#lookedUpTo = NO_POSITION;
      return cell.touched;
    });
  }

  #drop(cell: MachineCell): void {
    if (cell.releaseSequence === 0) return;
    const next = (cell.releaseSequence + 1) as LogSequence;
    // A machine that applies later reads its log for its peers, until it says what it can spare.
    const pinned = cell.pinnedFrom ?? (cell.replica?.appliesLater === true ? 1 : next);
    this.#storage.log.release(cell.shardId, Math.min(pinned, next) as LogSequence);
  }

  /**
   * A position of no commit so far. What is applied without an append is committed at a position
   * that earlier commits have too, so that this position says nothing about it; but commits become
   * durable in their order, and one at this position comes after all that there are, also after
   * those that still wait for the log.
   */
  #beyondAll(): LogPosition {
    return (this.#storage.log.lastPosition + 1) as LogPosition;
  }
}
