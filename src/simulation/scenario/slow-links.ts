import { SeededRandom } from "../seeded-random.ts";
import type { SimWorld } from "../sim-world.ts";
import { Draw } from "./draw.ts";

/** In this share of the seeds links are slow at times. */
const SEEDS = 0.15;
/** Between two of them; exponential, around a mean that is drawn. */
const MEAN_PAUSE_MS: readonly [number, number] = Object.freeze([2_000, 10_000] as const);
const DURATION_MS: readonly [number, number] = Object.freeze([2_000, 30_000] as const);
/** From so little that what is small takes long, too, to a megabyte a second. */
const BYTES_PER_MS: readonly [number, number] = Object.freeze([2, 1_000] as const);
/** The others are of one direction between two nodes. */
const OF_NODE_SHARE = 0.5;

/** The rare state that they reach. */
export const SLOW_LINKS_SOMETIMES: readonly string[] = Object.freeze([
  "a frame took seconds to leave",
]);

/** From a stream of its own: the other seeds are what they were. */
export function drawSlowLinks(seed: number): boolean {
  return new Draw(new SeededRandom(seed, "plan/slow-links")).chance(SEEDS);
}

/**
 * Links between nodes that carry little for a while, beside the other faults: what is asked again
 * meets what is still under way.
 */
export class SlowLinks {
  readonly #world: SimWorld;
  readonly #draw: Draw;
  readonly #isOn: boolean;
  readonly #meanPauseMs: number;
  #isStopped = false;

  constructor(world: SimWorld, isOn: boolean) {
    this.#world = world;
    this.#draw = new Draw(world.random("slow-links"));
    this.#isOn = isOn && world.nodes.length > 1;
    this.#meanPauseMs = this.#draw.magnitude(...MEAN_PAUSE_MS);
  }

  start(): void {
    if (!this.#isOn) return;
    this.#world.time.setTimer(this.#draw.exponential(this.#meanPauseMs), () => {
      if (this.#isStopped) return;
      this.#narrow();
      this.start();
    });
  }

  /** From now on all links are what they are elsewhere. */
  stop(): void {
    this.#isStopped = true;
    const ids = this.#world.nodes.map(({ id }) => id);
    for (const from of ids) for (const to of ids) if (from !== to) this.#widen([[from, to]]);
  }

  sometimes(): Readonly<Record<string, number>> {
    return { [SLOW_LINKS_SOMETIMES[0] as string]: this.#world.network.longSends };
  }

  #narrow(): void {
    const { network, nodes, time } = this.#world;
    const [one = "", ...others] = this.#draw.shuffled(nodes.map(({ id }) => id));
    const isOfNode = this.#draw.chance(OF_NODE_SHARE);
    const links = (isOfNode ? others : others.slice(0, 1)).flatMap((other) =>
      isOfNode ? [link(one, other), link(other, one)] : [link(one, other)],
    );
    const bytesPerMs = this.#draw.magnitude(...BYTES_PER_MS);
    for (const [from, to] of links) network.narrow(from, to, bytesPerMs);
    time.setTimer(this.#draw.magnitude(...DURATION_MS), () => this.#widen(links));
  }

  #widen(links: readonly Link[]): void {
    for (const [from, to] of links) this.#world.network.widen(from, to);
  }
}

type Link = readonly [from: string, to: string];

function link(from: string, to: string): Link {
  return [from, to];
}
