import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, eventually } from "../support/processes.ts";
import { RunningCluster } from "../support/processes-cluster.ts";

// `capstan load` against a cluster of real processes. The full size is for a machine that has
// nothing else to do: `npm run test:load`

const LINES = Number(process.env.CAPSTAN_LOAD_LINES ?? 2_000);
const PATIENCE_MS = 240_000 + LINES * 20;

let cluster: RunningCluster;

beforeAll(async () => {
  ensureBuilt();
  cluster = await RunningCluster.ready();
});

afterAll(() => cluster?.end());

/** Lines as people have them: keys of many kinds, values of many sizes. */
async function writeLines(name: string, count: number): Promise<string> {
  const file = join(cluster.directory, name);
  const stream = createWriteStream(file);
  for (let number = 0; number < count; number += 1) {
    const value = { number, name: `Jürgen ${number} 😀`, tags: Array(number % 7).fill("tag") };
    stream.write(`${JSON.stringify({ key: `${name}/user ${number}`, value })}\n`);
  }
  await finished(stream.end());
  return name;
}

const urlsOf = (...ids: string[]): string[] => ids.map((id) => cluster.node(id).url);

describe(`a load of ${LINES} lines`, () => {
  test(
    "is read back equal from each node at quorum",
    async () => {
      const file = await writeLines("all.ndjson", LINES);
      const words = ["load", file, "--json", "--verify-url", ...urlsOf("n1", "n2", "n3")];
      const { exitCode, stdout, stderr } = await cluster.capstan("n1", words);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      const report = JSON.parse(stdout);
      expect(report).toMatchObject({ complete: true, written: LINES, keys: LINES, bad: 0 });
      expect(report.verified).toEqual(
        urlsOf("n1", "n2", "n3").map((url) => {
          return { url, equal: LINES, different: 0, differences: [] };
        }),
      );
    },
    PATIENCE_MS,
  );

  test(
    "can be counted by a scan from another node",
    async () => {
      const words = ["scan", "--prefix", "all.ndjson/", "--consistency", "quorum"];
      const { exitCode, stdout } = await cluster.capstan("n3", words);
      expect(exitCode).toBe(0);
      expect(stdout.trimEnd().split("\n")).toHaveLength(LINES);
    },
    PATIENCE_MS,
  );
});

describe("a load", () => {
  test("says for people how many lines were written and verified", async () => {
    const file = await writeLines("few.ndjson", 1_234);
    const { exitCode, stdout } = await cluster.capstan("n2", ["load", file]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^loaded: 1,234 lines written, 1,234 verified at quorum, \d+\.\d s, [\d,]+ lines\/s\n$/,
    );
  });

  test("names a bad line, and how many lines were written", async () => {
    const content = '{"key":"bad/1","value":1}\n{"key":"bad/2","vlaue":2}\n';
    await writeFile(join(cluster.directory, "bad.ndjson"), content);
    const ran = await cluster.capstan("n1", ["load", "bad.ndjson", "--concurrency", "1"]);
    expect(ran).toMatchObject({ exitCode: 2, stdout: expect.stringMatching(/^stopped: 1 lines/) });
    expect(ran.stderr).toContain('error: line 2: it has a field "vlaue"');
    const skipping = await cluster.capstan("n1", ["load", "bad.ndjson", "--skip-bad"]);
    expect(skipping).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("1 bad lines skipped"),
      stderr: expect.stringContaining("skipped line 2"),
    });
  });

  test("that is interrupted says how far it came, and that is what is there", async () => {
    const file = await writeLines("cut.ndjson", 200_000);
    const loading = cluster.beside(["load", file], {
      env: { CAPSTAN_URL: cluster.node("n1").url },
    });
    await eventually("some lines are written", async () => {
      const words = ["scan", "--prefix", "cut.ndjson/", "--limit", "100"];
      const { stdout } = await cluster.capstan("n1", words);
      return stdout.split("\n").length > 100;
    });
    loading.signal("SIGINT");
    const { exitCode, stdout } = await loading.ended;
    expect(exitCode).toBe(130);
    const [, written = ""] =
      /^interrupted: ([\d,]+) lines written, not verified/.exec(stdout) ?? [];
    const scan = await cluster.capstan("n2", ["scan", "--prefix", "cut.ndjson/"]);
    expect(scan.stdout.trimEnd().split("\n")).toHaveLength(Number(written.replaceAll(",", "")));
  });

  test("survives the death of a node", async () => {
    const file = await writeLines("death.ndjson", 5_000);
    const loading = cluster.beside(["load", file, "--json"], {
      env: { CAPSTAN_URL: cluster.node("n1").url },
    });
    await eventually("some lines are written", async () => {
      const words = ["scan", "--prefix", "death.ndjson/", "--limit", "10"];
      return (await cluster.capstan("n1", words)).stdout.split("\n").length > 10;
    });
    process.kill(cluster.node("n3").pid, "SIGKILL");
    expect(loading.child.exitCode).toBeNull();
    const { exitCode, stdout } = await loading.ended;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ written: 5_000, verified: [{ equal: 5_000 }] });
  });
});
