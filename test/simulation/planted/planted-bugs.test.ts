import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Finder, findPlanted, PLANTED } from "../../support/planted-bugs.ts";
import { PLANTED_SCENES } from "../../support/planted-scenes.ts";

/** Written by `npm run simulate:planted`: which seed shows which planted bug. */
const FINDERS: Readonly<Record<string, Finder>> = JSON.parse(
  readFileSync(new URL("./finders.json", import.meta.url), "utf8"),
);
const TRIES = 20;

/** In `test/unit/strategies/dynamo/states`. */
const SHOWN_BY_UNIT_TESTS = ["dynamo/deltaAcrossGap", "dynamo/deltaTakenForState"];

describe("a planted bug is found", () => {
  test("at least 16 of those that there are, each by a seed that is written down", () => {
    const names = Object.keys(FINDERS);
    expect(names.length).toBeGreaterThanOrEqual(16);
    expect(names.filter((name) => !PLANTED.includes(name))).toEqual([]);
  });

  test("or where its state is brought about: there is none that nothing shows", () => {
    const found = [...Object.keys(FINDERS), ...Object.keys(PLANTED_SCENES), ...SHOWN_BY_UNIT_TESTS];
    expect(PLANTED.filter((name) => !found.includes(name))).toEqual([]);
  });

  test.each(Object.entries(FINDERS))("%s", async (name, { seed }) => {
    expect(await findPlanted(name, seed, TRIES)).toBeDefined();
  });
});
