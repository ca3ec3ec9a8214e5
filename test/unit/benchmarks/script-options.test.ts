import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  describeScript,
  parseScriptOptions,
  ScriptUsageError,
} from "../../../benchmarks/support/script-options.ts";

const SCRIPT = {
  name: "npm run thing",
  options: {
    seeds: { type: "whole", default: 3 },
    jobs: { type: "whole", least: 2, most: 8, default: 4 },
    seconds: { type: "number", least: 0.5, most: 30, default: 2 },
    only: { type: "names", allowed: ["disk", "raft"] },
    json: { type: "file" },
  },
} as const;
const NAMED = { name: "npm run other", options: {}, names: ["north", "south"] } as const;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-script-options-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("without words there are the defaults, and all of a list of names", () => {
  expect(parseScriptOptions(SCRIPT, [])).toEqual({
    ...{ seeds: 3, jobs: 4, seconds: 2, only: ["disk", "raft"], json: undefined, names: [] },
  });
});

test("values are taken with a space or an equals sign", () => {
  const json = join(folder, "out.json");
  const words = ["--seeds", "20", "--jobs=8", "--seconds", "0.5", "--only", "raft", "--json", json];
  expect(parseScriptOptions(SCRIPT, words)).toEqual({
    ...{ seeds: 20, jobs: 8, seconds: 0.5, only: ["raft"], json, names: [] },
  });
  expect(parseScriptOptions(NAMED, ["south"])).toEqual({ names: ["south"] });
});

describe("what cannot be taken is refused by its name and its value, with what is allowed", () => {
  test.each([
    [["--seeds", "x"], '--seeds is "x"; allowed: a whole number from 1'],
    [["--seeds", ""], '--seeds is ""; allowed: a whole number from 1'],
    [["--seeds", "-1"], '--seeds is "-1"; allowed: a whole number from 1'],
    [["--seeds", "1.5"], '--seeds is "1.5"; allowed: a whole number from 1'],
    [["--jobs", "0"], '--jobs is "0"; allowed: a whole number from 2 to 8'],
    [["--jobs=9"], '--jobs is "9"; allowed: a whole number from 2 to 8'],
    [["--seconds", "NaN"], '--seconds is "NaN"; allowed: a number from 0.5 to 30'],
    [["--only", "raft,tape"], '--only is "raft,tape"; allowed: any of disk, raft, with commas'],
    [["--seeds"], "--seeds needs a value: a whole number from 1"],
    [["--seed", "1"], "npm run thing has no option --seed; there are: --seeds, --jobs,"],
    [["-s", "1"], "npm run thing has no option -s; there are: --seeds,"],
    [["20"], '"20" is nothing that npm run thing knows; allowed are its options: --seeds,'],
  ])("%j", (words, message) => {
    const parse = () => parseScriptOptions(SCRIPT, words);
    expect(parse).toThrow(ScriptUsageError);
    expect(parse).toThrow(message);
  });

  test("a name that is not in the list", () => {
    expect(() => parseScriptOptions(NAMED, ["north", "west"])).toThrow(
      '"west" is nothing that npm run other knows; allowed are a name of these: north, south',
    );
  });

  test("a file that cannot be written, before the script has done its work", () => {
    const file = join(folder, "no", "such", "folder.json");
    expect(() => parseScriptOptions(SCRIPT, ["--json", file])).toThrow(
      /--json is ".*folder\.json", which cannot be written: ENOENT/,
    );
  });
});

test("help is asked for, whatever else there is, and names every option with its default", () => {
  expect(parseScriptOptions(SCRIPT, ["--seeds", "5", "--help"])).toBeUndefined();
  expect(parseScriptOptions(SCRIPT, ["-h"])).toBeUndefined();
  expect(describeScript(SCRIPT).split("\n")).toEqual([
    "npm run thing -- [OPTION …]",
    "  --seeds N: a whole number from 1; default 3",
    "  --jobs N: a whole number from 2 to 8; default 4",
    "  --seconds N: a number from 0.5 to 30; default 2",
    "  --only NAMES: any of disk, raft, with commas between them; default all",
    "  --json FILE: a file that can be written",
  ]);
  expect(describeScript(NAMED)).toContain("  NAME: any of north, south; default all");
});
