import { SeededRandom } from "../seeded-random.ts";
import { Draw } from "./draw.ts";

/** From a stream of its own: of the seeds, half are as they were before reads asked fewer. */
export function drawHedge(seed: number): string | number {
  const draw = new Draw(new SeededRandom(seed, "plan/hedge"));
  if (draw.chance(0.5)) return "always";
  if (draw.chance(0.6)) return "auto";
  return draw.chance(0.3) ? "off" : Math.ceil(draw.magnitude(1, 50));
}

/** Likewise: most values of a seed are short, and only so are digests read of them. */
export function drawDigests(seed: number): { readonly digestAbove?: number } {
  const draw = new Draw(new SeededRandom(seed, "plan/digests"));
  return draw.chance(0.3) ? { digestAbove: 1 } : {};
}
