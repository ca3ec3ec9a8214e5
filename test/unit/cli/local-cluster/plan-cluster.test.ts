import { describe, expect, test } from "vitest";
import { pathOutsideJson } from "../../../../src/cli/local-cluster/path-outside-json.ts";
import {
  type ClusterWishes,
  planCluster,
  withNatsServer,
} from "../../../../src/cli/local-cluster/plan-cluster.ts";
import type { StoreConfigurationInput } from "../../../../src/core/model/configuration-types.ts";

const WISHES: ClusterWishes = {
  nodes: undefined,
  transport: undefined,
  storage: undefined,
  dataFolder: "/here/.capstan/data",
  httpPort: 8401,
  peerPort: 7401,
};
const plan = (wishes: Partial<ClusterWishes> = {}, given?: StoreConfigurationInput) =>
  planCluster({ ...WISHES, ...wishes }, given);

describe("the plan of a cluster on this machine", () => {
  test("without a word is three nodes over TCP, in memory, with one keyspace", () => {
    expect(plan()).toEqual({
      nodes: [
        { id: "n1", httpPort: 8401, peerPort: 7401 },
        { id: "n2", httpPort: 8402, peerPort: 7402 },
        { id: "n3", httpPort: 8403, peerPort: 7403 },
      ],
      configuration: {
        cluster: {
          name: "local",
          nodes: {
            n1: { peer: "127.0.0.1:7401", http: "127.0.0.1:8401" },
            n2: { peer: "127.0.0.1:7402", http: "127.0.0.1:8402" },
            n3: { peer: "127.0.0.1:7403", http: "127.0.0.1:8403" },
          },
        },
        transport: { type: "tcp" },
        storage: { type: "disk", path: "/here/.capstan/data" },
        keyspaces: {
          default: { replicas: 3, strategy: "tunable" },
          accounts: { replicas: 3, strategy: "raft" },
          carts: { replicas: 3, strategy: "dynamo", resolver: "or-set" },
          notes: { replicas: 3, strategy: "dynamo", resolver: "version-vector" },
          counters: { replicas: 3, strategy: "dynamo", resolver: "pn-counter" },
        },
      },
      notices: [],
      needsNatsServer: false,
    });
  });

  test("over NATS has nodes without addresses for their peers, and needs a server", () => {
    const planned = plan({ transport: "nats", peerPort: undefined, nodes: 2, httpPort: 7401 });
    expect(planned).toMatchObject({
      nodes: [
        { id: "n1", httpPort: 7401 },
        { id: "n2", httpPort: 7402 },
      ],
      needsNatsServer: true,
    });
    const { cluster, transport } = withNatsServer(planned, "nats://127.0.0.1:4999").configuration;
    expect(cluster?.nodes).toEqual({
      n1: { http: "127.0.0.1:7401" },
      n2: { http: "127.0.0.1:7402" },
    });
    expect(transport).toEqual({ type: "nats", servers: "nats://127.0.0.1:4999" });
  });

  test("over NATS needs no server where one is named, by an option or the configuration", () => {
    const wishes = { transport: "nats", peerPort: undefined };
    const natsUrl = "nats://10.0.0.9:4222";
    const given = { transport: { type: "nats", servers: "nats://a", user: "u", pass: "p" } };
    expect(plan({ ...wishes, natsUrl })).toMatchObject({
      configuration: { transport: { type: "nats", servers: natsUrl } },
      needsNatsServer: false,
    });
    expect(plan(wishes, given)).toMatchObject({
      configuration: given,
      needsNatsServer: false,
    });
    expect(plan({ ...wishes, natsUrl }, given).configuration.transport).toEqual({
      ...given.transport,
      servers: natsUrl,
    });
  });

  test.each([
    [1, 1],
    [3, 3],
    [5, 5],
    [7, 5],
  ])("of %i nodes gives keyspaces %i replicas unless they say", (nodes, replicas) => {
    const keyspaces = { a: {}, b: { replicas: 2 } };
    expect(plan({ nodes }, { keyspaces }).configuration.keyspaces).toEqual({
      a: { replicas },
      b: { replicas: 2 },
    });
  });

  test("keeps what the configuration says, but for the nodes", () => {
    const given = {
      cluster: { name: "orders", nodes: { a: "10.0.0.1:7300", b: "10.0.0.2:7300" } },
      transport: { type: "tcp", maxFrame: "8MiB" },
      detector: { suspectAfter: "2s" },
      keyspaces: { carts: { strategy: "tunable", replicas: 2 } },
    };
    const { configuration, nodes, notices } = plan({}, given);
    expect(configuration).toMatchObject({
      cluster: { name: "orders" },
      transport: { type: "tcp", maxFrame: "8MiB" },
      detector: { suspectAfter: "2s" },
      keyspaces: { carts: { replicas: 2 } },
    });
    expect(nodes.map(({ id }) => id)).toEqual(["n1", "n2"]);
    expect(notices).toEqual(["The 2 nodes of the configuration become n1 to n2 here."]);
  });

  test("takes back what it wrote, without a word", () => {
    const { configuration } = plan();
    const again = plan({}, configuration);
    expect(again.configuration).toEqual(configuration);
    expect(again.notices).toEqual([]);
  });

  test("without TLS over HTTP, whose certificates are of other hosts, and says so", () => {
    const tls = { certFile: "c", keyFile: "k" };
    const planned = plan({}, { http: { tls, allowedHosts: ["orders"] } });
    expect(planned.configuration.http).toEqual({ allowedHosts: ["orders"] });
    expect(planned.notices).toEqual([expect.stringContaining("http.tls of the configuration is")]);
    expect(plan({}, { http: { tls } }).configuration).not.toHaveProperty("http");
  });

  test("lets an option win over the configuration, whose fields belong to its own type", () => {
    const given = { storage: { type: "disk", path: "./data" } };
    expect(plan({ storage: "memory" }, given).configuration.storage).toEqual({ type: "memory" });
    expect(plan({ storage: "disk" }, given).configuration.storage).toEqual(given.storage);
    const pathless = { storage: { type: "disk", segmentBytes: "1MiB" } };
    expect(plan({}, pathless).configuration.storage).toEqual({
      ...pathless.storage,
      path: "/here/.capstan/data",
    });
  });

  test("leaves what is misspelt for the configuration's check to refuse", () => {
    const given = { cluster: { nmae: "a" }, keyspaces: { a: 5 } } as StoreConfigurationInput;
    expect(plan({}, given).configuration).toMatchObject({
      cluster: { nmae: "a" },
      keyspaces: { a: 5 },
    });
  });
});

