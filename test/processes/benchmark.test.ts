import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Measurement } from "../../benchmarks/support/measurement.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("a benchmark of the transports puts each row beside its floor, in the table and in JSON", async () => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-benchmark-"));
  try {
    const json = join(folder, "rows.json");
    const words = ["--only", "transport", "--seconds", "0.1", "--json", json];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "benchmarks/smoke.ts", ...words],
      { cwd: ROOT },
    );
    const rows: readonly Measurement[] = JSON.parse(readFileSync(json, "utf8"));
    expect(rows.map(({ name, inFlight }) => `${name}, ${inFlight}`)).toEqual([
      ...["floor replicated, tcp, 1", "floor replicated, tcp, 64"],
      ...["transport memory, round trip, 1", "transport memory, round trip, 64"],
      ...["transport tcp, round trip, 1", "transport tcp, round trip, 64"],
      ...["transport tls, round trip, 1", "transport tls, round trip, 64"],
    ]);
    for (const row of rows) {
      const isFloor = row.name.startsWith("floor");
      expect(row).toEqual({
        name: row.name,
        inFlight: row.inFlight,
        opsPerSecond: expect.any(Number),
        p50Us: expect.any(Number),
        p99Us: expect.any(Number),
        floorRatio: isFloor ? null : expect.any(Number),
        p50FloorRatio: isFloor ? null : expect.any(Number),
        floorRatioRange: isFloor ? null : [expect.any(Number), expect.any(Number)],
      });
      expect(row.opsPerSecond).toBeGreaterThan(0);
      expect(stdout).toContain(row.name);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
