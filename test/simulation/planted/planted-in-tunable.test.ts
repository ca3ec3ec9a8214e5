import { describe, expect, test } from "vitest";
import { findersOf, PLANTED, PlantedSearch, recordedFinders } from "../../support/planted-bugs.ts";
import { PLANTED_SCENES } from "../../support/planted-scenes.ts";

// Where the bugs are planted has a file each, so that they run beside each other.

const TRIES = 20;

describe("a planted bug is found", () => {
  const search = new PlantedSearch();

  test("at least 16 of those that there are, each by a seed that is written down", () => {
    const names = Object.keys(recordedFinders());
    expect(names.length).toBeGreaterThanOrEqual(16);
    expect(names.filter((name) => !PLANTED.includes(name))).toEqual([]);
  });

  test("or where its state is brought about: there is none that nothing shows", () => {
    const recorded = Object.keys(recordedFinders());
    const found = [...recorded, ...Object.keys(PLANTED_SCENES)];
    expect(PLANTED.filter((name) => !found.includes(name))).toEqual([]);
  });

  test.each(findersOf("tunable"))("%s", async (name, { seed }) => {
    expect(await search.find(name, seed, TRIES)).toBeDefined();
  });
});
