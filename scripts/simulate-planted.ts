// Searches up to 500 seeds for each planted bug, and writes down which one shows it first. Without
// arguments all of them, otherwise those that are named.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { scriptOptions } from "../benchmarks/support/script-options.ts";
import { type Finder, PLANTED, PlantedSearch } from "../test/support/planted-bugs.ts";
import { PLANTED_SCENES } from "../test/support/planted-scenes.ts";

const MAX_SEEDS = 500;
const file = fileURLToPath(new URL("../test/simulation/planted/finders.json", import.meta.url));

const { names: asked } = scriptOptions({
  name: "npm run simulate:planted",
  options: {},
  names: PLANTED,
});
const finders: Record<string, Finder> = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : {};
const search = new PlantedSearch();
let missed = 0;
for (const name of asked.length > 0 ? asked : PLANTED) {
  const found = await search.find(name, 1, MAX_SEEDS);
  if (found === undefined) {
    delete finders[name];
    const isShown = name in PLANTED_SCENES;
    if (!isShown) missed += 1;
    const where = isShown ? "; a scene of its own shows it" : "";
    console.log(`${name}: not found in ${MAX_SEEDS} seeds${where}`);
    continue;
  }
  finders[name] = found;
  console.log(`${name}: seed ${found.seed}, by ${found.check}`);
  const ordered = PLANTED.filter((each) => each in finders).map((each) => [each, finders[each]]);
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(ordered), null, 2)}\n`);
}
if (missed > 0) process.exitCode = 1;
