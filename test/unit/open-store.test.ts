import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import type { LogHandlers, StorageFactory } from "../../src/core/contracts/storage.ts";
import type { TransportFactory } from "../../src/core/contracts/transport.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import type { Outcome } from "../../src/core/model/outcome.ts";
import {
  CapstanError,
  capstanModule,
  createMemoryHub,
  openStore,
  type Store,
  type StoreEvent,
} from "../../src/index.ts";
import { memoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { memoryTransport } from "../../src/transports/memory/memory-transport.ts";
import { runVirtually } from "../support/run-virtually.ts";
import { VirtualEnvironment } from "../support/virtual-environment.ts";
import { type FakeEngine, fakeStrategy } from "./core/store/fake-engine.ts";

/** Records what was opened and closed, and lets a test fail the log. */
class WatchedStorage {
  readonly happened: string[] = [];
  handlers: LogHandlers | undefined;

  readonly factory: StorageFactory = async (_options, context) => {
    const storage = await memoryStorage({}, context);
    this.happened.push("storage opened");
    const { log } = storage;
    const start = log.start.bind(log);
    log.start = (handlers) => {
      this.handlers = handlers;
      start(handlers);
    };
    return {
      ...storage,
      close: () => {
        this.happened.push("storage closed");
        return storage.close();
      },
    };
  };
}

async function faultOf(promise: Promise<unknown>): Promise<CapstanError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (!isCapstanError(error)) throw error;
  return error;
}

// By that it knows which of its connections are dead, though nothing says so.
it("hands its transport how often nodes speak", async () => {
  const told: unknown[] = [];
  const hub = createMemoryHub();
  const transport: TransportFactory = (_options, context) => {
    told.push(context.heartbeatMs);
    return memoryTransport({ hub }, context);
  };
  for (const detector of [{}, { heartbeatInterval: "100ms" }] as const) {
    await using _store = await openStore({ transport, detector });
  }
  expect(told).toEqual([250, 100]);
});

describe("a store of one node", () => {
  it("opens without arguments, and says that it is degraded", async () => {
    const store = await openStore();
    const events: StoreEvent[] = [];
    store.events$.subscribe((event) => events.push(event));
    await store.ready();
    const things = store.keyspace("default");
    const written = await things.put("a", { n: 1 });
    expect(await things.get("a")).toMatchObject({ value: { n: 1 }, version: written.version });
    expect(await things.get("b")).toMatchObject({ found: false });
    await things.delete("a");
    expect(await things.has("a")).toBe(false);
    expect(store.describe()).toMatchObject({ state: "ready", degraded: true, side: "majority" });
    await store.close();
    expect(events.map(({ type }) => type)).toContain("degraded");
    expect(events.at(-1)).toMatchObject({ type: "closed" });
  });

  it("serves every level that tunable has, and scans", async () => {
    await using store = await openStore({ keyspaces: { k: { shards: 4 } } });
    await store.ready({ level: "strong" });
    const keyspace = store.keyspace("k");
    for (const consistency of ["one", "quorum", "all", "strong", "eventual"] as const) {
      await keyspace.put(consistency, consistency, { consistency });
      const read = await keyspace.get(consistency, { consistency });
      expect(read).toMatchObject({ value: consistency, receipt: { asked: consistency } });
    }
    const keys: string[] = [];
    for await (const { key } of keyspace.scan()) keys.push(key);
    expect(keys).toEqual(["all", "eventual", "one", "quorum", "strong"]);
  });

  it("makes a retry with an operation id the very same write, and knows what became of it", async () => {
    await using store = await openStore();
    await store.ready();
    const operationId = store.operationId("default");
    const keyspace = store.keyspace("default");
    const first = await keyspace.put("k", 1, { operationId });
    const again = await keyspace.put("k", 1, { operationId });
    expect(again.version).toBe(first.version);
    const { outcome } = await store.resolve(operationId);
    expect(["applied", "unknown"]).toContain(outcome);
    expect(await faultOf(store.resolve("no id"))).toMatchObject({ code: "INVALID_OPERATION_ID" });
  });

  it("names the keyspaces that there are", async () => {
    await using store = await openStore({ keyspaces: { a: {}, b: {} } });
    const plain: Store = store;
    expect(() => plain.keyspace("c")).toThrow(/"c" is declared; there are: a, b/);
    expect(() => plain.operationId("c")).toThrow(
      expect.objectContaining({ code: "UNKNOWN_KEYSPACE" }),
    );
    expect(store.keyspaceNames).toEqual(["a", "b"]);
  });
});

