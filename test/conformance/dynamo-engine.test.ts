import { engineConformance } from "../../src/conformance/strategy-engine.ts";
import type { EngineHarness } from "../../src/conformance/strategy-engine-harness.ts";
import { strategyConformance } from "../../src/conformance/strategy-engine-settings.ts";
import { until } from "../../src/conformance/suite.ts";
import type { Engine } from "../../src/core/contracts/strategy.ts";
import { lww } from "../../src/resolvers/lww.ts";
import { dynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { DEFAULT_DEADLINES_MS } from "../../src/strategies/dynamo/settings.ts";
import { bindSuite } from "../support/bind-suite.ts";
import { withMembers } from "../support/broken-storage.ts";
import { openTunableNodes, shardIndexOfKey, type TunableNode } from "../support/tunable-nodes.ts";
import { VirtualEnvironment, VirtualTime } from "../support/virtual-environment.ts";

const OPERATIONS_IN_FLIGHT = 50;

/** The built-in engine of the first of three nodes, under virtual time. */
function dynamoHarness(time: VirtualTime, level: "quorum" | "all"): EngineHarness {
  const clock = new VirtualEnvironment({ time });
  const ready = (engine: Engine): Promise<void> =>
    until(clock, () => engine.isReady(level), `the engine to be ready at ${level}`);
  return {
    clock,
    create: async () => {
      const nodes = await openTunableNodes({
        time,
        operationsInFlight: OPERATIONS_IN_FLIGHT,
        strategy: dynamoStrategy,
        // The suite cuts a node off to see calls fail, and looks for one value of a key.
        options: { partitionPolicy: "prefer-consistency", resolver: lww() },
      });
      const [node] = nodes as [TunableNode, TunableNode, TunableNode];
      await ready(node.engine);
      // The host closes the engines of its machines, and with them what they refuse from then on.
      const engine = withMembers(node.engine, { close: (options) => node.close(options) });
      return {
        engine,
        level,
        scanLevel: level,
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
bindSuite("dynamo at quorum", engineConformance(dynamoHarness(time, "quorum")), time);
bindSuite("dynamo at all", engineConformance(dynamoHarness(time, "all")), time);

bindSuite(
  "dynamo",
  strategyConformance({
    strategy: dynamoStrategy,
    refusedOptions: [
      { options: { read: "lease" }, names: "read" },
      { options: { read: "strong" }, names: "read" },
      { options: { write: 0 }, names: "write" },
      { options: { partitionPolicy: "prefer-nothing" }, names: "partitionPolicy" },
      { options: { deadlines: { one: "-1ms" } }, names: "deadlines" },
      { options: { deadlines: { strong: "1s" } }, names: "deadlines" },
    ],
  }),
);
