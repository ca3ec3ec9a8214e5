import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];
const LINK = /\]\(([^)#\s]+)[^)]*\)/g;

// A page that others lead to was once taken away by mistake, and nothing said so.
test.each(PAGES)("every link of %s within the repository leads somewhere", (page) => {
  const text = readFileSync(join(ROOT, page), "utf8");
  const targets = [...text.matchAll(LINK)].map(([, target = ""]) => target);
  const missing = targets.filter(
    (target) => !/^\w+:/.test(target) && !existsSync(join(ROOT, dirname(page), target)),
  );
  expect(missing).toEqual([]);
});
