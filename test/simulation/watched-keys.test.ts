import { expect, test } from "vitest";
import { ClientCalls } from "../../src/simulation/scenario/client-calls.ts";
import { Draw } from "../../src/simulation/scenario/draw.ts";
import { WatchedKeys } from "../../src/simulation/scenario/leaderless/watched-keys.ts";
import { SeededRandom } from "../../src/simulation/seeded-random.ts";
import { Stage } from "../support/planted-stage.ts";

const PLAN = {
  name: "things",
  strategy: "tunable",
  configuration: {},
  keysPerGroup: 1,
  writeShare: 1,
  focus: undefined,
};
const MET_MS = 3_000;

test("a watch is not owed what the one copy that had it was wiped with", async () => {
  const stage = await Stage.open({ keyspace: { strategy: "tunable" } });
  const { world } = stage;
  const draw = new Draw(new SeededRandom(4, "watched"));
  const keys = new WatchedKeys({ calls: new ClientCalls(world), plan: PLAN, world }, draw);
  keys.begin();
  await stage.run(MET_MS);
  stage.isolate("n2");
  await stage.run(MET_MS);
  const writing = async (): Promise<void> => {
    // At quorum nobody confirms it: one copy is what it is written to at `one`.
    while ((await keys.operate("c", draw, stage.node("n2"))) !== "ok");
  };
  await stage.until(writing());
  world.crash("n2");
  stage.node("n2").disk.wipe();
  world.network.heal();
  await stage.until(world.start("n2"));
  await stage.run(MET_MS);
  await keys.readAtTheEnd();
  expect(keys.gaps).toBe(0);
  expect(keys.violations()).toEqual([]);
});
