import { engineConformance } from "../../src/conformance/strategy-engine.ts";
import type { EngineHarness } from "../../src/conformance/strategy-engine-harness.ts";
import { strategyConformance } from "../../src/conformance/strategy-engine-settings.ts";
import { until } from "../../src/conformance/suite.ts";
import type { Engine } from "../../src/core/contracts/strategy.ts";
import { raftStrategy } from "../../src/strategies/raft/raft-strategy.ts";
import { bindSuite } from "../support/bind-suite.ts";
import { withMembers } from "../support/broken-storage.ts";
import { openTunableNodes, shardIndexOfKey, type TunableNode } from "../support/tunable-nodes.ts";
import { VirtualEnvironment, VirtualTime } from "../support/virtual-environment.ts";

const OPERATIONS_IN_FLIGHT = 50;
const DEADLINE_MS = 600;

/** The built-in engine of the first of three nodes, under virtual time. */
function raftHarness(time: VirtualTime, level: "strong" | "follower"): EngineHarness {
  const clock = new VirtualEnvironment({ time });
  const ready = (engine: Engine): Promise<void> =>
    until(clock, () => engine.isReady(level), `the engine to be ready at ${level}`);
  return {
    clock,
    create: async () => {
      const nodes = await openTunableNodes({
        time,
        operationsInFlight: OPERATIONS_IN_FLIGHT,
        strategy: raftStrategy,
        options: { deadlines: { [level]: DEADLINE_MS }, electionTimeout: "200ms" },
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
        ownDeadlineMs: DEADLINE_MS,
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
bindSuite("raft at strong", engineConformance(raftHarness(time, "strong")), time);
bindSuite("raft at follower", engineConformance(raftHarness(time, "follower")), time);

bindSuite(
  "raft",
  strategyConformance({
    strategy: raftStrategy,
    refusedOptions: [
      { options: { read: "all" }, names: "read" },
      { options: { write: 2 }, names: "write" },
      { options: { partitionPolicy: "prefer-availability" }, names: "partitionPolicy" },
      { options: { deadlines: { strong: "-1ms" } }, names: "deadlines" },
      { options: { deadlines: { all: "1s" } }, names: "deadlines" },
      { options: { electionTimeout: "1ms" }, names: "electionTimeout" },
      { options: { sessionLifetime: 0 }, names: "sessionLifetime" },
    ],
  }),
);
