import { expect, test } from "vitest";
import { staleExceptions, withoutExceptions } from "./architecture/exceptions.ts";
import { readHouse } from "./architecture/house.ts";
import type { Finding } from "./architecture/project.ts";
import { RULES } from "./architecture/rules.ts";
import { longFiles, QUESTIONABLE_FILE_LINES } from "./architecture/sizes.ts";

// Holds this repository against the rules of the house. architecture-rules.test.ts shows for each
// rule that it can fail; CONTRIBUTING.md says what the rules are for.

const house = readHouse();

for (const rule of RULES) {
  test(rule.name, () => {
    const findings = withoutExceptions(rule.name, rule.findings(house));
    if (findings.length > 0) expect.fail(`\n${findings.map(describe).join("\n")}\n`);
  });
}

test("every exception is still needed", () => {
  expect(
    staleExceptions((rule) => RULES.find(({ name }) => name === rule)?.findings(house)),
  ).toEqual([]);
});

test("long files are mentioned", () => {
  const long = longFiles(house.files, QUESTIONABLE_FILE_LINES);
  if (long.length > 0)
    console.warn(`Is each of these one thing?\n${long.map(describe).join("\n")}`);
});

function describe({ path, line, message }: Finding): string {
  return `${path}:${line} ${message}`;
}
