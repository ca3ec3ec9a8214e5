import { describe, expect, test } from "vitest";
import { resolveConfiguration } from "../../../../src/core/model/configuration.ts";
import { configurationDigest } from "../../../../src/core/model/configuration-digest.ts";
import { DEFAULTS } from "../../../../src/core/model/defaults.ts";
import { type CapstanError, isCapstanError } from "../../../../src/core/model/errors.ts";

const THREE = {
  a: "127.0.0.1:7001",
  b: { peer: "localhost:7002", http: "[::1]:8002", datacenter: "west" },
  c: { peer: "127.9.9.9:7003" },
};

describe("where nothing is said", () => {
  test.each([undefined, {}, { cluster: {} }, { keyspaces: undefined }])(
    "%j is one node in memory with one keyspace",
    (input) => {
      expect(resolveConfiguration(input)).toMatchObject({
        cluster: { name: "capstan", nodes: [{ id: "local", peer: undefined }] },
        transport: { type: "memory", options: {} },
        storage: { type: "memory", options: {} },
        keyspaces: [
          {
            name: "default",
            strategy: "tunable",
            replicas: 3,
            shards: 16,
            durability: "memory",
            groupBy: "whole",
            maxValueBytes: 1_048_576,
            strategyOptions: {},
          },
        ],
        clock: { maxSkewMs: 10_000 },
        detector: { heartbeatIntervalMs: 250, suspectAfterMs: 2_000 },
        limits: {
          operationsInFlight: 4_096,
          queuedBytes: 67_108_864,
          timeoutMs: 60_000,
          scanPage: 1_000,
        },
        insecure: false,
      });
    },
  );

  test("the table of defaults is frozen to its leaves", () => {
    expectFrozen(DEFAULTS);
  });

  test("nodes that all have addresses are connected by tcp", () => {
    expect(resolveConfiguration({ cluster: { nodes: THREE } }).transport.type).toBe("tcp");
  });

  test("a storage that persists is synced", () => {
    const { keyspaces, storage } = resolveConfiguration({ storage: { type: "disk", path: "./d" } });
    expect(keyspaces[0]?.durability).toBe("fsync");
    expect(storage.options).toEqual({ path: "./d" });
  });
});