describe("a plan that cannot work is refused", () => {
  test("with ports beyond the last one", () => {
    expect(() => plan({ nodes: 3, httpPort: 65_534 })).toThrow("beyond 65535");
  });

  test("with ports that overlap", () => {
    expect(() => plan({ httpPort: 7403 })).toThrow("too close for 3 nodes");
    expect(plan({ httpPort: 7404 }).nodes).toHaveLength(3);
  });

  test("with a transport that connects nothing between processes", () => {
    expect(() => plan({ transport: "memory" })).toThrow("--transport tcp");
    expect(plan({ transport: "memory", nodes: 1 }).nodes).toHaveLength(1);
  });

  test("with options of one transport for another", () => {
    expect(() => plan({ natsUrl: "nats://a" })).toThrow("--nats-url goes with --transport nats");
    expect(() => plan({ transport: "nats" })).toThrow("--peer-port has no meaning");
  });

  test("with what a JSON file cannot hold, by its path", () => {
    const schema = { "~standard": { validate: () => ({ value: 1 }) } };
    expect(() => plan({}, { keyspaces: { accounts: { schema } } })).toThrow(
      "keyspaces.accounts.schema.~standard.validate of the configuration",
    );
  });
});

describe("the path of what JSON cannot hold", () => {
  test.each([
    [{ a: [1, "x", null, { b: undefined }] }, undefined],
    [Object.assign(Object.create(null), { a: 1 }), undefined],
    [{ a: [0, () => 1] }, "a[1]"],
    [{ a: { b: new Date(0) } }, "a.b"],
    [{ a: Number.NaN }, "a"],
    [{ a: 1n }, "a"],
    [{ a: Symbol("s") }, "a"],
  ])("of %o is %s", (value, path) => {
    expect(pathOutsideJson(value)).toBe(path);
  });
});
