// `npm run bench:pages -- FILE`: puts the figures of a run (`npm run bench:smoke -- --json FILE`) into the
// tables of README.md and docs/performance.md. The prose around them is the writer's to check.
import { readFileSync, writeFileSync } from "node:fs";
import type { Measurement } from "../benchmarks/support/measurement.ts";
import { withFigures } from "./figure-tables.ts";

const PAGES = ["README.md", "docs/performance.md"];

const USAGE = "npm run bench:pages -- FILE, written by npm run bench:smoke -- --json FILE";
const words = process.argv.slice(2);
if (words.includes("--help") || words.includes("-h")) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
const option = words.find((word) => word.startsWith("-"));
const [file] = words;
if (file === undefined || words.length > 1 || option !== undefined) {
  const wrong = option === undefined ? "one file is wanted" : `there is no option ${option}`;
  process.stderr.write(`${wrong}: ${USAGE}\n`);
  process.exit(2);
}
const rows = JSON.parse(readFileSync(file, "utf8")) as readonly Measurement[];
// All pages are made before one is written: half of them would be figures of two runs.
const pages = PAGES.map((page) => ({ page, text: withFigures(readFileSync(page, "utf8"), rows) }));
for (const { page, text } of pages) {
  writeFileSync(page, text);
  process.stdout.write(`${page}\n`);
}
