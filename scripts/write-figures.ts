// `npm run bench:pages -- FILE`: puts the figures of a run (`npm run bench:smoke -- --json FILE`) into the
// tables of README.md and docs/performance.md. The prose around them is the writer's to check.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Measurement } from "../benchmarks/support/measurement.ts";
import { withFigures } from "./figure-tables.ts";

const PAGES = ["README.md", "docs/performance.md"];

const { positionals } = parseArgs({ allowPositionals: true, strict: true });
const [file] = positionals;
if (file === undefined || positionals.length > 1) {
  process.stderr.write(
    "usage: npm run bench:pages -- FILE, written by bench:smoke -- --json FILE\n",
  );
  process.exit(2);
}
const rows = JSON.parse(readFileSync(file, "utf8")) as readonly Measurement[];
// All pages are made before one is written: half of them would be figures of two runs.
const pages = PAGES.map((page) => ({ page, text: withFigures(readFileSync(page, "utf8"), rows) }));
for (const { page, text } of pages) {
  writeFileSync(page, text);
  process.stdout.write(`${page}\n`);
}
