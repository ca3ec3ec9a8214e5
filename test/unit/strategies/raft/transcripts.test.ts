import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { PlantedConsensusBugs } from "../../../../src/strategies/raft/planted-bugs.ts";
import { TranscriptRunner } from "./transcripts/transcript-runner.ts";

const FOLDER = new URL("./transcripts/", import.meta.url);
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));

/** The same commands and comments, with what happens now. */
function replay(text: string, planted: PlantedConsensusBugs = {}): string {
  const runner = new TranscriptRunner(planted);
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue;
    lines.push(line);
    if (line === "" || line.startsWith("#")) continue;
    for (const seen of runner.run(line)) lines.push(`  ${seen}`);
  }
  return lines.join("\n");
}

test("there are transcripts", () => {
  expect(files.length).toBeGreaterThanOrEqual(9);
});

test.each(files)("%s", (name) => {
  const url = new URL(name, FOLDER);
  const text = readFileSync(url, "utf8");
  const now = replay(text);
  if (process.env.CAPSTAN_REWRITE === "1") writeFileSync(url, now);
  else expect(now).toBe(text);
});

test("damaged-moved-away.txt comes to two leaders where nobody but the voters is asked", () => {
  const text = readFileSync(new URL("damaged-moved-away.txt", FOLDER), "utf8");
  const replayed = () => replay(text, { othersNotAsked: true });
  expect(replayed).toThrow("Election Safety at n2: 3, n1 1");
});

test("figure-8.txt comes to where a leader that counts an earlier term's entry commits it", () => {
  const text = readFileSync(new URL("figure-8.txt", FOLDER), "utf8");
  const replayed = () => replay(text, { oldTermCommitted: true });
  expect(replayed).toThrow("a leader commits entries of its own term at n1: 2, 1");
});

test("a leader takes back the change that was to replace its own store, which came back", () => {
  const now = replay(readFileSync(new URL("store-back.txt", FOLDER), "utf8"));
  const [before = "", after = ""] = now.split("n1 leads term 2");
  expect(before).toContain("n1 is in n1 n2 n3 / n1@0004 (to n1@0004 n2 n3)");
  expect(after).toContain("n1 is in n1 n2 n3\n");
});
