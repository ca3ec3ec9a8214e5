// Everything that must hold before a change is merged, in the order in which it is cheapest to
// fail. The first stage that fails ends the run. Examples import the built package by its name, so
// the build comes before the check of their types. The tests come last, as one run of Vitest, so
// that the last lines printed are its totals; `vitest.config.ts` says in which order they go. Where
// there is no NATS server, the lines after them name the tests that were not run.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { prepareNats } from "./nats-server.mjs";

const USAGE = "npm test takes no options: it runs everything; for a part of it: npx vitest run …";
const [word] = process.argv.slice(2);
if (word !== undefined) {
  const isHelp = word === "--help" || word === "-h";
  if (isHelp) console.log(USAGE);
  else console.error(`${JSON.stringify(word)} is not known here: ${USAGE}`);
  process.exit(isHelp ? 0 : 2);
}

const root = fileURLToPath(new URL("..", import.meta.url));
const tool = (path) => `${root}node_modules/${path}`;

const stages = [
  ["lint", tool("@biomejs/biome/bin/biome"), "check"],
  ["build", `${root}scripts/build.mjs`],
  ["types", tool("typescript/bin/tsc"), "-p", "tsconfig.json"],
];

function run(script, args, env) {
  const options = { cwd: root, stdio: "inherit", env };
  return spawnSync(process.execPath, [script, ...args], options).status;
}

for (const [name, script, ...args] of stages) {
  console.log(`\n▶ ${name}`);
  const status = run(script, args, process.env);
  if (status === 0) continue;
  console.error(`\n✗ npm test failed at: ${name}`);
  process.exit(status || 1);
}

console.log("\n▶ tests");
const nats = await prepareNats(process.env);
if (nats === undefined) process.exit(1);
const status = run(tool("vitest/vitest.mjs"), ["run"], nats.env);
for (const line of nats.lastLines) console.log(line);
process.exit(status === 0 ? 0 : status || 1);
