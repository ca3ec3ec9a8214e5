import { describe, expect, it } from "vitest";
import { checkConfiguration } from "../../../../src/cli/local-cluster/check-configuration.ts";
import type { StoreConfigurationInput } from "../../../../src/core/model/configuration-types.ts";
import { SystemEnvironment } from "../../../../src/core/store/system-environment.ts";

const CLUSTER = { name: "local", nodes: { n1: "127.0.0.1:7401" } };

function check(part: Partial<StoreConfigurationInput>): Promise<void> {
  const keyspaces = { default: { strategy: "tunable" } };
  return checkConfiguration({ cluster: CLUSTER, keyspaces, ...part }, new SystemEnvironment());
}

describe("what every node would refuse is refused before one is started", () => {
  it("takes a configuration that the nodes would take", async () => {
    const storage = { type: "disk", path: "./somewhere", commitInterval: "2s" };
    await expect(check({ transport: { type: "tcp" }, storage })).resolves.toBeUndefined();
  });

  it.each([
    [{ transport: { type: "tcp", portt: 1 } }, "transport.portt"],
    [{ transport: { type: "nats", serverss: "x" } }, "transport.serverss"],
    [{ storage: { type: "disk", segmentBytess: 1 } }, "storage.segmentBytess"],
    [{ storage: { type: "disk", commitInterval: "soon" } }, "storage.commitInterval"],
    [{ storage: { type: "memory", path: "./data" } }, "storage.path"],
    [{ keyspaces: { a: { strategy: "tunabel" } } }, "tunabel"],
  ])("refuses %j and names it", async (part, named) => {
    await expect(check(part)).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining(named),
    });
  });
});
