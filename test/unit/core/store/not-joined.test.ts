import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { notBegun, notJoined } from "../../../../src/core/store/not-joined.ts";
import type { PeerStanding } from "../../../../src/core/store/seams.ts";
import { World } from "./peers/world.ts";

const NODE = "a" as NodeId;

test("a node whose peers are not started yet is not open", () => {
  const { code, message, details } = notJoined(NODE, undefined, "digest-a");
  expect([code, message]).toEqual(["NOT_READY", "node a is not open yet"]);
  expect(details).toEqual({ node: "a" });
});

test("a node that has not joined says whom it has not met, and why", async () => {
  const { network } = await new World("a", "b").start("a");
  const { code, message, details } = notJoined(NODE, network, "digest-a");
  expect(code).toBe("NOT_READY");
  expect(message).toContain("b is not connected");
  expect(details).toEqual({ node: "a", peers: ["b"], causes: ["not-connected"] });
});

test("a new keyspace waits for those that are unmet or never had it, or else for its own disk", () => {
  const standings = [
    { node: "b", standing: "unmet" },
    { node: "c", standing: "has" },
    { node: "d", standing: "never" },
  ] as unknown as PeerStanding[];
  const fault = notBegun("users", NODE, standings);
  expect(fault.code).toBe("UNAVAILABLE");
  expect(fault.details).toEqual({ keyspace: "users", node: "a", waitsFor: ["b", "d"] });
  expect(notBegun("users", NODE, []).message).toContain("so far not from this node's own disk");
});
