import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Verdict } from "../../benchmarks/support/soak-verdict.ts";
import { ensureBuilt, temporaryFolder } from "../support/processes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

// What memory does is for the ten minutes of `npm run soak`, and how many files of the log there are: these
// seconds are those in which both grow, the files by how many writes come between two writes of the state.
test.runIf(process.platform === "linux")(
  "a short soak sees segments of a real log used again, and descriptors stay",
  async () => {
    ensureBuilt();
    const folder = temporaryFolder();
    try {
      const json = join(folder.path, "soak.json");
      const words = ["--import", "tsx", "benchmarks/soak.ts", "--minutes", "0.25", "--json", json];
      const stdout = await new Promise<string>((resolve) => {
        execFile(process.execPath, words, { cwd: ROOT }, (_error, printed) => resolve(printed));
      });
      const verdicts: readonly Verdict[] = JSON.parse(readFileSync(json, "utf8"));
      expect(verdicts.map(({ node }) => node)).toEqual(["n1", "n2", "n3"]);
      for (const { usedAgain, descriptors, problems, operations } of verdicts) {
        const [inAll, late] = usedAgain;
        expect(late).toBeGreaterThan(0);
        expect(stdout).toContain(`${inAll}, late ${late}`);
        expect(descriptors[0]).toBeGreaterThan(10);
        expect(problems.filter((each) => /used again|descriptor/.test(each))).toEqual([]);
        expect(operations).toBeGreaterThan(0);
      }
    } finally {
      folder.remove();
    }
  },
);
