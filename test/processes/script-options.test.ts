import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TYPESCRIPT = ["--import", "tsx"];

/** Every script that a person starts with words of their own. */
const SCRIPTS: readonly (readonly [string, readonly string[]])[] = [
  ["npm run simulate", [...TYPESCRIPT, "scripts/simulate.ts"]],
  ["npm run simulate:speed", [...TYPESCRIPT, "scripts/simulate-speed.ts"]],
  ["npm run simulate:planted", [...TYPESCRIPT, "scripts/simulate-planted.ts"]],
  ["npm run bench:smoke", [...TYPESCRIPT, "benchmarks/smoke.ts"]],
  ["npm run bench:pages", [...TYPESCRIPT, "scripts/write-figures.ts"]],
  ["npm run soak", [...TYPESCRIPT, "benchmarks/soak.ts"]],
  ["long-tests.mjs", ["scripts/long-tests.mjs"]],
  ["npm test", ["scripts/test.mjs"]],
];

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(words: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, words, { cwd: ROOT }, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}

test.concurrent.for(SCRIPTS)(
  "%s refuses an option that it does not have, in one line, with code 2",
  async ([, words], { expect }) => {
    const ran = await run([...words, "--no-such-option"]);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
    expect(ran.stderr).toMatch(/^[^\n]*--no-such-option[^\n]*\n$/);
  },
);

// The others have it from the same module.
test.concurrent.for(SCRIPTS.filter(([name]) => /simulate$|pages|long-tests|test$/.test(name)))(
  "%s says with --help how it is started",
  async ([name, words], { expect }) => {
    const ran = await run([...words, "--help"]);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(ran.stdout).toContain(name);
  },
);

test("a bad number is refused by its name, and nothing has run", async () => {
  const ran = await run([...TYPESCRIPT, "scripts/simulate.ts", "--seeds", "x"]);
  expect(ran).toEqual({
    ...{ status: 2, stdout: "" },
    stderr: '--seeds is "x"; allowed: a whole number from 1\n',
  });
});
