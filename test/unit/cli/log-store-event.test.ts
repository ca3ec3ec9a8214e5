import { expect, test } from "vitest";
import { logStoreEvent } from "../../../src/cli/log-store-event.ts";
import { createNodeLog } from "../../../src/cli/node-log.ts";
import type { LogLevel } from "../../../src/core/contracts/observer.ts";
import { fakeSurroundings } from "./fake-surroundings.ts";

function logged(type: string, fields: Record<string, unknown>, level: LogLevel): string {
  const surroundings = fakeSurroundings();
  const log = createNodeLog({ node: "n1", json: false, level }, surroundings);
  logStoreEvent(log, { type, atMs: 1, ...fields });
  return surroundings.stdout.text.replace(/^\S+ /, "").trimEnd();
}

test("what needs somebody is a warning or an error, and says what it is", () => {
  expect(logged("writes-may-be-lost", { keyspace: "carts", shard: 3 }, "warn")).toBe(
    "warn  writes-may-be-lost: too few whole copies of a shard were left to learn from keyspace=carts shard=3",
  );
  expect(logged("configuration-mismatch", { peer: "n2" }, "error")).toContain("peer=n2");
  expect(logged("identity-conflict", { peer: "n2" }, "error")).toContain("one node id");
  expect(logged("side", { side: "isolated" }, "warn")).toBe("warn  side side=isolated");
});

test("what goes well is information; what comes for every shard is for who asks for it", () => {
  expect(logged("side", { side: "majority" }, "info")).toBe("info  side side=majority");
  expect(logged("side", { side: "majority" }, "warn")).toBe("");
  expect(logged("still-joining", { reason: "n2 is not connected" }, "info")).toBe("");
  expect(logged("cluster-joined", { origin: "newborn" }, "info")).toContain("origin=newborn");
  expect(logged("ready", {}, "info")).toBe("info  serves at the levels of its keyspaces");
  expect(logged("rebuild-finished", { shard: 1 }, "info")).toBe("");
  expect(logged("raft-standing", { shard: 1, role: "leader" }, "info")).toBe("");
  expect(logged("rebuild-finished", { shard: 1 }, "debug")).toBe("debug rebuild-finished shard=1");
});
