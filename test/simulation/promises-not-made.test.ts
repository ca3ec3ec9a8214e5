import { expect, test } from "vitest";
import type { Level } from "../../src/core/model/levels.ts";
import { type Simulation, simulate } from "../../src/simulation/simulate.ts";
import {
  checkLinearizable,
  checkMonotonicReads,
  checkRegularRegister,
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  recordKeyspace,
  registerModel,
} from "../../src/verification/index.ts";

/** Three nodes that have found each other. */
async function open(seed: number): Promise<Simulation> {
  const simulation = await simulate({ seed });
  await simulation.run(2_000);
  return simulation;
}

/** A client of each node, whose calls are written down. */
function recorded(simulation: Simulation) {
  const recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>({
    now: () => simulation.nowMs,
  });
  const at = (client: string, node: string) =>
    recordKeyspace(simulation.store(node).keyspace("default"), recorder, { client, node });
  return { recorder, at };
}

function asked<L extends Level>(consistency: L) {
  return { consistency } as const;
}

test("a read at quorum does not write back: the next one may find what is older", async () => {
  await using simulation = await open(6);
  const { recorder, at } = recorded(simulation);
  await simulation.until(at("c1", "n1").put("k", "old", asked("all")));
  // The write gets no further than its own node.
  simulation.cutOneWay("n1", "n2");
  simulation.cutOneWay("n1", "n3");
  const writing = at("c1", "n1").put("k", "new", asked("quorum"));
  await expect(simulation.until(writing)).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  // At once, before the replicas are made equal in the background.
  simulation.heal();
  const first = await simulation.until(at("c2", "n1").get("k", asked("quorum")));
  // What the read sends to repair the other copy is lost with its node.
  simulation.crash("n1");
  const second = await simulation.until(at("c3", "n3").get("k", asked("quorum")));
  expect([first, second]).toMatchObject([
    { value: "new", receipt: { achieved: "quorum", consistent: true } },
    { value: "old", receipt: { achieved: "quorum", consistent: true } },
  ]);
  const history = recorder.operations();
  expect(checkLinearizable(registerModel, history)).toMatchObject({
    verdict: "illegal",
    counterexample: { violated: history.at(-1), minimal: true },
  });
  // What the table does promise of quorum holds all the same.
  expect(checkRegularRegister(history).verdict).toBe("legal");
});

test("a read at one behind a partition finds what was overwritten", async () => {
  await using simulation = await open(7);
  const { recorder, at } = recorded(simulation);
  await simulation.until(at("c1", "n1").put("k", "before", asked("all")));
  simulation.partition(["n1", "n2"], ["n3"]);
  await simulation.until(at("c1", "n1").put("k", "after", asked("quorum")));
  const fresh = await simulation.until(at("c2", "n1").get("k", asked("one")));
  const stale = await simulation.until(at("c2", "n3").get("k", asked("one")));
  expect([fresh, stale]).toMatchObject([{ value: "after" }, { value: "before" }]);
  const history = recorder.operations();
  const [, overwriting] = history;
  expect(checkRegularRegister(history).violations).toMatchObject([
    { read: history.at(-1), reason: "overwritten", overwrittenBy: overwriting },
  ]);
  expect(checkMonotonicReads(history).verdict).toBe("illegal");
});

test("of two acknowledged writes at one, the later one is lost if its clock is behind", async () => {
  await using simulation = await open(8);
  const { recorder, at } = recorded(simulation);
  simulation.skew("n3", -4_000);
  simulation.partition(["n1", "n2"], ["n3"]);
  const first = await simulation.until(at("c1", "n1").put("k", "first", asked("one")));
  const second = await simulation.until(at("c2", "n3").put("k", "second", asked("one")));
  expect([first, second]).toMatchObject([
    { receipt: { achieved: "one", consistent: true } },
    { receipt: { achieved: "one", consistent: true } },
  ]);
  simulation.heal();
  await simulation.run(10_000);
  const found = await simulation.until(at("c3", "n3").get("k", asked("all")));
  expect(found).toMatchObject({ found: true, value: "first" });
  const history = recorder.operations();
  const [, lost, read] = history;
  expect(checkRegularRegister(history).violations).toMatchObject([
    { read, reason: "overwritten", overwrittenBy: lost },
  ]);
  expect(checkLinearizable(registerModel, history)).toMatchObject({
    verdict: "illegal",
    counterexample: { violated: read },
  });
});
