import { describe, expect, test } from "vitest";
import { ownCommand, shellWord, shortPath } from "../../../src/cli/own-command.ts";

const PATH = { PATH: "/usr/local/bin:/usr/bin" };

describe("how a user calls this command line again", () => {
  test.each([
    [
      "from a clone",
      "/home/jo/capstan/dist/cli/main.js",
      "/home/jo/capstan",
      "node dist/cli/main.js",
    ],
    ["as a dependency", "/home/jo/shop/node_modules/.bin/capstan", "/home/jo/shop", "npx capstan"],
    [
      "as a dependency, by its file",
      "/home/jo/shop/node_modules/capstan/dist/cli/main.js",
      "/home/jo/shop/packages/cart",
      "npx capstan",
    ],
    ["installed for all", "/usr/local/bin/capstan", "/home/jo", "capstan"],
    [
      "installed elsewhere",
      "/opt/node_modules/capstan/dist/cli/main.js",
      "/home/jo",
      "node /opt/node_modules/capstan/dist/cli/main.js",
    ],
    [
      "from a folder with blanks",
      "/home/jo/my tools/dist/cli/main.js",
      "/home/jo",
      "node 'my tools/dist/cli/main.js'",
    ],
  ])("%s", (_case, script, directory, expected) => {
    expect(ownCommand(script, directory, PATH)).toBe(expected);
  });
});

test("a path is shortened within the folder alone", () => {
  expect(shortPath("/a/b/c.json", "/a")).toBe("b/c.json");
  expect(shortPath("/a", "/a")).toBe(".");
  expect(shortPath("/x/c.json", "/a")).toBe("/x/c.json");
  expect(shortPath("/ab/c.json", "/a")).toBe("/ab/c.json");
  expect(shortPath("/a/..b/c.json", "/a")).toBe("..b/c.json");
});

test("a word is quoted for the shell only where it must be", () => {
  expect(shellWord("a/b-c_1.json")).toBe("a/b-c_1.json");
  expect(shellWord("it's here")).toBe(`'it'\\''s here'`);
});
