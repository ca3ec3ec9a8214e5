import type { MachineEvent } from "../contracts/machine.ts";
import type { MachineCell } from "./machine-cell.ts";

/** Places that are kept when the inbox runs empty: it is filled again at once. */
const KEPT_PLACES = 1_024;

/** An event whose moment the runner fills in when the step begins. */
export type EventBody =
  MachineEvent<unknown> extends infer E
    ? E extends unknown
      ? Omit<E, "nowMs" | "wallMs"> & { nowMs?: number; wallMs?: number }
      : never
    : never;

/** Keeps a moment's place in an event, so that filling it in does not change the object's shape. */
export const NOT_YET = Number.NaN;

/**
 * Events that wait for their step, in order, and the cell that each is for: two arrays, because a
 * pair for every event would be one object more for every message.
 */
export class EventInbox {
  #events: (EventBody | undefined)[] = [];
  #cells: MachineCell[] = [];
  #head = 0;
  #tail = 0;

  get isEmpty(): boolean {
    return this.#head === this.#tail;
  }

  push(cell: MachineCell, event: EventBody): void {
    const at = this.#tail++;
    this.#events[at] = event;
    this.#cells[at] = cell;
  }

  /** Takes the oldest out and hands it on. Not to be called on an empty inbox. */
  next(run: (cell: MachineCell, event: EventBody) => void): void {
    const at = this.#head++;
    const event = this.#events[at] as EventBody;
    this.#events[at] = undefined;
    const cell = this.#cells[at] as MachineCell;
    if (this.isEmpty) this.clear();
    run(cell, event);
  }

  clear(): void {
    if (this.#tail > KEPT_PLACES) {
      this.#events = [];
      this.#cells = [];
    }
    this.#head = 0;
    this.#tail = 0;
  }
}
