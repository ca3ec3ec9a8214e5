import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { KeptWrites } from "../support/kept-writes.ts";
import { killedAfter } from "../support/killed-node.ts";
import { ensureBuilt, temporaryFolder } from "../support/processes.ts";
import { SeededRandom } from "../support/seeded-random.ts";

// SIGKILL at random moments, under load, again and again over the same data. `npm run test:kills`
// does 200 of them.

const KILLS = Number(process.env.CAPSTAN_KILLS ?? 20);
const SEED = Number(process.env.CAPSTAN_SEED ?? 1);
/** Opening takes about half of it: some nodes die before they serve. */
const MOST_MS = 600;

let folder: { readonly path: string; remove(): void };

beforeAll(() => ensureBuilt());
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

describe("a node that is killed at random moments", () => {
  test(`keeps what it acknowledged and nothing that it refused, over ${KILLS} kills (CAPSTAN_SEED=${SEED})`, {
    timeout: 60_000 + KILLS * 15_000,
  }, async () => {
    const random = new SeededRandom(SEED, "kills");
    const writes = new KeptWrites();
    const options = {
      path: folder.path,
      writes,
      // Small, so that segments are filled and used again between two kills.
      storage: { segmentBytes: 1024 * 1024 },
    };
    let opened = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const from = random.fraction() < 0.3 ? "start" : "opened";
      const life = await killedAfter(random.fraction() * MOST_MS, from, {
        ...options,
        seed: random.uint32(),
      });
      if (life.wrong !== undefined) opened += 1;
      expect(life.wrong ?? [], `after kill ${kill}`).toEqual([]);
    }
    // It opens every time, also in the end, and has something to say.
    const last = await killedAfter(0, "opened", { ...options, seed: random.uint32() });
    expect(last.wrong).toEqual([]);
    expect(opened).toBeGreaterThan(KILLS / 3);
    expect(writes.acknowledged).toBeGreaterThan(KILLS * 10);
    expect(writes.refused).toBeGreaterThan(0);
  });
});
