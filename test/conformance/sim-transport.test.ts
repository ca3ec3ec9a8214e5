import { vi } from "vitest";
import {
  type TransportConformanceOptions,
  transportConformance,
} from "../../src/conformance/index.ts";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type { Transport } from "../../src/core/contracts/transport.ts";
import type { NodeId } from "../../src/core/model/ids.ts";
import {
  type ConnectionMode,
  MachineClock,
  SimEnvironment,
  SimNetwork,
  VirtualTime,
} from "../../src/simulation/index.ts";
import { SeededRandom } from "../../src/simulation/seeded-random.ts";
import { Trace } from "../../src/simulation/trace.ts";
import { bindSuite } from "../support/bind-suite.ts";

// Megabytes go through it in small steps: a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 });

const NODES = ["node-a", "node-b", "node-c"];

/** A network of its own for each case, all of them under one time. */
function optionsOf(mode: ConnectionMode, time: VirtualTime): TransportConformanceOptions {
  const trace = new Trace();
  const environmentOf = (number: number): SimEnvironment =>
    new SimEnvironment({ time, clock: new MachineClock(time), trace, seed: number, number });
  return {
    name: `simulated, ${mode}`,
    capabilities: { addressed: false, ordered: false, remote: false },
    interruptible: true,
    doublable: true,
    create: async () => {
      const random = new SeededRandom(1, "network");
      const network = new SimNetwork({
        ...{ time, random, trace, mode, nodes: NODES },
        maxHeldBytes: 8 * 1024 * 1024,
      });
      const create = (self: NodeId, cluster: string): Transport => {
        const environment = environmentOf(NODES.indexOf(self));
        const context = { self, cluster, address: undefined, environment };
        const made = network.transportFor(environment)(
          {},
          { ...context, observer: SILENT_OBSERVER },
        );
        return made as Transport;
      };
      return {
        environment: environmentOf(NODES.length),
        create,
        createBeside: create,
        addressOf: () => undefined,
        interrupt: async () => {
          for (const node of NODES) network.takeOffline(node);
          for (const node of NODES) network.bringOnline(node);
        },
        dispose: async () => undefined,
      };
    },
  };
}

for (const mode of ["pairs", "server"] as const) {
  const time = new VirtualTime();
  bindSuite("virtual time", transportConformance(optionsOf(mode, time)), time);
}