describe("a store of three nodes", () => {
  const configuration = {
    cluster: { name: "three", nodes: ["a", "b", "c"] },
    keyspaces: { k: { strategy: "tunable", replicas: 3, shards: 4 } },
  } as const;

  async function openThree() {
    const transport = { type: "memory", hub: createMemoryHub() };
    const open = (node: string) => openStore({ ...configuration, transport }, { node });
    const stores = await Promise.all(["a", "b", "c"].map(open));
    await Promise.all(stores.map((store) => store.ready()));
    return stores as [Store, Store, Store] & typeof stores;
  }

  it("reads on one node what another wrote", async () => {
    const [a, b, c] = await openThree();
    const written = await a.keyspace("k").put("key", "value", { consistency: "all" });
    expect(written.receipt.replicas).toMatchObject({ total: 3, answered: 3 });
    expect(await b.keyspace("k").get("key", { consistency: "strong" })).toMatchObject({
      value: "value",
    });
    expect(await c.keyspace("k").get("key", { consistency: "one" })).toMatchObject({
      value: "value",
    });
    expect(a.describe()).toMatchObject({ degraded: false, side: "majority" });
    await Promise.all([a.close(), b.close(), c.close()]);
  });

  it("goes on at quorum without one of them, and says so at all", async () => {
    const [a, b, c] = await openThree();
    await c.close();
    await a.keyspace("k").put("key", 1);
    expect(await b.keyspace("k").get("key")).toMatchObject({ value: 1 });
    const fault = await faultOf(
      a.keyspace("k").put("key", 2, { consistency: "all", timeoutMs: 200 }),
    );
    expect(["UNAVAILABLE", "OUTCOME_UNKNOWN"]).toContain(fault.code);
    if (fault.outcome === "unknown") expect(fault.operationId).toBeDefined();
    await Promise.all([a.close(), b.close()]);
  });

  it("says of a peer that is not met why it is not", async () => {
    const transport = { type: "memory", hub: createMemoryHub() };
    const { cluster } = configuration;
    const a = await openStore({ ...configuration, transport }, { node: "a" });
    const other = { cluster, keyspaces: { k: { strategy: "tunable", shards: 8 } }, transport };
    const b = await openStore(other as never, { node: "b" });
    const isSaid = () =>
      expect(a.describe().nodes).toMatchObject([
        { node: "a", status: "active" },
        { node: "b", status: "unknown", refusal: "configuration-mismatch" },
        { node: "c", status: "unknown", refusal: undefined },
      ]);
    await vi.waitFor(isSaid, 10_000);
    await Promise.all([a.close(), b.close()]);
  });

  it("opens before its peers do, and is ready when enough of them are there", async () => {
    const transport = { type: "memory", hub: createMemoryHub() };
    const a = await openStore({ ...configuration, transport }, { node: "a" });
    expect(a.describe().state).toBe("joining");
    expect(await faultOf(a.ready({ timeoutMs: 30 }))).toMatchObject({ code: "UNAVAILABLE" });
    expect(await faultOf(a.keyspace("k").put("key", 1))).toMatchObject({ outcome: "not-applied" });
    const ready = a.ready();
    const b = await openStore({ ...configuration, transport }, { node: "b" });
    const c = await openStore({ ...configuration, transport }, { node: "c" });
    await ready;
    expect(a.describe().state).toBe("ready");
    await Promise.all([a.close(), b.close(), c.close()]);
  });
});

