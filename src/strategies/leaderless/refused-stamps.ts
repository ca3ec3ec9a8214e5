import { compareStamps, type Stamp } from "../../core/model/stamp.ts";

/** Longer than a frame lives on its way. */
const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 1_024;

/**
 * The stamps that a replica has refused because they lay beyond the clock guard. Their callers may
 * have been told that the write never takes effect, so a second copy of the message that comes
 * late must not be stored, though the clocks have moved on. Bounded; empty where clocks are sound.
 */
export class RefusedStamps {
  readonly #refused: { readonly stamp: Stamp; readonly untilMs: number }[] = [];

  get isEmpty(): boolean {
    return this.#refused.length === 0;
  }

  has(stamp: Stamp, nowMs: number): boolean {
    return this.#refused.some(
      (each) => each.untilMs > nowMs && compareStamps(each.stamp, stamp) === 0,
    );
  }

  add(stamp: Stamp, nowMs: number): void {
    const refused = this.#refused;
    while (refused[0] !== undefined && refused[0].untilMs <= nowMs) refused.shift();
    if (refused.length === MAX_REMEMBERED) refused.shift();
    refused.push({ stamp, untilMs: nowMs + REMEMBERED_MS });
  }
}