describe("what is said", () => {
  test("of HTTP over TLS with certificates of clients makes up for insecure", () => {
    const tls = { certFile: "c", keyFile: "k", caFile: "a" };
    const cluster = { nodes: { a: { http: "0.0.0.0:80" } } };
    expect(() => resolveConfiguration({ cluster, http: { tls } })).not.toThrow();
  });

  test("is taken, in one order whatever the order it was written in", () => {
    const { cluster, keyspaces } = resolveConfiguration({
      cluster: { name: "orders", nodes: { c: THREE.c, a: THREE.a, b: THREE.b } },
      keyspaces: {
        z: { groupBy: { prefix: { separator: "/" } }, maxValue: "64KiB" },
        carts: { strategy: "dynamo", replicas: 5, shards: 1, read: 2, resolver: "or-set" },
      },
    });
    expect(cluster.nodes.map(({ id, datacenter }) => [id, datacenter])).toEqual([
      ["a", "default"],
      ["b", "west"],
      ["c", "default"],
    ]);
    expect(keyspaces).toMatchObject([
      { name: "carts", replicas: 5, shards: 1, resolver: "or-set", strategyOptions: { read: 2 } },
      { name: "z", maxValueBytes: 65_536, groupBy: { prefix: { separator: "/" } } },
    ]);
  });

  test("units are read, and names that only modules know are not judged", () => {
    const resolved = resolveConfiguration({
      transport: { type: "carrier-pigeon", loft: 3 },
      storage: { type: "stone" },
      keyspaces: { a: { strategy: "of-my-own", wishes: { three: true }, resolver: "mine" } },
      clock: { maxSkew: "2s" },
      detector: { heartbeatInterval: "100ms", suspectAfter: "1s" },
      limits: { queuedBytes: "8MiB", timeout: "5m", operationsInFlight: 1, scanPage: 1 },
    });
    expect(resolved.transport).toEqual({ type: "carrier-pigeon", options: { loft: 3 } });
    expect(resolved.keyspaces[0]?.strategyOptions).toEqual({ wishes: { three: true } });
    expect(resolved.clock.maxSkewMs).toBe(2_000);
    expect(resolved.detector).toEqual({ heartbeatIntervalMs: 100, suspectAfterMs: 1_000 });
    expect(resolved.limits).toEqual({
      operationsInFlight: 1,
      queuedBytes: 8_388_608,
      timeoutMs: 300_000,
      scanPage: 1,
    });
  });

  test("several nodes may share a hub, and need no addresses then", () => {
    const hub = new (class Hub {})();
    const { transport } = resolveConfiguration({
      cluster: { nodes: ["a", "b"] },
      transport: { type: "memory", hub },
    });
    expect(transport.options.hub).toBe(hub);
  });

  test("the partition policy may be written as HTTP writes it", () => {
    const { keyspaces } = resolveConfiguration({
      keyspaces: { a: { partitionPolicy: "prefer_availability" } },
    });
    expect(keyspaces[0]?.strategyOptions).toEqual({ partitionPolicy: "prefer-availability" });
  });

  test("more replicas than nodes are taken: the store says that it is degraded", () => {
    expect(resolveConfiguration({ keyspaces: { a: { replicas: 7 } } }).keyspaces).toMatchObject([
      { replicas: 7 },
    ]);
  });

  test("a host to listen on is taken where it is loopback, and any with insecure: true", () => {
    const nodes = { a: "127.0.0.1:7400" };
    for (const [host, insecure] of [
      ["127.0.0.2", false],
      ["::1", false],
      ["localhost", false],
      ["0.0.0.0", true],
    ] as const) {
      const transport = { type: "tcp", host };
      const resolved = resolveConfiguration({ cluster: { nodes }, transport, insecure });
      expect(resolved.transport.options).toEqual({ host });
    }
  });

  test("an address that others can reach is taken with insecure: true", () => {
    const nodes = { a: "10.0.0.1:7300", b: "db.example.org:7300", c: "[fd00::1]:7300" };
    const { cluster } = resolveConfiguration({ cluster: { nodes }, insecure: true });
    expect(cluster.nodes.map(({ peer }) => peer)).toEqual(Object.values(nodes));
  });

  test("an address of peers, and a host to listen on, are taken where they talk over TLS", () => {
    const nodes = { a: "10.0.0.1:7300", b: "db.example.org:7300" };
    const transport = { type: "tcp", host: "0.0.0.0", tls: { certFile: "a.pem" } };
    const { cluster, insecure } = resolveConfiguration({ cluster: { nodes }, transport });
    expect(cluster.nodes.map(({ peer }) => peer)).toEqual(Object.values(nodes));
    expect(insecure).toBe(false);
  });
});

describe("the result", () => {
  test("is frozen to its leaves, and what the user handed over is not", () => {
    const hub = { members: [] };
    const resolver = { name: "mine", resolve: () => undefined };
    const schema = { "~standard": {} };
    const deadlines = { one: "5ms" };
    const resolved = resolveConfiguration({
      cluster: { nodes: ["a", "b"] },
      transport: { type: "memory", hub },
      keyspaces: { a: { resolver, schema, deadlines, groupBy: { prefix: { separator: ":" } } } },
    });
    expectFrozen(resolved, new Set<unknown>([hub, resolver, schema]));
    for (const own of [hub, hub.members, resolver, schema, deadlines]) {
      expect(Object.isFrozen(own)).toBe(false);
    }
    const [keyspace] = resolved.keyspaces;
    expect([keyspace?.resolver, keyspace?.schema]).toEqual([resolver, schema]);
    expect(keyspace?.resolver).toBe(resolver);
    deadlines.one = "7ms";
    expect(keyspace?.strategyOptions).toEqual({ deadlines: { one: "5ms" } });
  });
});

