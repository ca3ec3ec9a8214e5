import { expect, test } from "vitest";
import { SimWorld } from "../../src/simulation/sim-world.ts";

const NODES = ["n1", "n2", "n3"];
const PATIENCE_MS = 60_000;
const STEP_MS = 5;
const LONG_MS = 2_500;

/**
 * A leader is cut off, and its machine's clocks run at this rate of the others'. How often it still
 * answered `lease` reads with the old value after another leader had acknowledged a new one, and
 * how often it answered them before.
 */
async function readsOfLostLeader(rate: number, seed: number) {
  const keyspaces = { accounts: { strategy: "raft", replicas: 3, shards: 1 } };
  const world = new SimWorld({ seed, nodes: NODES, configuration: { keyspaces } });
  const { driver, network } = world;
  await driver.until(Promise.all(NODES.map((id) => world.start(id))), PATIENCE_MS);
  const at = (id: string) => {
    const store = world.node(id).life?.store;
    if (store === undefined) throw new Error(`${id} does not run`);
    return store.keyspace("accounts");
  };
  const ready = NODES.map((id) => world.node(id).life?.store?.ready());
  await driver.until(Promise.all(ready), PATIENCE_MS);
  await driver.until(at("n1").put("a", "old"), PATIENCE_MS);
  const { leader } = (at("n1").describe().shards as { leader: string }[])[0] ?? { leader: "" };
  const [other, third] = NODES.filter((id) => id !== leader) as [string, string];
  world.node(leader).clock.setRate(rate);
  // Nobody leaves it at rest, so that its lease is as new as it can be when it is cut off.
  for (let writes = 0; writes < 20; writes += 1) {
    await driver.until(at(leader).put("a", "old"), PATIENCE_MS);
    await driver.run(20);
  }
  for (const id of [other, third]) network.cut(leader, id);
  const seen = { before: 0, stale: 0 };
  let isAcknowledged = false;
  let isWriting = false;
  // One at a time, and no more than one a step: a node without a leader refuses at once.
  const maybeWrite = (): void => {
    if (isAcknowledged || isWriting) return;
    isWriting = true;
    const done = (acknowledged: boolean) => {
      isAcknowledged ||= acknowledged;
      isWriting = false;
    };
    at(other)
      .put("a", "new", { timeoutMs: 500 })
      .then(
        () => done(true),
        () => done(false),
      );
  };
  for (let passedMs = 0; passedMs < LONG_MS; passedMs += STEP_MS) {
    maybeWrite();
    await driver.run(STEP_MS);
    const read = at(leader).getNow("a", { consistency: "lease" });
    // A lease that has run out without a leader's answers does not come back.
    if (read === undefined && isAcknowledged) break;
    if (read === undefined) continue;
    expect(read).toMatchObject({ value: "old", receipt: { achieved: "lease" } });
    if (isAcknowledged) seen.stale += 1;
    else seen.before += 1;
  }
  expect(isAcknowledged).toBe(true);
  for (const id of NODES) await driver.until(world.stop(id), PATIENCE_MS);
  return seen;
}

test.each([1, 2])(
  "a lease read is never stale while clocks differ by less than the bound (seed %i)",
  async (seed) => {
    for (const rate of [0.96, 1.04]) {
      const { before, stale } = await readsOfLostLeader(rate, seed);
      expect({ rate, stale }).toEqual({ rate, stale: 0 });
      expect(before).toBeGreaterThan(0);
    }
  },
);

test("a lease read beyond the bound of the clocks can be stale: the lease of a slow clock is too long", async () => {
  const { stale } = await readsOfLostLeader(0.1, 1);
  expect(stale).toBeGreaterThan(0);
});
