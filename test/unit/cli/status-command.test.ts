import { describe, expect, test } from "vitest";
import { HEALTH, listening, serveHealth } from "./fake-health.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

const status = (port: number, ...words: string[]) =>
  run(["status", "--url", `127.0.0.1:${port}`, ...words]);

describe("capstan status", () => {
  test("shows nodes and keyspaces as the node that was asked sees them", () =>
    listening(serveHealth(), async (port) => {
      const { exitCode, stdout, stderr } = await status(port);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toContain(
        "cluster orders, as n7 sees it (ready, reaching no other): " +
          "1 of 3 nodes healthy, degraded",
      );
      expect(stdout).toMatch(/│ n7 \* +│ active +│ 127\.0\.0\.1:8407 +│.*│ itself +│/);
      expect(stdout).toMatch(/│ n9 +│ unknown: configuration-mismatch +│/);
      expect(stdout).toMatch(/│ n8 +│ unreachable +│ - +│.*│ 61 s ago +│/);
      expect(stdout).toMatch(/│ default +│ tunable +│ 2 +│ 16 +│ quorum +│ quorum +│/);
      expect(stdout).not.toContain("\u001b");
    }));

  test("tells a node that joins from one that is lost, also by its colour", () => {
    const nodes = [
      { node: "n7", status: "joining", datacenter: "default", silent_ms: 100 },
      { node: "n8", status: "unreachable", datacenter: "default", silent_ms: 61_200 },
    ];
    return listening(serveHealth({ ...HEALTH, nodes }), async (port) => {
      const surroundings = fakeSurroundings({ env: { FORCE_COLOR: "1" } });
      const { stdout } = await run(["status", "--url", `127.0.0.1:${port}`], surroundings);
      expect(stdout).toContain("\u001b[33mjoining\u001b[39m");
      expect(stdout).toContain("\u001b[31munreachable\u001b[39m");
    });
  });

  test("names the keyspaces that a node was not given, and only where there are some", () => {
    const nodes = [
      { node: "n7", status: "active", datacenter: "default" },
      { node: "n8", status: "active", datacenter: "default", lacking: ["audit"] },
      { node: "n9", status: "active", datacenter: "default", lacking: ["audit", "ledger"] },
    ];
    return listening(serveHealth({ ...HEALTH, nodes }), async (port) => {
      const { stdout } = await status(port);
      expect(stdout.trimEnd().split("\n").slice(-2)).toEqual([
        "n8 lacks a keyspace that others have: audit (not in its configuration)",
        "n9 lacks keyspaces that others have: audit, ledger (not in its configuration)",
      ]);
      expect(stdout).not.toContain("n7 lacks");
    });
  });

  test("as JSON gives all that the node says", () =>
    listening(serveHealth(), async (port) => {
      const { stdout } = await status(port, "--json");
      expect(JSON.parse(stdout)).toEqual(HEALTH);
    }));

  test("says so where something else answers", () =>
    listening(serveHealth({ status: "ok" }), async (port) => {
      const { exitCode, stderr } = await status(port);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`what answers at http://127.0.0.1:${port} is no Capstan node`);
    }));

  test("gives up on a node that does not answer", async () => {
    const { createServer } = await import("node:net");
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await listening(silent, async (port) => {
      const { exitCode, stdout } = await status(port, "--timeout", "50ms", "--json");
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        error: { code: "UNREACHABLE_SERVER", message: expect.stringContaining("within 50 ms") },
      });
    });
  });

  test("ends when the user has waited enough", async () => {
    const { createServer } = await import("node:net");
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await listening(silent, async (port) => {
      const surroundings = fakeSurroundings();
      const running = run(["status", "--url", `127.0.0.1:${port}`], surroundings);
      setTimeout(() => surroundings.interruption.request("SIGINT"), 20);
      expect(await running).toMatchObject({ exitCode: 130 });
    });
  });
});
