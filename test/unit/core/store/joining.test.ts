import { describe, expect, it } from "vitest";
import type { LogLevel, Observer } from "../../../../src/core/contracts/observer.ts";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { createMemoryHub, openStore, type Store, type StoreEvent } from "../../../../src/index.ts";
import { runVirtually } from "../../../support/run-virtually.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

interface Opened {
  readonly store: Store;
  readonly events: StoreEvent[];
  readonly warnings: string[];
}

function setUp(nodes: readonly string[] = ["n1", "n2", "n3"]) {
  const time = new VirtualTime();
  const hub = createMemoryHub();
  const open = async (node: string, shards = 1, options: object = {}): Promise<Opened> => {
    const environment = new VirtualEnvironment({ time, seed: nodes.indexOf(node) + 1 });
    const warnings: string[] = [];
    const log = (level: LogLevel, message: string): void => {
      if (level === "warn") warnings.push(message);
    };
    const observer: Observer = { ...SILENT_OBSERVER, log };
    const configuration = {
      cluster: { name: "test", nodes },
      transport: { type: "memory", hub },
      keyspaces: { default: { strategy: "tunable", replicas: nodes.length, shards, ...options } },
    } as const;
    const opening = openStore(configuration, { node, environment, observer });
    const store: Store = await runVirtually(time, opening);
    const events: StoreEvent[] = [];
    store.events$.subscribe((event) => events.push(event));
    return { store, events, warnings };
  };
  return { time, open };
}

const remindersOf = ({ events }: Opened) => events.filter(({ type }) => type === "still-joining");

describe("a node that has not joined", () => {
  it("refuses calls with the peers that it has not met", async () => {
    const { time, open } = setUp();
    const { store } = await open("n1");
    await open("n3", 2);
    time.advance(1_000);
    await expect(store.keyspace("default").get("k")).rejects.toMatchObject({
      code: "NOT_READY",
      message: expect.stringMatching(
        /^node n1 has not joined its cluster: n2 is not connected, n3 is refused \(another configuration: \S+ differ; digest [0-9a-f]{8}, here [0-9a-f]{8}\); await store\.ready\(\)$/,
      ),
      details: {
        node: "n1",
        peers: ["n2", "n3"],
        causes: ["not-connected", "configuration-mismatch"],
      },
    });
    const waiting = store.ready({ timeoutMs: 2_000 });
    await expect(runVirtually(time, waiting)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("yet: default; n2 is not connected, n3 is refused"),
      details: { keyspaces: ["default"], peers: ["n2", "n3"] },
    });
  });

  it("joins with options of its own, but not with another age of tombstones", async () => {
    const { time, open } = setUp();
    const n1 = await open("n1", 1, { hedge: "off", repair: { interval: "1s", maxHints: 5 } });
    const n2 = await open("n2", 1, { digestAbove: "8KiB", repair: { hintMaxAge: "1h" } });
    const n3 = await open("n3", 1, { repair: { reapAfter: "2h" } });
    time.advance(1_000);
    const statusesOf = ({ store }: Opened) => store.describe().nodes.map(({ status }) => status);
    expect(statusesOf(n1)).toEqual(["active", "joining", "unknown"]);
    expect(statusesOf(n2)).toEqual(["joining", "active", "unknown"]);
    const waiting = n3.store.ready({ timeoutMs: 1_000 });
    await expect(runVirtually(time, waiting)).rejects.toThrow(/another configuration/);
  });

  it("is called so by those that it has met, and they by it", async () => {
    const { time, open } = setUp();
    const n1 = await open("n1");
    const n2 = await open("n2");
    time.advance(1_000);
    const statusesOf = ({ store }: Opened) => store.describe().nodes.map(({ status }) => status);
    expect(statusesOf(n1)).toEqual(["active", "joining", "unknown"]);
    expect(statusesOf(n2)).toEqual(["joining", "active", "unknown"]);
    const n3 = await open("n3");
    time.advance(1_000);
    for (const node of [n1, n2, n3]) expect(statusesOf(node)).toEqual(Array(3).fill("active"));
  });

  it("says after 5 s, and every 30 s, what it waits for, until it has it", async () => {
    const { time, open } = setUp();
    const n1 = await open("n1");
    const n2 = await open("n2");
    time.advance(4_000);
    expect(remindersOf(n1)).toEqual([]);
    time.advance(2_000);
    const reason = "n3 is not connected; a new cluster begins once all its nodes have met";
    expect(remindersOf(n1)).toEqual([
      {
        ...{ type: "still-joining", atMs: expect.any(Number), joiningMs: 5_000 },
        ...{ reason, peers: ["n3"], causes: ["not-connected"] },
      },
    ]);
    expect(n1.warnings).toEqual([`node n1 is still joining: ${reason}`]);
    time.advance(60_000);
    expect(remindersOf(n1).map(({ joiningMs }) => joiningMs)).toEqual([5_000, 35_000, 65_000]);
    const n3 = await open("n3");
    await runVirtually(time, Promise.all([n1, n2, n3].map(({ store }) => store.ready())));
    time.advance(120_000);
    expect(remindersOf(n1)).toHaveLength(3);
    expect(remindersOf(n3)).toEqual([]);
  });

  it("says nothing once it serves, though nobody asked whether it does", async () => {
    const { time, open } = setUp();
    const nodes = await Promise.all(["n1", "n2", "n3"].map((node) => open(node)));
    time.advance(60_000);
    expect(nodes.flatMap(remindersOf)).toEqual([]);
  });

  it("leaves no timer behind when it is closed", async () => {
    const { time, open } = setUp();
    const n1 = await open("n1");
    time.advance(6_000);
    await runVirtually(time, n1.store.close());
    expect(time.pendingTimers).toBe(0);
  });
});

it("a node that is alone has nothing to wait for: no timer keeps its process alive", async () => {
  const { time, open } = setUp(["n1"]);
  const n1 = await open("n1");
  const before = time.pendingTimers;
  time.advance(60_000);
  expect([before, remindersOf(n1)]).toEqual([0, []]);
});
