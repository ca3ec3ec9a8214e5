import { describe, expect, test } from "vitest";
import { findersOf, PlantedSearch } from "../../support/planted-bugs.ts";

const TRIES = 20;

describe("a bug planted in dynamo is found by the seed that is written down", () => {
  const search = new PlantedSearch();

  test.each(findersOf("dynamo"))("%s", async (name, { seed }) => {
    expect(await search.find(name, seed, TRIES)).toBeDefined();
  });
});
