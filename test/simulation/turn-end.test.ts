import { describe, expect, test } from "vitest";
import type { MachineEvent } from "../../src/core/contracts/machine.ts";
import type { LeaderlessMessage } from "../../src/strategies/leaderless/messages.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { open } from "../support/cluster-calls.ts";

describe("a machine that asks for the end of the turn", () => {
  test("is told once, after all that was waiting, and again only when it asks again", async () => {
    const steps: string[] = [];
    const sound = makeTunableStrategy();
    const strategy = {
      ...sound,
      createCoordinator: (...given: Parameters<typeof sound.createCoordinator>) => {
        const coordinator = sound.createCoordinator(...given);
        if (given[0].self.node !== "n1") return coordinator;
        const proceed = coordinator.step.bind(coordinator);
        coordinator.step = (event: MachineEvent<LeaderlessMessage>, effects) => {
          if (event.type === "operation" || event.type === "turn-end") steps.push(event.type);
          if (event.type === "operation") effects.atTurnEnd();
          proceed(event, effects);
        };
        return coordinator;
      },
    };
    const cluster = await open({ keyspaces: { default: { strategy } } });
    const keyspace = cluster.keyspace("n1");
    await cluster.until(Promise.all(["a", "b", "c"].map((key) => keyspace.put(key, 1))));
    expect(steps).toEqual(["operation", "operation", "operation", "turn-end"]);
    await cluster.until(keyspace.put("d", 1));
    await cluster.advance(50);
    expect(steps.slice(4)).toEqual(["operation", "turn-end"]);
  });
});
