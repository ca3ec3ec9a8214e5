import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfiguration } from "../../../src/cli/load-configuration.ts";
import { loadResolvers } from "../../../src/cli/load-resolvers.ts";
import { UsageError } from "../../../src/cli/usage-error.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-resolvers-"));
  mkdirSync(join(folder, "lib"));
  const resolver = "{ name: 'mine', capabilities: {}, resolve: () => ({ type: 'siblings' }) }";
  writeFileSync(join(folder, "lib", "default.mjs"), `export default ${resolver};`);
  writeFileSync(join(folder, "lib", "named.ts"), `export const resolver: object = ${resolver};`);
  writeFileSync(join(folder, "lib", "other.mjs"), "export const merge = 5;");
  writeFileSync(join(folder, "lib", "broken.mjs"), "throw new Error('no luck');");
});

afterAll(() => rmSync(folder, { recursive: true }));

function configurationOf(resolver: unknown) {
  const file = join(folder, "capstan.config.json");
  writeFileSync(file, JSON.stringify({ keyspaces: { carts: { resolver }, plain: {} } }));
  // From another folder than the file's: paths are relative to the file.
  return loadConfiguration(file, tmpdir());
}

async function refusal(resolver: unknown): Promise<string> {
  const error = await configurationOf(resolver)
    .then(loadResolvers)
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UsageError);
  return (error as UsageError).message;
}

test.each(["./lib/default.mjs", "lib/named.ts"])(
  "the resolver of %s takes its place",
  async (module) => {
    const loaded = await loadResolvers(await configurationOf({ module }));
    expect(loaded.keyspaces?.carts?.resolver).toMatchObject({
      name: "mine",
      resolve: expect.any(Function),
    });
    expect(loaded.keyspaces?.plain).toEqual({});
  },
);

test("a file's modules are named by absolute paths, which can be written down elsewhere", async () => {
  const configuration = await configurationOf({ module: "./lib/default.mjs" });
  expect(configuration.keyspaces?.carts?.resolver).toEqual({
    module: join(folder, "lib", "default.mjs"),
  });
});

test("a configuration without modules stays the very same", async () => {
  const configuration = await configurationOf("or-set");
  expect(await loadResolvers(configuration)).toBe(configuration);
});

describe("what is wrong is said, with the keyspace:", () => {
  test.each<[string, unknown, RegExp]>([
    [
      "a file that is not there",
      { module: "./gone.js" },
      /^keyspaces\.carts\.resolver: there is no such file \(looked for .+gone\.js\)/,
    ],
    [
      "a module without a resolver",
      { module: "./lib/other.mjs" },
      /^keyspaces\.carts\.resolver: .+other\.mjs has neither a default export nor one named "resolver" .+ it exports merge\.$/,
    ],
    [
      "a module that fails",
      { module: "./lib/broken.mjs" },
      /^keyspaces\.carts\.resolver \(.+broken\.mjs\) failed when it was loaded: no luck/,
    ],
    [
      "a name that is none",
      { module: 5 },
      /^keyspaces\.carts\.resolver names 5; allowed: \{ module: "\.\/resolver\.js" \}/,
    ],
    [
      "more than a module",
      { module: "./lib/default.mjs", name: "x" },
      /^keyspaces\.carts\.resolver also has name; allowed: \{ module/,
    ],
  ])("%s", async (_what, resolver, message) => {
    expect(await refusal(resolver)).toMatch(message);
  });
});
