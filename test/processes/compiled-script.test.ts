import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("a compiled script is there with all that it imports, and gone with its process", () => {
  const program = `
    import { existsSync } from "node:fs";
    import { compiledScript } from "./scripts/compiled-script.ts";
    const script = compiledScript("scripts/simulate.ts");
    const scenario = new URL("../src/simulation/scenario/run-scenario.js", "file://" + script);
    console.log(JSON.stringify({ script, isThere: existsSync(script) && existsSync(scenario) }));
  `;
  const words = ["--import", "tsx", "--input-type=module", "--eval", program];
  const { stdout, stderr } = spawnSync(process.execPath, words, { cwd: ROOT, encoding: "utf8" });
  expect(stderr).toBe("");
  const { script, isThere } = JSON.parse(stdout) as { script: string; isThere: boolean };
  expect(isThere).toBe(true);
  expect(existsSync(script)).toBe(false);
});
