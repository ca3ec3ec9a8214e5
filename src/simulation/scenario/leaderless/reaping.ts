import { SeededRandom } from "../../seeded-random.ts";
import type { SimWorld } from "../../sim-world.ts";
import { Draw } from "../draw.ts";

/** In this share of the seeds tombstones go while the seed runs. */
const SEEDS = 0.4;
const REAP_AFTER_MS: readonly [number, number] = Object.freeze([2_000, 15_000] as const);
const INTERVAL_MS: readonly [number, number] = Object.freeze([300, 5_000] as const);
const OWN_INTERVAL_SHARE = 0.5;

/** Rare states that it reaches. */
export const REAPING_SOMETIMES: readonly string[] = Object.freeze([
  "a floor was adopted",
  "a tombstone was reaped",
]);

/** From a stream of its own: the other seeds are what they were. */
export function drawReaping(seed: number): {
  readonly repair?: Readonly<Record<string, number>>;
} {
  const draw = new Draw(new SeededRandom(seed, "plan/reaping"));
  if (!draw.chance(SEEDS)) return {};
  const reapAfter = Math.round(draw.magnitude(...REAP_AFTER_MS));
  const isOften = draw.chance(OWN_INTERVAL_SHARE);
  const interval = isOften ? { interval: Math.round(draw.magnitude(...INTERVAL_MS)) } : {};
  return { repair: { reapAfter, ...interval } };
}

/** As `drawReaping` has drawn it; endless where no seed sees it. */
export function reapAfterMsOf(configuration: Readonly<Record<string, unknown>>): number {
  const { repair } = configuration as ReturnType<typeof drawReaping>;
  return repair?.reapAfter ?? Number.POSITIVE_INFINITY;
}

interface SettlingDescription {
  readonly settling?: { readonly rounds: number; readonly reaped: number };
}

/** What the nodes that run have settled since their last start. */
export function countReaping(world: SimWorld, keyspace: string): Readonly<Record<string, number>> {
  const [adopted = "", reaped = ""] = REAPING_SOMETIMES;
  const counts = { [adopted]: 0, [reaped]: 0 };
  for (const { life } of world.running()) {
    const shards = (life?.store?.keyspace(keyspace).describe().shards ??
      []) as readonly SettlingDescription[];
    for (const { settling } of shards) {
      counts[adopted] = (counts[adopted] ?? 0) + (settling?.rounds ?? 0);
      counts[reaped] = (counts[reaped] ?? 0) + (settling?.reaped ?? 0);
    }
  }
  return counts;
}
