// Everything that must hold before a change is merged, in the order in which it is cheapest to
// fail. The first stage that fails ends the run. Examples import the built package by its name, so
// the build comes before the check of their types. The tests come last, as one run of Vitest, so
// that the last lines printed are its totals; `vitest.config.ts` says in which order they go.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tool = (path) => `${root}node_modules/${path}`;

const stages = [
  ["lint", tool("@biomejs/biome/bin/biome"), "check"],
  ["build", `${root}scripts/build.mjs`],
  ["types", tool("typescript/bin/tsc"), "-p", "tsconfig.json"],
  ["tests", tool("vitest/vitest.mjs"), "run"],
];

for (const [name, script, ...args] of stages) {
  console.log(`\n▶ ${name}`);
  const { status } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (status === 0) continue;
  if (name !== "tests") console.error(`\n✗ npm test failed at: ${name}`);
  process.exit(status || 1);
}
