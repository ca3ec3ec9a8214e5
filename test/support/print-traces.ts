import { runScenario } from "../../src/simulation/scenario/run-scenario.ts";

for (const seed of process.argv.slice(2)) {
  const { trace } = await runScenario(Number(seed));
  process.stdout.write(`${trace}\n`);
}
