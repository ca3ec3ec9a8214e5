import type { Lane } from "../../src/core/contracts/transport.ts";
import type { FrameFilter } from "../../src/core/store/seams.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { VirtualTime } from "./virtual-environment.ts";

/** What may happen to a frame. Shares lie in [0, 1]. */
export interface NetworkFaults {
  /** Share of the frames that vanish. */
  readonly loss?: number;
  /** Share of the others that arrive twice. */
  readonly doubling?: number;
  /** How long the second copy takes, where that is another time than the first one's. */
  readonly secondMs?: readonly [min: number, max: number];
  /** Each copy takes its own time, so that frames overtake each other. Default: none. */
  readonly delayMs?: readonly [min: number, max: number];
  /** Share of the copies that take `slowMs` instead. */
  readonly slow?: number;
  readonly slowMs?: readonly [min: number, max: number];
  /** Only frames of these lanes suffer. Default: all. */
  readonly lanes?: readonly Lane[];
}

export interface SentFrame {
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  readonly lane: Lane;
  readonly bytes: number;
  /** One entry per delivery. Empty: it was lost. */
  readonly delaysMs: readonly number[];
}

/** Decides about every frame between the nodes of one cluster, from one seed. */
export class ClusterNetwork {
  faults: NetworkFaults = {};
  /** Called with each frame that a node hands over, whatever becomes of it. */
  onFrame: ((frame: SentFrame) => void) | undefined;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #cuts = new Set<string>();
  sent = 0;
  lost = 0;
  doubled = 0;

  constructor(time: VirtualTime, seed: number) {
    this.#time = time;
    this.#random = new SeededRandom(seed, "network");
  }

  /** Nothing from `from` reaches `to` any more; the other way is not touched. */
  cutOneWay(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  heal(): void {
    this.#cuts.clear();
  }

  filterFor(node: string): FrameFilter {
    return {
      outgoing: (to, lane, bytes) => {
        const delaysMs = this.#fateOf(node, to, lane);
        this.sent++;
        if (delaysMs.length === 0) this.lost++;
        if (delaysMs.length > 1) this.doubled++;
        this.onFrame?.({ atMs: this.#time.nowMs, from: node, to, lane, bytes, delaysMs });
        return delaysMs;
      },
    };
  }

  #fateOf(from: string, to: string, lane: Lane): readonly number[] {
    if (this.#cuts.has(`${from}>${to}`)) return [];
    const { loss = 0, doubling = 0, lanes } = this.faults;
    if (lanes !== undefined && !lanes.includes(lane)) return [0];
    if (loss > 0 && this.#random.fraction() < loss) return [];
    const doubles = doubling > 0 && this.#random.fraction() < doubling;
    return doubles ? [this.#delay(), this.#second()] : [this.#delay()];
  }

  #second(): number {
    const { secondMs } = this.faults;
    if (secondMs === undefined) return this.#delay();
    return secondMs[0] + this.#random.fraction() * (secondMs[1] - secondMs[0]);
  }

  #delay(): number {
    const { delayMs = [0, 0], slow = 0, slowMs = [0, 0] } = this.faults;
    const [min, max] = slow > 0 && this.#random.fraction() < slow ? slowMs : delayMs;
    return max === 0 ? 0 : min + this.#random.fraction() * (max - min);
  }
}
