import { engineConformance } from "../../src/conformance/strategy-engine.ts";
import type { EngineHarness } from "../../src/conformance/strategy-engine-harness.ts";
import { strategyConformance } from "../../src/conformance/strategy-engine-settings.ts";
import { until } from "../../src/conformance/suite.ts";
import type { Engine } from "../../src/core/contracts/strategy.ts";
import { DEFAULT_DEADLINES_MS } from "../../src/strategies/tunable/settings.ts";
import { tunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { bindSuite } from "../support/bind-suite.ts";
import { withMembers } from "../support/broken-storage.ts";
import { openTunableNodes, shardIndexOfKey, type TunableNode } from "../support/tunable-nodes.ts";
import { VirtualEnvironment, VirtualTime } from "../support/virtual-environment.ts";

const OPERATIONS_IN_FLIGHT = 50;

/** The built-in engine of the first of three nodes, under virtual time. */
function tunableHarness(time: VirtualTime, level: "quorum" | "all" | "strong"): EngineHarness {
  const clock = new VirtualEnvironment({ time });
  const ready = (engine: Engine): Promise<void> =>
    until(clock, () => engine.isReady(level), `the engine to be ready at ${level}`);
  return {
    clock,
    create: async () => {
      const nodes = await openTunableNodes({ time, operationsInFlight: OPERATIONS_IN_FLIGHT });
      const [node] = nodes as [TunableNode, TunableNode, TunableNode];
      await ready(node.engine);
      // The host closes the engines of its machines, and with them what they refuse from then on.
      const engine = withMembers(node.engine, { close: (options) => node.close(options) });
      return {
        engine,
        level,
        scanLevel: level === "strong" ? "quorum" : level,
        bound: OPERATIONS_IN_FLIGHT,
        ownDeadlineMs: DEFAULT_DEADLINES_MS[level],
        slackMs: 50,
        shardOf: shardIndexOfKey,
        cut: () => {
          node.isCut = true;
        },
        heal: async () => {
          node.isCut = false;
          await ready(engine);
        },
        dispose: async () => {
          for (const each of nodes) await each.close({ drain: false, timeoutMs: 0 });
        },
      };
    },
  };
}

const time = new VirtualTime();
bindSuite("tunable at quorum", engineConformance(tunableHarness(time, "quorum")), time);
bindSuite("tunable at all", engineConformance(tunableHarness(time, "all")), time);
bindSuite("tunable at strong", engineConformance(tunableHarness(time, "strong")), time);

bindSuite(
  "tunable",
  strategyConformance({
    strategy: tunableStrategy,
    refusedOptions: [
      { options: { read: "lease" }, names: "read" },
      { options: { write: 7 }, names: "write" },
      { options: { partitionPolicy: "prefer-nothing" }, names: "partitionPolicy" },
      { options: { deadlines: { one: "-1ms" } }, names: "deadlines" },
      { options: { deadlines: { lease: "1s" } }, names: "deadlines" },
    ],
  }),
);
