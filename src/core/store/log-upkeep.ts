import type { Storage } from "../contracts/storage.ts";
import { type LogPosition, type LogSequence, NO_POSITION } from "../model/ids.ts";
import type { MachineCell, UnheardAppend } from "./machine-cell.ts";

/** So few are popped, so that the list keeps its memory for the next. */
const FEW = 64;

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
  /** Cells that listen and have appends of which they have not heard (`cell.unheard`). */
  readonly #listening: MachineCell[] = [];

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
    if (cell.unheard.push({ position, sequence }) === 1) this.#listening.push(cell);
  }

  /**
   * The log of the cell ends at `cell.lastSequence` now. Notices that are still to come are about
   * records that it has: a record that was cut may have a successor of the same sequence.
   */
  cut(cell: MachineCell): void {
    const { lastSequence } = cell;
    if (cell.durableSequence > lastSequence) cell.durableSequence = lastSequence;
    if (cell.releaseSequence > lastSequence) cell.releaseSequence = lastSequence;
    const { unheard } = cell;
    const at = unheard.findIndex(({ sequence }) => sequence > lastSequence);
    if (at < 0) return;
    const { position } = unheard[at] as UnheardAppend;
    const told = unheard[at - 1]?.sequence ?? cell.durableSequence;
    unheard.length = at;
    // Its first records have stayed: they are durable where the last of them would have been.
    if (told < lastSequence) unheard.push({ position, sequence: lastSequence });
    else if (at === 0) this.#listening.splice(this.#listening.indexOf(cell), 1);
  }

  /** Tells each listening cell its greatest sequence at or before `position`, if that has risen. */
  durable(position: LogPosition, tell: (cell: MachineCell, sequence: LogSequence) => void): void {
    const listening = this.#listening;
    let left = 0;
    for (const cell of listening) {
      const sequence = takeHeard(cell.unheard, position);
      if (cell.unheard.length > 0) listening[left++] = cell;
      if (sequence === undefined) continue;
      cell.durableSequence = sequence;
      tell(cell, sequence);
    }
    while (listening.length > left) listening.pop();
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

/** Takes out what stands at or before `position`; answers the newest sequence among it, if any. */
function takeHeard(unheard: UnheardAppend[], position: LogPosition): LogSequence | undefined {
  let count = unheard.length;
  while (count > 0 && (unheard[count - 1] as UnheardAppend).position > position) count--;
  if (count === 0) return undefined;
  const { sequence } = unheard[count - 1] as UnheardAppend;
  if (count < unheard.length) unheard.splice(0, count);
  else if (count <= FEW) while (unheard.length > 0) unheard.pop();
  else unheard.length = 0;
  return sequence;
}
