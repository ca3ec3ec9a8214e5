import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { STORE_EVENTS } from "../src/core/model/event-registry.ts";

const PAGE = readFileSync("docs/events.md", "utf8");
const [EVENTS = "", COUNTERS = ""] = PAGE.split("## Counters");
const SOURCES = ["src/core", "src/strategies", "src/storage", "src/transports"].flatMap((room) =>
  readdirSync(room, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && path !== "model/event-registry.ts")
    .map((path) => readFileSync(join(room, path), "utf8")),
);

function rowsOf(text: string): readonly (readonly [name: string, meaning: string])[] {
  return [...text.matchAll(/^\| `([a-z_-]+)` \| (.+?) \|/gm)].map(([, name, meaning]) => [
    name as string,
    meaning as string,
  ]);
}

function saidBy(pattern: RegExp): string[] {
  const said = SOURCES.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name));
  return [...new Set(said as string[])].sort();
}

test("docs/events.md has the registry of events, row by row", () => {
  expect(rowsOf(EVENTS)).toEqual(Object.entries(STORE_EVENTS));
});

test("every event that is emitted is in the registry", () => {
  const emitted = saidBy(
    /(?:emit|notices\.say|sayOnce|onNotice)\(\s*(?:\{\s*type:\s*)?"([a-z]+(?:-[a-z]+)*)"/g,
  );
  expect(emitted.length).toBeGreaterThan(30);
  expect(emitted.filter((type) => !(type in STORE_EVENTS))).toEqual([]);
});

test("every event of the registry is emitted", () => {
  const whole = SOURCES.join("\n");
  expect(Object.keys(STORE_EVENTS).filter((type) => !whole.includes(`"${type}"`))).toEqual([]);
});

test("every counter of the sources has a row, and every row is of one", () => {
  const counted = [
    ...saidBy(/observer\.count\(\s*"([a-z_]+)"/g),
    ...saidBy(/count\?\.\(\s*"([a-z_]+)"/g).map((name) => `capstan_${name}`),
  ].sort();
  const documented = rowsOf(COUNTERS).map(([name]) => name);
  expect([...documented].sort()).toEqual(counted);
});