describe("what does not open", () => {
  it.each<[string, Parameters<typeof openStore>, RegExp]>([
    [
      "a transport",
      [{ transport: { type: "pigeon" } }],
      /transport\.type is "pigeon".*memory, nats, tcp/,
    ],
    ["a storage", [{ storage: { type: "stone" } }], /storage\.type is "stone".*memory/],
    [
      "a strategy",
      [{ keyspaces: { k: { strategy: "paxos" as never } } }],
      /keyspaces\.k\.strategy is "paxos".*tunable/,
    ],
    [
      "a resolver",
      [{ keyspaces: { k: { resolver: "or-sett" } } }],
      /keyspaces\.k\.resolver is "or-sett", which is no resolver .+ allowed: .*or-set, pn-counter/,
    ],
    [
      "a resolver where the strategy has no use for one, and",
      [{ keyspaces: { k: { resolver: "or-set" } } }],
      /keyspaces\.k\.resolver is set, but the strategy "tunable" settles conflicts by itself/,
    ],
    [
      "a resolver object that is none, and",
      [{ keyspaces: { k: { resolver: { name: "mine" } } } }],
      /keyspaces\.k\.resolver is an object that is no resolver; allowed: .+defineResolver/,
    ],
    [
      "a module of a resolver where none is loaded, and",
      [{ keyspaces: { k: { resolver: { module: "./mine.js" } } } }],
      /keyspaces\.k\.resolver names a module, .+ configuration file.+ allowed: .+defineResolver/,
    ],
    ["a node", [{}, { node: "zz" }], /options\.node is "zz".*local/],
    ["a level", [{ keyspaces: { k: { read: "lease" as never } } }], /keyspaces\.k\.read/],
    ["a schema", [{ keyspaces: { k: { schema: {} as never } } }], /keyspaces\.k\.schema/],
    ["a configuration", [5 as never], /configuration/],
    ["nothing at all", [null as never], /configuration/],
  ])("names %s that there is not, and what there is", async (_what, args, message) => {
    const fault = await faultOf(openStore(...args));
    expect(fault).toMatchObject({ code: "INVALID_CONFIGURATION", outcome: "not-applied" });
    expect(fault.message).toMatch(message);
  });

  it("asks which node it is, where there are several", async () => {
    const transport = { type: "memory", hub: createMemoryHub() };
    const fault = await faultOf(openStore({ cluster: { nodes: ["a", "b"] }, transport }));
    expect(fault.message).toMatch(/options\.node is missing.*a, b/);
  });

  it("refuses an option that there is not", async () => {
    const fault = await faultOf(openStore({}, { nodes: "a" } as never));
    expect(fault).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each<readonly [string, unknown]>([
    ["options", null],
    ["modules", { modules: [5] }],
    ["modules", { modules: {} }],
    ["observer", { observer: {} }],
    ["frameFilter", { frameFilter: 5 }],
    ["environment", { environment: {} }],
  ])("names the option `%s` that is not what it has to be", async (option, options) => {
    const fault = await faultOf(openStore({}, options as never));
    expect(fault).toMatchObject({ code: "INVALID_ARGUMENT", details: { option } });
  });

  it("refuses a configuration that nobody awaited, instead of taking it for an empty one", async () => {
    const fault = await faultOf(openStore(Promise.resolve({}) as never));
    expect(fault.code).toBe("INVALID_CONFIGURATION");
    expect(fault.message).toContain("an instance of a class; allowed: an object with cluster");
  });

  it("does not even open storage for a wrong name", async () => {
    const storage = new WatchedStorage();
    await faultOf(openStore({ storage: storage.factory, transport: { type: "pigeon" } }));
    expect(storage.happened).toEqual([]);
  });

  it("leaves nothing open when the transport cannot listen", async () => {
    const storage = new WatchedStorage();
    const transport: TransportFactory = (options, context) => {
      const made = memoryTransport(options, context);
      const close = made.close.bind(made);
      made.start = () => Promise.reject(new CapstanError("PORT_IN_USE", "taken"));
      made.close = (request) => {
        storage.happened.push("transport closed");
        return close(request);
      };
      return made;
    };
    const fault = await faultOf(openStore({ storage: storage.factory, transport }));
    expect(fault.code).toBe("PORT_IN_USE");
    expect(storage.happened).toEqual(["storage opened", "transport closed", "storage closed"]);
  });

  it("says that its storage failed when a disk's error keeps it from opening", async () => {
    const eio = Object.assign(new Error("EIO: i/o error, open"), { code: "EIO" });
    const fault = await faultOf(openStore({ storage: () => Promise.reject(eio) }));
    expect(fault).toMatchObject({ code: "STORE_FAILED", outcome: "not-applied", cause: eio });
    expect(fault.message).toBe("storage could not be opened: EIO: i/o error, open");
  });

  it("says so too, and closes it, when what the node keeps of itself cannot be read", async () => {
    const storage = new WatchedStorage();
    const factory: StorageFactory = async (options, context) => {
      const opened = await storage.factory(options, context);
      opened.log.start = () => {
        throw new Error("EIO: i/o error, read");
      };
      return opened;
    };
    const fault = await faultOf(openStore({ storage: factory }));
    expect(fault.code).toBe("STORE_FAILED");
    expect(storage.happened).toEqual(["storage opened", "storage closed"]);
  });

  it("leaves nothing open when a plug-in throws", async () => {
    const storage = new WatchedStorage();
    const transport: TransportFactory = () => {
      throw new Error("a bug of the plug-in");
    };
    const fault = await faultOf(openStore({ storage: storage.factory, transport }));
    expect(fault).toMatchObject({ code: "INTERNAL", outcome: "not-applied" });
    expect(storage.happened).toEqual(["storage opened", "storage closed"]);
  });

  it("ends with the caller's signal, before and while it opens", async () => {
    const before = faultOf(openStore({}, { signal: AbortSignal.abort() }));
    expect(await before).toMatchObject({ code: "ABORTED" });
    const storage = new WatchedStorage();
    const controller = new AbortController();
    const factory: StorageFactory = async (options, context) => {
      const opened = await storage.factory(options, context);
      controller.abort();
      return opened;
    };
    const fault = await faultOf(openStore({ storage: factory }, { signal: controller.signal }));
    expect(fault.code).toBe("ABORTED");
    expect(storage.happened).toEqual(["storage opened", "storage closed"]);
  });
});

describe("plug-ins", () => {
  it("are named like built-in ones once a module binds them", async () => {
    const storage = new WatchedStorage();
    const modules = [capstanModule({ storages: { watched: storage.factory } })];
    const store = await openStore({ storage: { type: "watched" } }, { modules });
    expect(storage.happened).toEqual(["storage opened"]);
    await store.close();
    expect(storage.happened).toEqual(["storage opened", "storage closed"]);
    // Another store knows nothing of it.
    const fault = await faultOf(openStore({ storage: { type: "watched" } }));
    expect(fault.allowed).toEqual(["disk", "memory"]);
  });

  it("take the place of built-in ones under their name", async () => {
    const storage = new WatchedStorage();
    const modules = [capstanModule({ storages: { memory: storage.factory } })];
    await using _store = await openStore({}, { modules });
    expect(storage.happened).toEqual(["storage opened"]);
  });

  it("can bring an engine of their own, by name and as an object", async () => {
    const engines: FakeEngine[] = [];
    const strategy = fakeStrategy(engines);
    const modules = [capstanModule({ strategies: { mine: strategy } })];
    const keyspaces = { named: { strategy: "mine" as string }, object: { strategy }, plain: {} };
    const store: Store = await openStore({ keyspaces }, { modules });
    await store.ready();
    for (const name of store.keyspaceNames) {
      await store.keyspace(name).put("k", name);
      expect(await store.keyspace(name).get("k")).toMatchObject({ value: name });
    }
    expect(engines.map(({ executed }) => executed.length)).toEqual([2, 2]);
    expect(await store.keyspace("named").put("k", 1, { ifVersion: "other" })).toMatchObject({
      ok: false,
    });
    const operationId = store.operationId("object");
    expect(await store.resolve(operationId)).toEqual({ outcome: "applied" });
    await store.close({ drain: false, timeoutMs: 100 });
    for (const { closed } of engines) expect(closed).toMatchObject({ drain: false });
  });
});

describe("a question for what became of a write", () => {
  async function openSilent() {
    const engines: FakeEngine[] = [];
    const environment = new VirtualEnvironment();
    const keyspaces = { k: { strategy: fakeStrategy(engines) } };
    const { time } = environment;
    const store: Store = await runVirtually(time, openStore({ keyspaces }, { environment }));
    const [engine] = engines as [FakeEngine];
    let answer: (outcome: Outcome) => void = () => undefined;
    engine.resolve = (_id, done) => {
      answer = done;
    };
    const operationId = store.operationId("k");
    return { store, time, operationId, answer: (outcome: Outcome) => answer(outcome) };
  }

  it("is answered with unknown when its time is up, but not while the event loop was held", async () => {
    const { store, time, operationId, answer } = await openSilent();
    const late = store.resolve(operationId, { timeoutMs: 50 });
    time.advance(50);
    expect(await late).toEqual({ outcome: "unknown" });
    const held = store.resolve(operationId, { timeoutMs: 50 });
    time.stall(1_000);
    time.runTurn();
    answer("applied");
    time.advance(1_000);
    expect(await held).toEqual({ outcome: "applied" });
    await runVirtually(time, store.close());
  });

  it("leaves neither timer nor listener behind when it is aborted", async () => {
    const { store, time, operationId } = await openSilent();
    const timers = time.pendingTimers;
    const controller = new AbortController();
    const warned = vi.spyOn(process, "emitWarning");
    const calls = Array.from({ length: 20 }, () =>
      faultOf(store.resolve(operationId, { timeoutMs: 50, signal: controller.signal })),
    );
    controller.abort();
    for (const fault of await Promise.all(calls)) expect(fault.code).toBe("ABORTED");
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
    expect(time.pendingTimers).toBe(timers);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    await runVirtually(time, store.close());
  });
});

describe("closing", () => {
  it("refuses everything from the first moment on, and is done once", async () => {
    const storage = new WatchedStorage();
    const store = await openStore({ storage: storage.factory });
    await store.ready();
    const keyspace = store.keyspace("default");
    const underWay = keyspace.put("k", 1);
    const closing = store.close();
    expect(store.describe().state).toBe("draining");
    for (const call of [keyspace.get("k"), keyspace.put("k", 2), store.ready()]) {
      expect(await faultOf(call)).toMatchObject({ code: "STORE_CLOSED", outcome: "not-applied" });
    }
    expect(() => store.operationId("default")).toThrow(
      expect.objectContaining({ code: "STORE_CLOSED" }),
    );
    await underWay;
    await Promise.all([closing, store.close(), store[Symbol.asyncDispose]()]);
    expect(store.describe().state).toBe("closed");
    expect(storage.happened).toEqual(["storage opened", "storage closed"]);
    expect(await faultOf(store.close({ drian: true } as never))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("ends every reader of events", async () => {
    const store = await openStore();
    const types: string[] = [];
    const reading = (async () => {
      for await (const { type } of store.events()) types.push(type);
    })();
    await store.ready();
    await store.close();
    await reading;
    expect(types).toEqual(expect.arrayContaining(["degraded", "ready", "closed"]));
  });
});

describe("a node that cannot go on", () => {
  it("stops, says why, and lets itself be closed", async () => {
    const storage = new WatchedStorage();
    const store = await openStore({ storage: storage.factory });
    await store.ready();
    const events: StoreEvent[] = [];
    store.events$.subscribe((event) => events.push(event));
    storage.handlers?.onFailed(new Error("the disk is gone"));
    expect(store.describe().state).toBe("failed");
    const fault = await faultOf(store.keyspace("default").put("k", 1));
    expect(fault).toMatchObject({ code: "STORE_FAILED", outcome: "not-applied" });
    expect(fault.message).toMatch(/disk is gone/);
    expect(await faultOf(store.ready())).toMatchObject({ code: "STORE_FAILED" });
    await store.close();
    expect(store.describe().state).toBe("closed");
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["failed", "closed"]));
    expect(storage.happened).toEqual(["storage opened", "storage closed"]);
  });
});