describe("the digest", () => {
  const base = {
    cluster: { name: "c", nodes: THREE },
    keyspaces: { a: { read: "one", deadlines: { one: 5, two: 7 } }, b: { resolver: "lww" } },
  };
  const digestOf = (input: unknown) => resolveConfiguration(input).digest;

  test("is 16 hex digits, equal for whatever may differ between nodes", () => {
    expect(digestOf(base)).toMatch(/^[0-9a-f]{16}$/);
    const other = {
      insecure: true,
      cluster: { nodes: { c: "10.0.0.3:1", b: { peer: "10.0.0.2:1", datacenter: "west" }, a: {} } },
      transport: { type: "nats" },
      storage: { type: "memory", path: "elsewhere" },
      limits: { scanPage: 7 },
      keyspaces: { b: { resolver: "lww" }, a: { deadlines: { two: 7, one: 5 }, read: "one" } },
    };
    expect(digestOf({ ...other, cluster: { ...other.cluster, name: "c" } })).toBe(digestOf(base));
  });

  const keyspacesWith = (a: object) => ({ ...base, keyspaces: { ...base.keyspaces, a } });

  test.each<[string, unknown]>([
    ["the name", { ...base, cluster: { ...base.cluster, name: "d" } }],
    ["a node", { ...base, cluster: { name: "c", nodes: { ...THREE, d: "127.0.0.1:7004" } } }],
    ["a datacenter", { ...base, cluster: { name: "c", nodes: { ...THREE, b: "127.0.0.1:7002" } } }],
    ["a keyspace more", { ...base, keyspaces: { ...base.keyspaces, c: {} } }],
    ["the strategy", keyspacesWith({ ...base.keyspaces.a, strategy: "raft" })],
    ["replicas", keyspacesWith({ ...base.keyspaces.a, replicas: 1 })],
    ["shards", keyspacesWith({ ...base.keyspaces.a, shards: 17 })],
    ["groupBy", keyspacesWith({ ...base.keyspaces.a, groupBy: "tag" })],
    ["an option of the strategy", keyspacesWith({ ...base.keyspaces.a, read: "two" })],
    ["a nested one", keyspacesWith({ read: "one", deadlines: { one: 5, two: 8 } })],
    ["the resolver", { ...base, keyspaces: { ...base.keyspaces, b: { resolver: "merge" } } }],
    ["durability", { ...base, storage: { type: "disk" } }],
  ])("differs with %s", (_, other) => {
    expect(digestOf(other)).not.toBe(digestOf(base));
  });

  const digestWithout = (a: object, paths: readonly string[]) => {
    const { cluster, keyspaces } = resolveConfiguration(keyspacesWith(a));
    return configurationDigest(cluster, keyspaces, ({ name }) => (name === "a" ? paths : []));
  };
  const paths = ["hedge", "repair.interval"];

  test.each<[string, object]>([
    ["an option that is a node's own", { hedge: "off" }],
    ["one within another", { repair: { interval: "1s" } }],
    ["its absence", { repair: {} }],
  ])("is the same with %s", (_, options) => {
    expect(digestWithout(options, paths)).toBe(digestWithout({}, paths));
  });

  test("differs with what stands beside an option that is a node's own", () => {
    const repair = { interval: "1s", reapAfter: "1h" };
    expect(digestWithout({ repair }, paths)).not.toBe(digestWithout({}, paths));
    expect(digestWithout({ repair }, paths)).toBe(
      digestWithout({ repair: { ...repair, interval: "2s" } }, paths),
    );
    expect(digestWithout({ hedge: "off" }, [])).not.toBe(digestWithout({}, []));
  });
});

