import { expect, test } from "vitest";
import { SlowLinks } from "../../../../src/simulation/scenario/slow-links.ts";
import { SimWorld } from "../../../../src/simulation/sim-world.ts";

const NODES = ["n1", "n2", "n3"];
const MINUTE_MS = 60_000;

function slow(world: SimWorld): readonly string[] {
  return NODES.flatMap((from) =>
    NODES.filter((to) => to !== from && world.network.isNarrow(from, to)).map(
      (to) => `${from}>${to}`,
    ),
  );
}

async function slowOver(isOn: boolean): Promise<{ seen: ReadonlySet<string>; world: SimWorld }> {
  const world = new SimWorld({ seed: 1, nodes: NODES });
  const links = new SlowLinks(world, isOn);
  links.start();
  const seen = new Set<string>();
  for (let second = 0; second < 60; second += 1) {
    await world.driver.run(MINUTE_MS / 60);
    for (const link of slow(world)) seen.add(link);
  }
  links.stop();
  return { seen, world };
}

test("links are slow for a while, and as fast as ever once that is over", async () => {
  const { seen, world } = await slowOver(true);
  expect(seen.size).toBeGreaterThan(1);
  expect(slow(world)).toEqual([]);
});

test("where the seed has none, none is slow", async () => {
  expect((await slowOver(false)).seen.size).toBe(0);
});
