import { afterAll, beforeAll, describe, test } from "vitest";
import type { RunningNatsServer } from "../../src/cli/nats-server/running-nats-server.ts";
import { transportConformance } from "../../src/conformance/index.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import { natsTransport } from "../../src/transports/nats/nats-transport.ts";
import { natsProgram, startNats } from "../support/nats.ts";
import { contextOf } from "../unit/transports/testbeds.ts";

const program = await natsProgram();
const environment = new SystemEnvironment();

describe.skipIf(program === undefined)("over a real server", () => {
  let server: RunningNatsServer;
  let network = 0;

  beforeAll(async () => {
    server = await startNats(program);
  });

  afterAll(() => server?.stop());

  const suite = transportConformance({
    name: "nats",
    capabilities: { addressed: false, ordered: true, remote: true },
    interruptible: true,
    doublable: true,
    create: async () => {
      // All cases share the server: the names of their clusters keep them apart.
      network += 1;
      const prefix = `network-${network}`;
      return {
        environment,
        create: (node, cluster) =>
          natsTransport({ servers: server.url }, contextOf(node, `${prefix} ${cluster}`)),
        createBeside: (node, cluster) =>
          natsTransport({ servers: server.url }, contextOf(node, `${prefix} ${cluster}`)),
        addressOf: () => undefined,
        interrupt: async () => {
          await server.kill();
          await server.restart();
        },
        dispose: async () => undefined,
      };
    },
  });
  for (const each of suite.cases) test(each.name, each.run, 30_000);
});
