import { expect, test } from "vitest";
import { WritePace } from "../../../../../src/storage/disk/state/write-pace.ts";
import { VirtualEnvironment } from "../../../../support/virtual-environment.ts";

const INTERVAL_MS = 5_000;
const SEEDS = Array.from({ length: 200 }, (_, at) => at + 1);

function paceOf(seed: number) {
  const environment = new VirtualEnvironment({ seed });
  return { environment, pace: new WritePace(environment, INTERVAL_MS) };
}

/** Of all nodes; how far apart the first and the last are says that they are spread. */
function boundsOf(delays: readonly number[]): readonly [number, number] {
  return [Math.min(...delays), Math.max(...delays)];
}

test("nodes that begin together first write spread over two thirds of the interval", () => {
  const [least, most] = boundsOf(SEEDS.map((seed) => paceOf(seed).pace.delayMs()));
  expect(least).toBeGreaterThanOrEqual(INTERVAL_MS / 3);
  expect(least).toBeLessThan(INTERVAL_MS * 0.4);
  expect(most).toBeLessThanOrEqual(INTERVAL_MS);
  expect(most).toBeGreaterThan(INTERVAL_MS * 0.95);
});

test("those that follow a write are a tenth of the interval early at the most", () => {
  const delays = SEEDS.map((seed) => {
    const { environment, pace } = paceOf(seed);
    pace.onWritten();
    environment.advance(INTERVAL_MS - 1);
    return pace.delayMs();
  });
  const [least, most] = boundsOf(delays);
  expect(least).toBeGreaterThanOrEqual(INTERVAL_MS * 0.9);
  expect(least).toBeLessThan(INTERVAL_MS * 0.92);
  expect(most).toBeLessThanOrEqual(INTERVAL_MS);
  expect(most).toBeGreaterThan(INTERVAL_MS * 0.98);
});

test("after a rest of an interval nodes are spread anew", () => {
  const delays = SEEDS.map((seed) => {
    const { environment, pace } = paceOf(seed);
    pace.onWritten();
    environment.advance(INTERVAL_MS);
    return pace.delayMs();
  });
  expect(boundsOf(delays)[0]).toBeLessThan(INTERVAL_MS * 0.4);
});
