import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  ensureBuilt,
  eventually,
  freePorts,
  type Running,
  startCapstan,
  temporaryFolder,
} from "../support/processes.ts";

// What shards cost that nobody uses. The full size, on a machine that does nothing else, is
// `npm run test:idle`.

const FULL_SHARDS = 1_000;
const SHARDS = Number(process.env.CAPSTAN_IDLE_SHARDS ?? 200);
const QUIET_MS = Number(process.env.CAPSTAN_IDLE_MS ?? 4_000);
const NODES = ["n1", "n2", "n3"] as const;
/**
 * Of a core, in percent: what is promised of the full size. Beside other tests a run of less is only
 * to see that shards rest: heartbeats of those that do not cost several times as much.
 */
const MOST_PERCENT = SHARDS >= FULL_SHARDS ? 2 : 15;
/** User and system time of a process so far, in milliseconds. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  // In ticks of a hundredth of a second, whatever the kernel's own: USER_HZ is part of its interface.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function percentOf(running: readonly Running[], forMs: number): Promise<readonly number[]> {
  const before = running.map(({ child }) => cpuMs(child.pid as number));
  const startedAtMs = performance.now();
  await sleep(forMs);
  const tookMs = performance.now() - startedAtMs;
  return running.map(({ child }, at) => {
    const usedMs = cpuMs(child.pid as number) - (before[at] as number);
    return (100 * usedMs) / tookMs;
  });
}

/** How many shards the node has said it leads, and not stopped leading. */
function ledBy({ stdout }: Running, id: string): number {
  const leaders = new Map<number, string | undefined>();
  for (const line of stdout.split("\n")) {
    if (!line.includes('"raft-standing"')) continue;
    const said = JSON.parse(line) as { shard: number; leader?: string };
    leaders.set(said.shard, said.leader);
  }
  return [...leaders.values()].filter((leader) => leader === id).length;
}

test.runIf(process.platform === "linux")(
  "shards that nobody uses cost a node next to nothing",
  async () => {
    ensureBuilt();
    const folder = temporaryFolder();
    const firstPort = await freePorts(2 * NODES.length);
    const nodes = NODES.map((id, at) => {
      const http = `127.0.0.1:${firstPort + at}`;
      return [id, { http, peer: `127.0.0.1:${firstPort + NODES.length + at}` }] as const;
    });
    const configuration = {
      cluster: { name: "idle", nodes: Object.fromEntries(nodes) },
      transport: { type: "tcp" },
      storage: { type: "disk", path: join(folder.path, "data") },
      keyspaces: { idle: { strategy: "raft", replicas: NODES.length, shards: SHARDS } },
    };
    writeFileSync(join(folder.path, "capstan.config.json"), JSON.stringify(configuration));
    const running = NODES.map((id) =>
      startCapstan(
        [
          "start",
          "--config",
          "capstan.config.json",
          "--node",
          id,
          "--json-logs",
          "--log-level",
          "debug",
        ],
        {
          directory: folder.path,
        },
      ),
    );
    try {
      await Promise.all(running.map((each) => each.says(/serves at the levels of its keyspaces/)));
      await eventually("every shard has a leader", () => {
        const led = running.map((each, at) => ledBy(each, NODES[at] as string));
        return led.reduce((sum, count) => sum + count, 0) === SHARDS;
      });
      // Leaders hand over to whom it rather belongs, and all come to rest.
      await eventually("the shards rest", async () =>
        (await percentOf(running, 1_000)).every((percent) => percent < MOST_PERCENT),
      );
      const percents = await percentOf(running, QUIET_MS);
      const shown = percents.map((percent) => percent.toFixed(2)).join(", ");
      process.stdout.write(`${SHARDS} idle shards, percent of a core per node: ${shown}\n`);
      for (const percent of percents) expect(percent).toBeLessThanOrEqual(MOST_PERCENT);
    } finally {
      await Promise.all(running.map((each) => each.end()));
      folder.remove();
    }
  },
  240_000,
);