describe("refuses, naming path, value and what is allowed", () => {
  const keyspace = (fields: unknown) => ({ keyspaces: { carts: fields } });
  const nodes = (given: unknown, more: object = {}) => ({ cluster: { nodes: given }, ...more });
  const whole = "a whole number from";

  test.each<[unknown, string, string]>([
    [null, "", "the configuration is null; allowed: an object with cluster, transport"],
    [[], "", "the configuration is a list of 0"],
    ["x", "", 'the configuration is "x"'],
    [{ transprot: {} }, "transprot", "is no field here, perhaps transport is meant; allowed: clus"],
    [{ insecure: "yes" }, "insecure", 'is "yes"; allowed: true, false'],
    [{ cluster: 7 }, "cluster", "is 7; allowed: an object with name, nodes"],
    [{ cluster: { nmae: "x" } }, "cluster.nmae", "perhaps name is meant; allowed: name, nodes"],
    [{ cluster: { name: "a b" } }, "cluster.name", 'is "a b"; allowed: 1 to 64 of A-Z'],
    [{ cluster: { name: "" } }, "cluster.name", 'is ""; allowed: 1 to 64'],
    [nodes([]), "cluster.nodes", "is a list of 0; allowed: a list of node ids"],
    [nodes({}), "cluster.nodes", "is an empty object; allowed"],
    [nodes(new Map()), "cluster.nodes", "is an instance of a class; allowed"],
    [nodes(3), "cluster.nodes", "is 3; allowed: a list of node ids"],
    [nodes(["a", "a"]), "cluster.nodes.1", "is a again; allowed: each node id once"],
    [nodes(["a", 7]), "cluster.nodes.1", "is 7; allowed: a node id"],
    [nodes({ "a/b": {} }), "cluster.nodes", 'has a node named "a/b"; allowed: 1 to 64'],
    [nodes(["x".repeat(65)]), "cluster.nodes", "has a node named"],
    [nodes({ a: { pear: "x" } }), "cluster.nodes.a.pear", "perhaps peer is meant; allowed: peer"],
    [nodes({ a: 7 }), "cluster.nodes.a", 'is 7; allowed: text "host:port", or an object with'],
    [nodes({ a: { datacenter: "" } }), "cluster.nodes.a.datacenter", 'is ""; allowed: 1 to 64'],
    [nodes({ a: "127.0.0.1" }), "cluster.nodes.a.peer", 'is "127.0.0.1"; allowed: "host:port"'],
    [nodes({ a: "127.0.0.1:0" }), "cluster.nodes.a.peer", 'is "127.0.0.1:0"; allowed'],
    [nodes({ a: "localhost:65536" }), "cluster.nodes.a.peer", "with a port from 1 to 65535"],
    [nodes({ a: "::1:7000" }), "cluster.nodes.a.peer", "an IPv6 host in brackets"],
    [nodes({ a: "http://localhost:1" }), "cluster.nodes.a.peer", "allowed"],
    [
      nodes({ a: "localhost:1", b: "LOCALHOST:1" }),
      "cluster.nodes.b.peer",
      "is LOCALHOST:1, which cluster.nodes.a.peer has already; allowed: an address of its own",
    ],
    [
      nodes({ a: { peer: "localhost:1", http: "localhost:1" } }),
      "cluster.nodes.a.http",
      "which cluster.nodes.a.peer has already",
    ],
    [
      nodes({ a: "10.0.0.1:7300" }),
      "cluster.nodes.a.peer",
      "is 10.0.0.1:7300, which others can reach, and there is no TLS; allowed: a loopback address, transport.tls, insecure: true",
    ],
    [
      nodes(
        { a: { peer: "10.0.0.1:7300", http: "0.0.0.0:80" } },
        { transport: { type: "tcp", tls: {} } },
      ),
      "cluster.nodes.a.http",
      "which others can reach, and there is no TLS; allowed: a loopback address, http.tls with",
    ],
    [
      nodes({ a: { http: "0.0.0.0:80" } }, { http: { tls: { certFile: "c", keyFile: "k" } } }),
      "cluster.nodes.a.http",
      "which others can reach, and nobody is asked who they are; allowed: a loopback address",
    ],
    [{ http: true }, "http", "is no object; allowed: an object with tls, tokens, allowedHosts"],
    [{ http: { allowdHosts: [] } }, "http.allowdHosts", "perhaps allowedHosts is meant; allowed: "],
    [{ http: { tls: { certFile: "c" } } }, "http.tls.keyFile", "is missing; allowed: one of"],
    [{ http: { tls: {} } }, "http.tls", "is an empty object; allowed: an object such as"],
    [{ http: { allowedHosts: "a" } }, "http.allowedHosts", 'is "a"; allowed: a list of names'],
    [
      nodes({ a: "10.0.0.1:7300" }, { transport: { type: "nats", tls: {} } }),
      "cluster.nodes.a.peer",
      "which others can reach",
    ],
    [nodes({ a: "notlocalhost:80" }), "cluster.nodes.a.peer", "which others can reach"],
    [nodes({ a: "127.0.0.1.nip.io:80" }), "cluster.nodes.a.peer", "which others can reach"],
    [nodes(["a", "b"]), "transport", 'connects none of the 2 nodes; allowed: { type: "memory", h'],
    [
      nodes({ a: "127.0.0.1:1", b: {} }, { transport: { type: "tcp" } }),
      "cluster.nodes.b.peer",
      'is missing, and the transport tcp needs it; allowed: "host:port"',
    ],
    [
      nodes({ a: "127.0.0.1:1" }, { transport: { type: "tcp", host: "0.0.0.0" } }),
      "transport.host",
      "is 0.0.0.0, where others can reach this node, and there is no TLS; allowed: a loopback address, transport.tls, insecure: true",
    ],
    [{ transport: { typ: "tcp" } }, "transport.type", "is undefined; allowed: the name of what"],
    [{ transport: "tcp" }, "transport", 'is "tcp"; allowed: an object with type'],
    [{ storage: { type: "" } }, "storage.type", 'is ""; allowed'],
    [
      { keyspaces: {} },
      "keyspaces",
      "is an empty object; allowed: an object with 1 to 1000 keyspaces",
    ],
    [{ keyspaces: [] }, "keyspaces", "is a list of 0; allowed"],
    [{ keyspaces: { Carts: {} } }, "keyspaces", 'has a keyspace named "Carts"; allowed: 1 to 63'],
    [{ keyspaces: { "": {} } }, "keyspaces", 'has a keyspace named ""; allowed'],
    [JSON.parse('{"keyspaces":{"__proto__":{}}}'), "keyspaces", 'named "__proto__"; allowed'],
    [keyspace("tunable"), "keyspaces.carts", 'is "tunable"; allowed: an object with strategy'],
    [keyspace({ replicas: 0 }), "keyspaces.carts.replicas", `is 0; allowed: ${whole} 1 to 7`],
    [keyspace({ replicas: 8 }), "keyspaces.carts.replicas", `is 8; allowed: ${whole} 1 to 7`],
    [keyspace({ replicas: 2.5 }), "keyspaces.carts.replicas", `is 2.5; allowed: ${whole}`],
    [keyspace({ replicas: "3" }), "keyspaces.carts.replicas", `is "3"; allowed: ${whole}`],
    [keyspace({ replicas: Number.NaN }), "keyspaces.carts.replicas", `is NaN; allowed: ${whole}`],
    [keyspace({ shards: 0 }), "keyspaces.carts.shards", `is 0; allowed: ${whole} 1 to 65535`],
    [keyspace({ shards: 65_536 }), "keyspaces.carts.shards", "is 65536; allowed"],
    [
      keyspace({ replica: 3 }),
      "keyspaces.carts.replica",
      "perhaps replicas is meant; allowed: str",
    ],
    [keyspace({ max_value: 1 }), "keyspaces.carts.max_value", "perhaps maxValue is meant"],
    [keyspace({ durability: "disk" }), "keyspaces.carts.durability", 'is "disk"; allowed: memory'],
    [
      keyspace({ durability: "fsync" }),
      "keyspaces.carts.durability",
      'is fsync, which storage.type "memory" cannot keep; allowed: memory',
    ],
    [keyspace({ maxValue: "5MiB" }), "keyspaces.carts.maxValue", "a size from 1B to 4MiB"],
    [keyspace({ groupBy: "tags" }), "keyspaces.carts.groupBy", 'is "tags"; allowed: whole, tag, {'],
    [
      keyspace({ groupBy: { prefix: { separator: "/", seperators: 1 } } }),
      "keyspaces.carts.groupBy.prefix.seperators",
      "perhaps separator is meant",
    ],
    [
      keyspace({ groupBy: { prefix: { separator: "" } } }),
      "keyspaces.carts.groupBy.prefix.separator",
      'is ""; allowed: text of 1 to 16 characters',
    ],
    [keyspace({ schema: "string" }), "keyspaces.carts.schema", "allowed: a Standard Schema"],
    [
      keyspace({ resolver: 7 }),
      "keyspaces.carts.resolver",
      "is 7; allowed: the name of a resolver",
    ],
    [
      { keyspaces: { kyas: {}, k2d1z: {} } },
      "keyspaces.kyas",
      "has the same hash (96457793) as k2d1z, and would share its shards; allowed: another name",
    ],
    [{ clock: { maxSkew: "1h" } }, "clock.maxSkew", 'is "1h"; allowed: a duration from 1ms to 10m'],
    [{ clock: { maxskew: 1 } }, "clock.maxskew", "perhaps maxSkew is meant"],
    [{ detector: { heartbeatInterval: 1 } }, "detector.heartbeatInterval", "from 10ms to 1m"],
    [
      { detector: { heartbeatInterval: "1s", suspectAfter: "1500ms" } },
      "detector.suspectAfter",
      'is "1500ms"; allowed: at least 2 × detector.heartbeatInterval, which is 2000ms',
    ],
    [
      { detector: { heartbeatInterval: "5s" } },
      "detector.suspectAfter",
      "is 2000; allowed: at lea",
    ],
    [{ limits: { scanPage: 1_001 } }, "limits.scanPage", `is 1001; allowed: ${whole} 1 to 1000`],
    [{ limits: { timeout: "2" } }, "limits.timeout", 'is "2"; allowed: a duration from 1ms to 1h'],
    [
      { limits: { queuedBytes: "128KiB" } },
      "limits.queuedBytes",
      'is "128KiB"; allowed: at least the largest keyspaces.*.maxValue, which is 1048576 bytes',
    ],
  ])("%#: %j", (input, path, message) => {
    const error = refusalOf(input);
    expect(error.code).toBe("INVALID_CONFIGURATION");
    const problems = error.details?.problems as readonly { readonly path: string }[];
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(error.message).toContain(path === "" ? "the configuration is" : `${path} `);
    expect(error.message).toContain(message);
  });

  test("all problems at once", () => {
    const error = refusalOf({
      cluster: { name: "?" },
      keyspaces: { a: { replicas: 9, shards: 0, maxValue: "big" }, b: { durabilty: "os" } },
      limits: { scanPage: 0, timeout: "soon" },
    });
    const problems = error.details?.problems as readonly { readonly path: string }[];
    expect(problems.map(({ path }) => path).sort()).toEqual([
      "cluster.name",
      "keyspaces.a.maxValue",
      "keyspaces.a.replicas",
      "keyspaces.a.shards",
      "keyspaces.b.durabilty",
      "limits.scanPage",
      "limits.timeout",
    ]);
    expect(error.message).toContain("the configuration has 7 problems:\n- cluster.name is");
  });

  test("without choking on values that refer to themselves, or throw when shown", () => {
    const cycle: Record<string, unknown> = { toJSON: () => expect.fail("it was shown") };
    cycle.self = cycle;
    expect(refusalOf({ clock: { maxSkew: cycle } }).message).toContain("is an object; allowed");
    const { keyspaces } = resolveConfiguration({ keyspaces: { a: { strategy: "s", cycle } } });
    expect(keyspaces[0]?.strategyOptions).toHaveProperty("cycle");
  });
});

