import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfiguration } from "../../../src/cli/load-configuration.ts";
import { UsageError } from "../../../src/cli/usage-error.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-configuration-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

function load(name: string, content: string): Promise<unknown> {
  writeFileSync(join(folder, name), content);
  return loadConfiguration(name, folder);
}

async function refusal(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UsageError);
  return (error as UsageError).message;
}

describe("a configuration file", () => {
  test.each([
    ["good.json", '{"cluster": {"name": "a"}}'],
    ["mark.json", '\uFEFF{"cluster": {"name": "a"}}'],
    ["GOOD.JSON", '{"cluster": {"name": "a"}}'],
    ["default.mjs", "export default { cluster: { name: 'a' } };"],
    ["default.js", "export default { cluster: { name: 'a' } };"],
    ["common.cjs", "module.exports = { cluster: { name: 'a' } };"],
    [
      "named.ts",
      "type T = { name: string };\nexport const config = { cluster: { name: 'a' } as T };",
    ],
    ["default.ts", "const name: string = 'a';\nexport default { cluster: { name } } as const;"],
    ["default.mts", "export default { cluster: { name: 'a' satisfies string } };"],
    [
      "later.mjs",
      "const name = await Promise.resolve('a');\nexport default { cluster: { name } };",
    ],
  ])("%s is read", async (name, content) => {
    expect(await load(name, content)).toMatchObject({ cluster: { name: "a" } });
  });

  test("may import a file beside it", async () => {
    writeFileSync(join(folder, "keyspaces.ts"), "export const keyspaces = { k: {} as object };");
    const content = 'import { keyspaces } from "./keyspaces.ts";\nexport default { keyspaces };';
    expect(await load("importing.ts", content)).toEqual({ keyspaces: { k: {} } });
  });

  test("has a path that is taken from the folder where the command runs, or absolute", async () => {
    await load("absolute.json", "{}");
    expect(await loadConfiguration(join(folder, "absolute.json"), "/")).toEqual({});
  });
});

describe("what is wrong with a configuration file is said", () => {
  test("that is not there, with the place where it was looked for", async () => {
    const message = await refusal(loadConfiguration("missing.json", folder));
    expect(message).toContain("missing.json: there is no such file");
    expect(message).toContain(join(folder, "missing.json"));
  });

  test("that is a folder", async () => {
    mkdirSync(join(folder, "folder.json"));
    expect(await refusal(loadConfiguration("folder.json", folder))).toContain("is not a file");
  });

  test("of another kind, naming the kinds that there are", async () => {
    expect(await refusal(load("c.yaml", "a: 1"))).toContain(
      'a .json, .js, .mjs or .ts file, not ".yaml"',
    );
    expect(await refusal(load("none", "{}"))).toContain('not ""');
  });

  test("with a syntax error, with line and column", async () => {
    const json = await refusal(load("bad.json", '{\n  "cluster": {,}\n}'));
    expect(json).toMatch(/bad\.json is refused: not JSON: .* at line 2, column 15/);
    const script = await refusal(load("bad.mjs", "export default {\n  a: 1\n  b: 2\n};"));
    expect(script).toMatch(/bad\.mjs has a syntax error: .*\(line 3, column \d+\)/);
    const typed = await refusal(load("bad.ts", "const a: number = ;\nexport default {};"));
    expect(typed).toMatch(/bad\.ts has a syntax error: .*\(line 1, column \d+\)/);
  });

  test("that is empty, or says a name twice", async () => {
    expect(await refusal(load("empty.json", ""))).toContain("end of JSON input");
    const twice = '{"keyspaces": {"a": {}, "a": {"replicas": 1}}}';
    expect(await refusal(load("twice.json", twice))).toContain("$.keyspaces.a stands twice");
  });

  test("that fails while it is loaded, with its own words", async () => {
    const thrown = await refusal(load("throws.mjs", 'throw new Error("no secret set");'));
    expect(thrown).toBe("throws.mjs failed when it was loaded: no secret set.");
    const missing = await refusal(load("lost.ts", 'import "./nowhere.ts";\nexport default {};'));
    expect(missing).toContain("nowhere.ts");
  });

  test("that exports something else, naming it", async () => {
    const other = await refusal(load("other.mjs", "export const more = 1, settings = {};"));
    expect(other).toContain(
      'neither a default export nor one named "config"; it exports more, settings',
    );
    expect(await refusal(load("void.ts", "const a = 1;"))).toContain("it exports nothing");
  });

  test.each([
    ["list.json", "[]", "an array"],
    ["null.json", "null", "null"],
    ["text.json", '"text"', "a string"],
    ["function.mjs", "export default () => ({});", "a function"],
  ])("that holds no object (%s)", async (name, content, kind) => {
    expect(await refusal(load(name, content))).toContain(
      `${name} holds ${kind}; a configuration is`,
    );
  });
});
