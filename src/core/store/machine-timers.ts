import type { Environment } from "../contracts/environment.ts";
import type { MachineCell } from "./machine-cell.ts";

/**
 * The timers that machines set by name. A name has one timer at a time, and one that was replaced,
 * cancelled or cleared does not fire any more.
 */
export class MachineTimers {
  readonly #environment: Environment;
  readonly #fired: (cell: MachineCell, timer: string) => void;

  constructor(environment: Environment, fired: (cell: MachineCell, timer: string) => void) {
    this.#environment = environment;
    this.#fired = fired;
  }

  set(cell: MachineCell, timer: string, delayMs: number): void {
    this.cancel(cell, timer);
    const handle = this.#environment.setTimer(delayMs, () => {
      if (cell.timers.get(timer) !== handle) return;
      cell.timers.delete(timer);
      this.#fired(cell, timer);
    });
    cell.timers.set(timer, handle);
  }

  cancel(cell: MachineCell, timer: string): void {
    const handle = cell.timers.get(timer);
    if (handle === undefined) return;
    this.#environment.clearTimer(handle);
    cell.timers.delete(timer);
  }
}

/** Of a machine that ends. */
export function clearTimers({ timers }: MachineCell, environment: Environment): void {
  for (const handle of timers.values()) environment.clearTimer(handle);
  timers.clear();
}
