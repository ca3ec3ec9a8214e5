import type { Lateness } from "../late-answers.ts";
import { SeededRandom } from "../seeded-random.ts";
import type { SimWorld } from "../sim-world.ts";
import { Draw } from "./draw.ts";

/** In this share of the seeds some of the reads of a log are answered late. */
const SEEDS = 0.2;
/** Of the reads, in such a seed. */
const SHARE: readonly [number, number] = Object.freeze([0.1, 1] as const);
const LATE_MS: readonly [number, number] = Object.freeze([10, 2_000] as const);

/** Rare states that it reaches. */
export const LATE_READS_SOMETIMES: readonly string[] = Object.freeze([
  "a read of a log was overtaken",
]);

/** Of the reads of a log, the share that is answered late. From a stream of its own. */
export function drawLateReads(seed: number): number {
  const draw = new Draw(new SeededRandom(seed, "plan/late-reads"));
  return draw.chance(SEEDS) ? draw.magnitude(...SHARE) : 0;
}

/**
 * What a process reads back of its log comes when other reads, which were asked for later, have been
 * answered, and when the log is not any more what it was.
 */
export class LateReads implements Lateness {
  readonly #draw: Draw;
  #share: number;
  #overtaken = 0;

  /** @param share 0: the world is as it is without them. */
  constructor(world: SimWorld, share: number) {
    this.#draw = new Draw(world.random("late-reads"));
    this.#share = share;
    if (share > 0) world.readLateness = this;
  }

  nextMs(): number {
    if (this.#share === 0 || !this.#draw.chance(this.#share)) return 0;
    return this.#draw.magnitude(...LATE_MS);
  }

  onOvertaken(): void {
    this.#overtaken += 1;
  }

  /** From now on none is late. */
  stop(): void {
    this.#share = 0;
  }

  sometimes(): Readonly<Record<string, number>> {
    return { [LATE_READS_SOMETIMES[0] as string]: this.#overtaken };
  }
}
