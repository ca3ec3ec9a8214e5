import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const running = new Set<number>();

afterAll(() => {
  for (const group of running) {
    try {
      process.kill(-group, "SIGKILL");
    } catch {
      // All of it has ended.
    }
  }
  running.clear();
});

/** As a terminal does: the signal reaches the script and its workers, all at once. */
async function interrupted(script: string, words: readonly string[], said: RegExp) {
  const child = spawn(process.execPath, ["--import", "tsx", script, ...words], {
    cwd: ROOT,
    detached: true,
  });
  const group = child.pid as number;
  running.add(group);
  let stdout = "";
  let stderr = "";
  let isSent = false;
  child.stdout.on("data", (text) => {
    stdout += text;
    if (isSent || !said.test(stdout)) return;
    isSent = true;
    process.kill(-group, "SIGINT");
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, stdout, stderr };
}

test.concurrent("a long run of seeds that is interrupted with its workers reports what was done", async ({
  expect,
}) => {
  const words = ["--seeds", "100000", "--seed", "1", "--jobs", "2", "--strategies", "tunable"];
  const ran = await interrupted("scripts/simulate.ts", words, /^[1-9]\d* of 100000 seeds/m);
  expect(ran).toMatchObject({ status: 130, stderr: "" });
  expect(ran.stdout).toContain("interrupted (SIGINT); so far:\n");
  expect(ran.stdout).toMatch(/no violation found in [1-9]\d* seeds\n$/);
}, 120_000);

test.concurrent("a measurement that is interrupted says how much of it there is", async ({
  expect,
}) => {
  const words = ["--seeds", "1000", "--jobs", "1"];
  const ran = await interrupted("scripts/simulate-speed.ts", words, /^seed 1: /m);
  expect(ran).toMatchObject({ status: 130, stderr: "" });
  expect(ran.stdout).toMatch(/^one process, [1-9]\d* of 1000 seeds: /m);
  expect(ran.stdout).toMatch(/interrupted \(SIGINT\)\n$/);
}, 120_000);
