import type { Storage } from "../contracts/storage.ts";
import type { LogPosition, LogSequence } from "../model/ids.ts";
import type { MachineCell } from "./machine-cell.ts";

/**
 * What follows an append, later: machines that asked for it hear how far their records are
 * durable, and the log may drop what the durable state includes.
 */
export class LogUpkeep {
  readonly #storage: Storage;
  /** Cells of which the log holds records that it may drop one day; each once (`cell.touched`). */
  #touched: MachineCell[] = [];
  /** Of the cells that listen: appends of which they have not heard, the oldest first. */
  readonly #unheard = new Map<MachineCell, { position: LogPosition; sequence: LogSequence }[]>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  appended(cell: MachineCell): void {
    if (!cell.touched) {
      cell.touched = true;
      this.#touched.push(cell);
    }
    if (cell.replica?.wantsDurable !== true) return;
    const { lastPosition: position, lastSequence: sequence } = cell;
    const unheard = this.#unheard.get(cell);
    if (unheard === undefined) this.#unheard.set(cell, [{ position, sequence }]);
    else unheard.push({ position, sequence });
  }

  /** Tells each listening cell its greatest sequence at or before `position`, if that has risen. */
  durable(position: LogPosition, tell: (cell: MachineCell, sequence: LogSequence) => void): void {
    for (const [cell, unheard] of this.#unheard) {
      const beyond = unheard.findIndex((append) => append.position > position);
      const count = beyond < 0 ? unheard.length : beyond;
      if (count === 0) continue;
      const heard = unheard.splice(0, count).at(-1) as { sequence: LogSequence };
      if (unheard.length === 0) this.#unheard.delete(cell);
      tell(cell, heard.sequence);
    }
  }

  /**
   * Lets the log drop what the durable state includes and the machine does not read back. The
   * point that is awaited was taken when the last one was reached, so that one comparison per turn
   * and shard is enough.
   */
  release(): void {
    if (this.#touched.length === 0) return;
    const { log, state } = this.#storage;
    this.#touched = this.#touched.filter((cell) => {
      if (cell.releasePosition > 0 && state.durablePosition < cell.releasePosition) return true;
      if (cell.releaseSequence > 0) {
        const next = (cell.releaseSequence + 1) as LogSequence;
        const pinned = cell.pinnedFrom;
        log.release(cell.shardId, pinned !== undefined && pinned < next ? pinned : next);
      }
      cell.touched = cell.releaseSequence !== cell.lastSequence;
      cell.releasePosition = cell.lastPosition;
      cell.releaseSequence = cell.lastSequence;
      return cell.touched;
    });
  }
}