describe("the cluster's key", () => {
  const hex = "0123456789abcdef".repeat(4);
  const bytes = Buffer.from(hex, "hex");
  const digestWith = (key: unknown) => resolveConfiguration({ cluster: { key } }).digest;

  test.each([
    ["hex digits", hex],
    ["base64", bytes.toString("base64")],
    ["base64url", bytes.toString("base64url")],
    ["bytes", new Uint8Array(bytes)],
  ])("is 32 bytes, given as %s", (_name, key) => {
    const { cluster } = resolveConfiguration({ cluster: { key } });
    expect(Buffer.from(cluster.key as Uint8Array)).toEqual(bytes);
  });

  test("may be left out", () => {
    expect(resolveConfiguration({}).cluster.key).toBeUndefined();
  });

  test.each(["", "secret", hex.slice(1), `${hex}0`, new Uint8Array(31), 32, null, {}])(
    "%j is refused, and not repeated",
    (key) => {
      const { message, allowed, details } = refusalOf({ cluster: { key } });
      expect(message).toContain("cluster.key");
      expect(allowed?.[0]).toContain("32 bytes");
      if (key === "secret") expect(message + JSON.stringify(details)).not.toContain(key);
    },
  );

  test("has to be equal on all nodes, and the digest does not tell it", () => {
    expect(digestWith(hex)).toBe(digestWith(bytes));
    expect(digestWith(hex)).not.toBe(digestWith(hex.replace("0", "1")));
    expect(digestWith(hex)).not.toBe(digestWith(undefined));
  });
});

function refusalOf(input: unknown): CapstanError {
  try {
    resolveConfiguration(input);
  } catch (error) {
    if (isCapstanError(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

function expectFrozen(value: unknown, except: ReadonlySet<unknown> = new Set()): void {
  if (typeof value !== "object" || value === null || except.has(value)) return;
  expect(Object.isFrozen(value)).toBe(true);
  for (const member of Object.values(value)) expectFrozen(member, except);
}
