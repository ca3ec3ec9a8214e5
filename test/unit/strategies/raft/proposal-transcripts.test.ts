import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { PlantedReplicaBugs } from "../../../../src/strategies/raft/planted-bugs.ts";
import { ProposalStage } from "./proposal-stage.ts";

const FOLDER = new URL("./proposals/", import.meta.url);
const files = readdirSync(FOLDER);

/** The same commands and comments, with what happens now. */
function replay(text: string, planted?: PlantedReplicaBugs): string {
  const stage = new ProposalStage(planted);
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue;
    lines.push(line);
    if (line === "" || line.startsWith("#")) continue;
    for (const seen of stage.run(line)) lines.push(`  ${seen}`);
  }
  return lines.join("\n");
}

test.each(files)("%s", (name) => {
  const url = new URL(name, FOLDER);
  const text = readFileSync(url, "utf8");
  const now = replay(text);
  if (process.env.CAPSTAN_REWRITE === "1") writeFileSync(url, now);
  else expect(now).toBe(text);
});

test("outcomes.txt comes to a write that is said not to be applied, where a question is no copy", () => {
  const text = readFileSync(new URL("outcomes.txt", FOLDER), "utf8");
  expect(replay(text)).toContain("k is OUTCOME_UNKNOWN, unknown");
  expect(replay(text, { questionIsNoCopy: true })).toContain("k is UNAVAILABLE, not-applied");
});
