import { expect, test } from "vitest";
import { run } from "./fake-surroundings.ts";

test.each([
  [["nonsense"], "unknown command 'nonsense'", "(capstan --help says more)"],
  [["get", "k", "--bogus"], "unknown option '--bogus'", "(capstan get --help says more)"],
  [["members", "move"], "unknown command 'move'", "(capstan members --help says more)"],
  [
    ["members", "list"],
    "required option '--keyspace <name>'",
    "(capstan members list --help says more)",
  ],
])("%j is refused, and told whose help says more", async (words, what, where) => {
  const ran = await run(words);
  expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
  expect(ran.stderr).toContain(what);
  expect(ran.stderr).toContain(where);
});
