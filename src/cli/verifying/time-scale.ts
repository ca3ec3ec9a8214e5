const LEAST_GAP_PX = 30;
const GAP_PER_DOUBLING_PX = 16;
const MOST_GAP_PX = 190;

/**
 * Places on a page for moments of a history: operations take milliseconds, and minutes may lie
 * between two of them. Order is true; distances grow with the logarithm of the time between.
 */
export class TimeScale {
  readonly width: number;
  readonly #moments: readonly number[];
  readonly #places: readonly number[];

  constructor(moments: readonly number[], leftPx: number) {
    this.#moments = [...new Set(moments)].sort((a, b) => a - b);
    let place = leftPx;
    this.#places = this.#moments.map((moment, at) => {
      const before = this.#moments[at - 1];
      if (before !== undefined) place += gapPx(moment - before);
      return place;
    });
    this.width = place;
  }

  get firstMs(): number {
    return this.#moments[0] ?? 0;
  }

  get lastMs(): number {
    return this.#moments.at(-1) ?? 0;
  }

  /** Of a moment between two of those that were given, a place between theirs. */
  placeOf(moment: number): number {
    const next = this.#moments.findIndex((each) => each >= moment);
    if (next < 0) return this.width;
    const [to, toPx] = [this.#moments[next] as number, this.#places[next] as number];
    if (next === 0) return toPx;
    const [from, fromPx] = [this.#moments[next - 1] as number, this.#places[next - 1] as number];
    return fromPx + ((moment - from) / (to - from)) * (toPx - fromPx);
  }
}

function gapPx(gapMs: number): number {
  return Math.min(MOST_GAP_PX, LEAST_GAP_PX + GAP_PER_DOUBLING_PX * Math.log2(1 + gapMs));
}
