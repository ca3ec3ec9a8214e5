import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureBuilt, Running } from "../support/processes.ts";

const ENTRY = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
let folder: string;
const running = new Set<Running>();

beforeAll(() => {
  ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), "capstan-held-"));
});
afterAll(() => {
  for (const { child } of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/**
 * One durable node. A caller begins more writes in one turn than may be under way, and lets nothing
 * else run until all their deadlines have passed. What has been taken is stored, and has to say so:
 * nobody had a chance to look at its answer before.
 */
function holdTheLoop(strategy: string): Running {
  const module = `
    import { openStore } from ${ENTRY};
    const store = await openStore({
      storage: { type: "disk", path: ${JSON.stringify(join(folder, strategy))} },
      limits: { operationsInFlight: 100 },
      keyspaces: { k: { strategy: ${JSON.stringify(strategy)} } },
    });
    await store.ready();
    const keyspace = store.keyspace("k");
    const calls = [];
    for (let at = 0; at < 1_000; at += 1) {
      const call = keyspace.put("key-" + at, at, { timeoutMs: 100 });
      calls.push(call.then(() => "applied", (fault) => fault.code + " " + fault.outcome));
    }
    const goOnMs = performance.now() + 1_000;
    while (performance.now() < goOnMs);
    const counts = {};
    for (const said of await Promise.all(calls)) counts[said] = (counts[said] ?? 0) + 1;
    let stored = 0;
    for await (const _ of keyspace.scan({ timeoutMs: 30_000 })) stored += 1;
    await store.close();
    console.log(JSON.stringify({ ...counts, stored }));
  `;
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const args = ["--input-type=module", "-e", module];
  const started = new Running(process.execPath, args, { directory: root });
  running.add(started);
  return started;
}

test.each(["tunable", "dynamo", "raft"])(
  "of %s, writes whose deadlines passed while their caller held the event loop say that they are stored",
  async (strategy) => {
    const node = holdTheLoop(strategy);
    await node.ended;
    expect(JSON.parse(node.stdout || "{}"), node.stderr).toEqual({
      "OVERLOADED not-applied": 900,
      applied: 100,
      stored: 100,
    });
  },
);
