import { afterEach, describe, expect, test } from "vitest";
import type { TransportFactory } from "../../../../src/core/contracts/transport.ts";
import { capstanModule } from "../../../../src/core/store/modules.ts";
import { openStore } from "../../../../src/open-store.ts";
import { memoryTransport } from "../../../../src/transports/memory/memory-transport.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { runVirtually } from "../../../support/run-virtually.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const BEFORE = {
  cluster: { nodes: ["n1"] },
  keyspaces: { users: { strategy: "tunable", replicas: 1, shards: 4 } },
} as const;

const time = new VirtualTime();
let disk = new PersistentMemoryDisk();

afterEach(() => {
  disk = new PersistentMemoryDisk();
});

/** Reaches nobody. */
const alone: TransportFactory = (_options, context) => memoryTransport({}, context);

function opened(configuration: object): Promise<void> {
  return runVirtually(time, openAndClose(configuration));
}

async function openAndClose(configuration: object): Promise<void> {
  const given = { ...configuration, storage: { type: "kept" } } as Parameters<typeof openStore>[0];
  const store = await openStore(given, {
    node: "n1",
    environment: new VirtualEnvironment({ time }),
    modules: [capstanModule({ storages: { kept: disk.factory }, transports: { alone } })],
  });
  await store.close();
}

describe("a node with data", () => {
  test.each([
    [
      "more nodes",
      {
        ...BEFORE,
        cluster: { nodes: { n1: "127.0.0.1:1", n2: "127.0.0.1:2" } },
      },
      "cluster.nodes",
    ],
    [
      "another datacenter",
      { ...BEFORE, cluster: { nodes: { n1: { datacenter: "west" } } } },
      "cluster.nodes",
    ],
    [
      "another number of replicas",
      { ...BEFORE, keyspaces: { users: { ...BEFORE.keyspaces.users, replicas: 3 } } },
      "keyspaces.users.replicas",
    ],
    [
      "another number of shards",
      { ...BEFORE, keyspaces: { users: { ...BEFORE.keyspaces.users, shards: 8 } } },
      "keyspaces.users.shards",
    ],
    [
      "another grouping of keys",
      { ...BEFORE, keyspaces: { users: { ...BEFORE.keyspaces.users, groupBy: "tag" } } },
      "keyspaces.users.groupBy",
    ],
  ])("is not opened with %s, by name", async (_what, configuration, path) => {
    await opened(BEFORE);
    await expect(opened(configuration)).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining(path),
    });
    // Nothing was changed by the attempt.
    await opened(BEFORE);
  });

  test("is told that its folder may go where it has not joined its cluster, and else is not", async () => {
    const waiting = { ...BEFORE, cluster: { nodes: ["n1", "n2"] }, transport: { type: "alone" } };
    const { shards: _, ...other } = BEFORE.keyspaces.users;
    await opened(waiting);
    await expect(opened({ ...waiting, keyspaces: { users: other } })).rejects.toMatchObject({
      message: expect.stringContaining("its folder removed, as it has not joined its cluster yet"),
    });
    disk = new PersistentMemoryDisk();
    await opened(BEFORE);
    await expect(opened({ ...BEFORE, keyspaces: { users: other } })).rejects.toMatchObject({
      message: expect.not.stringContaining("its folder removed"),
    });
  });

  test.each([
    ["or-set", "pn-counter"],
    ["pn-counter", undefined],
    ["or-set", "lww"],
    [undefined, "or-set"],
  ])(
    "written under the resolver %s is not opened under %s, which reads other states",
    async (before, now) => {
      const under = (resolver: string | undefined) => ({
        ...BEFORE,
        keyspaces: {
          carts: { strategy: "dynamo", replicas: 1, shards: 2, ...(resolver && { resolver }) },
        },
      });
      await opened(under(before));
      const words = (name: string | undefined) =>
        name === "or-set" || name === "pn-counter" ? `"${name}"` : "none, or one that is no CRDT";
      await expect(opened(under(now))).rejects.toMatchObject({
        code: "INVALID_CONFIGURATION",
        message: expect.stringContaining(
          `keyspaces.carts.resolver is ${words(now)}, and the data of this node was written under ${words(before)}`,
        ),
      });
      await opened(under(before));
    },
  );

  test("is opened under another resolver of values", async () => {
    const under = (resolver: object) => ({
      ...BEFORE,
      keyspaces: { notes: { strategy: "dynamo", replicas: 1, shards: 2, ...resolver } },
    });
    await opened(under({ resolver: "lww" }));
    await opened(under({}));
    await opened(under({ resolver: "version-vector" }));
  });

  test("is opened with another keyspace, which is held to what it was from then on", async () => {
    await opened(BEFORE);
    const more = { strategy: "tunable", replicas: 1, shards: 2 };
    const both = { ...BEFORE, keyspaces: { ...BEFORE.keyspaces, orders: more } };
    await opened(both);
    await opened(BEFORE);
    const changed = { ...BEFORE, keyspaces: { orders: { ...more, shards: 3 } } };
    await expect(opened(changed)).rejects.toThrow("keyspaces.orders.shards");
  });
});
