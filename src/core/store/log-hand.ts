import type { Storage } from "../contracts/storage.ts";
import type { LogPosition, LogSequence } from "../model/ids.ts";
import { appliedSequenceOf } from "./applied-sequence.ts";
import { LogUpkeep } from "./log-upkeep.ts";
import type { MachineCell } from "./machine-cell.ts";

/** Ends the shard's log behind `last`: what is above goes, and for a `reset` what is below too. */
export interface LogCut {
  readonly type: "truncate" | "reset";
  readonly last: LogSequence;
}

/** What a step does to its shard's log: a record to append, or a cut. */
export type LogWork = Uint8Array | LogCut;

/** Carries out on the log what steps ask for, in their order, and keeps each cell's end of it. */
export class LogHand {
  readonly #storage: Storage;
  readonly #upkeep: LogUpkeep;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#upkeep = new LogUpkeep(storage);
  }

  carryOut(cell: MachineCell, works: readonly LogWork[]): void {
    const { log } = this.#storage;
    for (const work of works) {
      if (!(work instanceof Uint8Array)) {
        this.#cut(cell, work);
        continue;
      }
      const sequence = (cell.lastSequence + 1) as LogSequence;
      const record = { shard: cell.shardId, sequence, payload: work };
      cell.lastPosition = log.append(record, cell.durability);
      cell.lastSequence = sequence;
    }
    this.#upkeep.appended(cell);
    // Nothing to wait for: the step's own words can leave with it.
    if (cell.durability === "memory") log.flush();
  }

  /**
   * Gives up the shard's log. Where records are numbered by this node, the next one is one that no
   * reader has ever met; a machine that applies later has its own numbers, and goes on behind what
   * the state includes.
   */
  giveUp(cell: MachineCell): void {
    const applied = appliedSequenceOf(this.#storage, cell.shardId);
    const greatest = Math.max(
      cell.lastSequence,
      this.#storage.log.lastSequence(cell.shardId),
      applied,
    );
    const last = cell.replica?.appliesLater === true ? applied : (greatest as LogSequence);
    this.#cut(cell, { type: "reset", last });
  }

  /** The machine does not need its log below `sequence`. */
  pin(cell: MachineCell, sequence: LogSequence): void {
    cell.pinnedFrom = sequence;
    this.#upkeep.touch(cell);
  }

  /** The machine has applied more: of its log that much may go one day. */
  applied(cell: MachineCell): void {
    this.#upkeep.touch(cell);
  }

  durable(position: LogPosition, tell: (cell: MachineCell, sequence: LogSequence) => void): void {
    this.#upkeep.durable(position, tell);
  }

  release(): void {
    this.#upkeep.release();
  }

  #cut(cell: MachineCell, { type, last }: LogCut): void {
    const { log } = this.#storage;
    cell.lastPosition =
      type === "truncate"
        ? log.truncateSuffix(cell.shardId, last)
        : log.reset(cell.shardId, (last + 1) as LogSequence);
    cell.lastSequence = last;
    this.#upkeep.cut(cell);
  }
}
