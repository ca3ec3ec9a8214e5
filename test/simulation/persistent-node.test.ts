import { describe, expect, test } from "vitest";
import { createMemoryHub } from "../../src/built-ins.ts";
import { NODE_SHARD } from "../../src/core/contracts/storage.ts";
import type { TransportFactory } from "../../src/core/contracts/transport.ts";
import { CapstanError } from "../../src/core/model/errors.ts";
import { keyspaceHash } from "../../src/core/model/hash.ts";
import { shardIdOf } from "../../src/core/model/ids.ts";
import type { Level } from "../../src/core/model/levels.ts";
import { wallMsOf } from "../../src/core/model/stamp.ts";
import { stampOfVersionToken } from "../../src/core/model/version-token.ts";
import { memoryTransport } from "../../src/transports/memory/memory-transport.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open, waitUntilServing } from "../support/cluster-calls.ts";
import type { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";

const SHARD = shardIdOf(keyspaceHash("default"), 0);

function diskOf(cluster: Cluster, id: string): PersistentMemoryDisk {
  return cluster.disks.get(id) as PersistentMemoryDisk;
}

function eventsOf(cluster: Cluster, id: string, type: string) {
  return cluster.node(id).events.filter((event) => event.type === type);
}

function put(cluster: Cluster, id: string, key: string, value: unknown, level: Level = "quorum") {
  return cluster.until(cluster.keyspace(id).put(key, value, { consistency: level }));
}

async function valueAt(cluster: Cluster, id: string, key: string, consistency: Level = "one") {
  const read = await cluster.until(cluster.keyspace(id).get(key, { consistency }));
  return read.found && !read.conflict ? read.value : undefined;
}

/** And until what happened at opening was told. */
async function restart(cluster: Cluster, id: string): Promise<void> {
  await cluster.restart(id);
  await cluster.advance(1);
}

function key(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

function isSwitch({ type }: { readonly type: string }): boolean {
  return type === "switch-generation";
}

describe("the clock of a node that keeps its data", () => {
  test("begins above every stamp that left it, though the wall clock was set back meanwhile", async () => {
    const cluster = await open({ nodes: 1, persistent: true });
    const { version } = await put(cluster, "n1", "key", 1);
    cluster.kill("n1");
    cluster.wallOffsetMs.set("n1", -5_000);
    await restart(cluster, "n1");
    const again = await put(cluster, "n1", "other", 2);
    const before = stampOfVersionToken(version)?.time as number;
    expect(stampOfVersionToken(again.version)?.time).toBeGreaterThan(before);
  });

  test.each(["crashes", "is closed"])(
    "is not ahead of it by more for each start that ends soon, where it %s",
    async (how) => {
      const cluster = await open({ persistent: true });
      let last = 0;
      for (let start = 0; start < 8; start += 1) {
        const { version } = await put(cluster, "n1", `key ${start}`, start);
        const { time } = stampOfVersionToken(version) ?? { time: 0 };
        expect(time).toBeGreaterThan(last);
        last = time;
        if (how === "crashes") cluster.kill("n1");
        else await cluster.stop("n1");
        await restart(cluster, "n1");
        await cluster.waitUntilReachable("n1", ["n2", "n3"]);
      }
      const aheadMs = wallMsOf(last) - cluster.node("n1").environment.wallMs();
      // A crash leaves a reserve of two seconds; eight of them used to make it sixteen.
      expect(aheadMs).toBeLessThan(how === "crashes" ? 2_200 : 10);
    },
  );

  test("no frame that carries a stamp leaves before the mark that covers it is durable", async () => {
    const cluster = await open({ persistent: true });
    // Long enough for the mark of the last write to be behind the clock again.
    await cluster.advance(5_000);
    const disk = diskOf(cluster, "n1");
    const before = disk.log.synced;
    let frames = 0;
    cluster.network.onFrame = ({ from, lane }) => {
      if (from !== "n1" || lane !== "log") return;
      frames++;
      expect(disk.log.synced).toBeGreaterThan(before);
    };
    await put(cluster, "n1", "key", 1);
    expect(frames).toBe(2);
  });

  test("and under a steady load its frames leave at once", async () => {
    const cluster = await open({ persistent: true });
    const disk = diskOf(cluster, "n1");
    await put(cluster, "n1", "key", 0);
    let late = 0;
    for (let n = 0; n < 40; n++) {
      await cluster.advance(100);
      const synced = disk.log.synced;
      cluster.network.onFrame = ({ from, lane }) => {
        if (from === "n1" && lane === "log" && disk.log.synced > synced) late++;
      };
      await put(cluster, "n1", "key", n);
    }
    expect(late).toBe(0);
  });
});

describe("a cluster id", () => {
  test("is told to nobody before it is durable, and found again after a power cut of all", async () => {
    const cluster = await open({ persistent: true });
    const { clusterId } = cluster.node("n1").store.describe();
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await restart(cluster, id);
    await cluster.ready();
    for (const id of cluster.ids) {
      expect(cluster.node(id).store.describe().clusterId).toBe(clusterId);
      expect(eventsOf(cluster, id, "rebuild-started")).toEqual([]);
    }
  });
});

describe("a cluster that is killed as soon as it is born", () => {
  // The marks that say that a shard is whole were in the state, which is written seconds later.
  test.each(["kill", "power cut"] as const)("serves at once when it is back (%s)", async (how) => {
    const cluster = await open({ persistent: true });
    await put(cluster, "n1", "key", 1, "all");
    for (const id of cluster.ids) {
      const disk = diskOf(cluster, id);
      disk.state.synced = 0;
      cluster.kill(id, { killed: how === "kill" });
    }
    for (const id of cluster.ids) await restart(cluster, id);
    await cluster.ready();
    for (const id of cluster.ids) {
      expect(cluster.keyspace(id).describe().serving).toBe(1);
      expect(eventsOf(cluster, id, "rebuild-started")).toEqual([]);
      expect(eventsOf(cluster, id, "writes-may-be-lost")).toEqual([]);
      expect(await valueAt(cluster, id, "key", "quorum")).toBe(1);
    }
  });
});

describe("a keyspace of a weaker durability than what the stop has kept", () => {
  const OS = { keyspaces: { default: { durability: "os" } }, persistent: true };

  test("is rebuilt from the peers before it counts; what is there stays", async () => {
    const cluster = await open(OS);
    await put(cluster, "n3", "kept", 1, "all");
    await cluster.advance(500);
    // Acknowledged by n3's memory of the system alone, and lost in the power cut.
    await put(cluster, "n3", "lost", 2, "all");
    cluster.kill("n3");
    await restart(cluster, "n3");
    const [incomplete] = eventsOf(cluster, "n3", "shards-incomplete");
    expect(incomplete).toMatchObject({ keyspace: "default", shards: [0] });
    expect(incomplete?.reason).toContain('"os"');
    expect(await valueAt(cluster, "n3", "kept")).toBe(1);
    expect(cluster.keyspace("n3").describe().serving).toBe(0);
    await waitUntilServing(cluster, "n3");
    expect(await valueAt(cluster, "n3", "lost")).toBe(2);
    // Once whole it starts whole.
    await cluster.advance(500);
    await cluster.stop("n3");
    await restart(cluster, "n3");
    expect(eventsOf(cluster, "n3", "shards-incomplete")).toEqual([]);
    expect(eventsOf(cluster, "n3", "rebuild-started")).toEqual([]);
  });

  test("starts whole where the process alone was killed", async () => {
    const cluster = await open(OS);
    await put(cluster, "n3", "key", 1, "all");
    cluster.kill("n3", { killed: true });
    await restart(cluster, "n3");
    expect(eventsOf(cluster, "n3", "rebuild-started")).toEqual([]);
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
  });

  test("but not where that came in the middle of what a power cut had left to do", async () => {
    const cluster = await open(OS);
    await put(cluster, "n3", "key", 1, "all");
    cluster.kill("n3");
    await restart(cluster, "n3");
    expect(cluster.keyspace("n3").describe().serving).toBe(0);
    cluster.kill("n3", { killed: true });
    await restart(cluster, "n3");
    expect(cluster.keyspace("n3").describe().serving).toBe(0);
    await waitUntilServing(cluster, "n3");
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
  });

  test("with durability memory, also where the process alone was killed", async () => {
    const memory = { keyspaces: { default: { durability: "memory" } }, persistent: true };
    const cluster = await open(memory);
    await put(cluster, "n3", "key", 1, "all");
    cluster.kill("n3", { killed: true });
    await restart(cluster, "n3");
    expect(cluster.keyspace("n3").describe().serving).toBe(0);
    await waitUntilServing(cluster, "n3");
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
  });

  test("does not wait for ever when the power of all was cut; each says what that may have cost", async () => {
    const cluster = await open(OS);
    await put(cluster, "n1", "kept", 1, "all");
    await cluster.advance(500);
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await restart(cluster, id);
    for (const id of cluster.ids) await waitUntilServing(cluster, id);
    await cluster.ready();
    const lossy = cluster.ids.filter(
      (id) => eventsOf(cluster, id, "writes-may-be-lost").length > 0,
    );
    expect(lossy.length).toBeGreaterThan(0);
    expect(await valueAt(cluster, "n2", "kept")).toBe(1);
  });

  test("on a single node goes on with what there is, and says what may be lost", async () => {
    const cluster = await open({ ...OS, nodes: 1 });
    await put(cluster, "n1", "kept", 1);
    await cluster.advance(500);
    cluster.kill("n1");
    await restart(cluster, "n1");
    await cluster.ready();
    expect(eventsOf(cluster, "n1", "writes-may-be-lost")).toHaveLength(1);
    expect(await valueAt(cluster, "n1", "kept")).toBe(1);
  });

  test("a start that does not come to its end in between changes nothing of what is whole", async () => {
    let isTaken = false;
    const hub = createMemoryHub();
    const transport: TransportFactory = (_options, context) => {
      const made = memoryTransport({ hub }, context);
      const taken = new CapstanError("PORT_IN_USE", "somebody listens there");
      if (isTaken) made.start = () => Promise.reject(taken);
      return made;
    };
    const cluster = await open({ ...OS, nodes: 1, configuration: { transport } });
    await put(cluster, "n1", "key", 1);
    await cluster.stop("n1");
    isTaken = true;
    const fault = await cluster.restart("n1").catch((error: CapstanError) => error.code);
    expect(fault).toBe("PORT_IN_USE");
    isTaken = false;
    await restart(cluster, "n1");
    expect(eventsOf(cluster, "n1", "shards-incomplete")).toEqual([]);
    expect(eventsOf(cluster, "n1", "writes-may-be-lost")).toEqual([]);
  });

  test("a keyspace with durability fsync beside it is whole at once", async () => {
    const keyspaces = { default: { durability: "os" }, safe: { durability: "fsync" } };
    const cluster = await open({ persistent: true, keyspaces });
    await cluster.until(cluster.keyspace("n3", "safe").put("key", 1, { consistency: "all" }));
    cluster.kill("n3");
    await restart(cluster, "n3");
    expect(cluster.keyspace("n3", "safe").describe().serving).toBe(1);
    expect(cluster.keyspace("n3").describe().serving).toBe(0);
  });
});

describe("damage of one shard", () => {
  const TWO = { persistent: true, keyspaces: { default: {}, other: {} } };

  async function openWithData(
    keyspaces: ClusterOptions["keyspaces"] = TWO.keyspaces,
  ): Promise<Cluster> {
    const cluster = await open({ ...TWO, keyspaces });
    await put(cluster, "n1", "key", 1, "all");
    await cluster.until(cluster.keyspace("n1", "other").put("key", 2, { consistency: "all" }));
    await cluster.advance(50);
    return cluster;
  }

  test("of its log fences that shard alone at the next start, and it is rebuilt from its peers", async () => {
    const cluster = await openWithData();
    cluster.kill("n3");
    diskOf(cluster, "n3").damageLog(SHARD);
    await restart(cluster, "n3");
    expect(eventsOf(cluster, "n3", "shard-damaged")).toMatchObject([
      { keyspace: "default", shard: 0, reason: expect.stringContaining("log") },
    ]);
    expect(cluster.keyspace("n3").describe().serving).toBe(0);
    expect(cluster.keyspace("n3", "other").describe().serving).toBe(1);
    await waitUntilServing(cluster, "n3");
    expect(eventsOf(cluster, "n3", "writes-may-be-lost")).toEqual([]);
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
    await put(cluster, "n3", "after", 3, "all");
    // The fence is gone with the damage.
    cluster.kill("n3");
    await restart(cluster, "n3");
    expect(eventsOf(cluster, "n3", "shard-damaged")).toEqual([]);
    expect(cluster.keyspace("n3").describe().serving).toBe(1);
    expect(await valueAt(cluster, "n3", "after")).toBe(3);
  });

  test.each(["a read of its own", "a peer's read", "a write"])(
    "of its state, met by %s, fences it, and the caller gets what the others have",
    async (how) => {
      // A read that asks all of them at once meets the damaged one, too.
      const cluster = await openWithData({ default: { hedge: "always" }, other: {} });
      diskOf(cluster, "n3").damageEntry(SHARD, "data", key("key"));
      if (how === "a read of its own") expect(await valueAt(cluster, "n3", "key")).toBe(1);
      else if (how === "a write") await put(cluster, "n1", "key", 1);
      else {
        const read = cluster.keyspace("n1").get("key", { consistency: "quorum" });
        expect(await cluster.until(read)).toMatchObject({ value: 1 });
      }
      await cluster.waitFor(() => eventsOf(cluster, "n3", "shard-damaged").length > 0);
      expect(eventsOf(cluster, "n3", "machine-failed")).toEqual([]);
      expect(cluster.keyspace("n3", "other").describe().serving).toBe(1);
      await waitUntilServing(cluster, "n3");
      expect(eventsOf(cluster, "n3", "rebuild-finished")).toHaveLength(1);
      expect(await valueAt(cluster, "n3", "key")).toBe(1);
      expect(cluster.node("n3").store.describe().state).toBe("ready");
    },
  );

  test("of its state, met by a scan, fences it too", async () => {
    const cluster = await openWithData();
    diskOf(cluster, "n3").damageEntry(SHARD, "data", key("key"));
    const found: string[] = [];
    const scan = (async () => {
      for await (const entry of cluster.keyspace("n3").scan()) found.push(entry.key);
    })();
    await cluster.until(scan);
    expect(found).toEqual(["key"]);
    await cluster.waitFor(() => eventsOf(cluster, "n3", "shard-damaged").length > 0);
    await waitUntilServing(cluster, "n3");
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
  });

  test("a crash before it is rebuilt leaves it rebuilding, never serving half", async () => {
    for (const killed of [false, true]) {
      const cluster = await openWithData();
      diskOf(cluster, "n3").damageEntry(SHARD, "data", key("key"));
      await valueAt(cluster, "n3", "key");
      await cluster.waitFor(() => eventsOf(cluster, "n3", "shard-damaged").length > 0);
      cluster.kill("n3", { killed });
      await restart(cluster, "n3");
      if (eventsOf(cluster, "n3", "rebuild-started").length === 0) {
        // Nothing of it had reached the disk: the damage is met again.
        expect(await valueAt(cluster, "n3", "key")).toBe(1);
      }
      await waitUntilServing(cluster, "n3");
      expect(await valueAt(cluster, "n3", "key")).toBe(1);
    }
  });

  test("lets the state begin anew only when the log says durably that the shard is fenced", async () => {
    const cluster = await openWithData();
    const disk = diskOf(cluster, "n3");
    const switches = () =>
      disk.state.batches.flatMap(({ mutations }) => mutations.filter(isSwitch)).length;
    const before = switches();
    disk.damageEntry(SHARD, "data", key("key"));
    disk.log.syncMs = 50;
    await valueAt(cluster, "n3", "key");
    expect(eventsOf(cluster, "n3", "shard-damaged")).toHaveLength(1);
    expect(switches()).toBe(before);
    await cluster.advance(100);
    expect(switches()).toBe(before + 1);
    await waitUntilServing(cluster, "n3");
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
  });

  test("of the log, with a crash just after the start that found it", async () => {
    const cluster = await openWithData();
    cluster.kill("n3");
    diskOf(cluster, "n3").damageLog(SHARD);
    await restart(cluster, "n3");
    await cluster.advance(1);
    cluster.kill("n3");
    await restart(cluster, "n3");
    expect(cluster.keyspace("n3").describe().serving).toBe(0);
    await waitUntilServing(cluster, "n3");
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
  });

  test("again and again stops the node", async () => {
    const cluster = await openWithData();
    const disk = diskOf(cluster, "n3");
    for (let n = 0; n < 4; n++) {
      await cluster.advance(100);
      disk.damageEntry(SHARD, "data", key("key"));
      const read = cluster.keyspace("n3").get("key", { consistency: "one" });
      await cluster.until(read.catch(() => undefined));
      if (n < 3) await waitUntilServing(cluster, "n3");
    }
    await cluster.waitFor(() => cluster.node("n3").store.describe().state === "failed");
    expect(eventsOf(cluster, "n3", "failed")).toMatchObject([
      { code: "STORE_FAILED", message: expect.stringContaining("damaged 4 times") },
    ]);
  });

  test("on a single node costs the damaged record, and is said; all others stay", async () => {
    const cluster = await open({ nodes: 1, persistent: true });
    await put(cluster, "n1", "bad", 1);
    await put(cluster, "n1", "good", 2);
    await cluster.advance(50);
    diskOf(cluster, "n1").damageEntry(SHARD, "data", key("bad"));
    expect(await valueAt(cluster, "n1", "bad")).toBeUndefined();
    expect(await valueAt(cluster, "n1", "good")).toBe(2);
    expect(eventsOf(cluster, "n1", "shard-damaged")).toHaveLength(1);
    expect(eventsOf(cluster, "n1", "writes-may-be-lost")).toHaveLength(1);
    await put(cluster, "n1", "bad", 3);
    cluster.kill("n1");
    await restart(cluster, "n1");
    expect(await valueAt(cluster, "n1", "bad")).toBe(3);
    expect(await valueAt(cluster, "n1", "good")).toBe(2);
  });
});

describe("damage of a whole shard's state", () => {
  test("is met at the next start, and rebuilt from the peers", async () => {
    const cluster = await open({ persistent: true });
    await put(cluster, "n1", "key", 1, "all");
    cluster.kill("n3");
    diskOf(cluster, "n3").damageShard(SHARD);
    await restart(cluster, "n3");
    expect(eventsOf(cluster, "n3", "shard-damaged")).toHaveLength(1);
    await waitUntilServing(cluster, "n3");
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
    expect(eventsOf(cluster, "n3", "shard-damaged")).toHaveLength(1);
  });

  test("where there is no other copy leaves the shard closed, and its data as it is", async () => {
    const keyspaces = { default: {}, other: {} };
    const cluster = await open({ nodes: 1, persistent: true, keyspaces });
    await put(cluster, "n1", "key", 1);
    await cluster.until(cluster.keyspace("n1", "other").put("key", 2));
    cluster.kill("n1");
    const disk = diskOf(cluster, "n1");
    const batches = disk.state.batches.length;
    disk.damageShard(SHARD);
    for (let n = 0; n < 2; n++) {
      await restart(cluster, "n1");
      expect(eventsOf(cluster, "n1", "shard-damaged")).toHaveLength(1);
      const fault = await faultOf(cluster, cluster.keyspace("n1").get("key"));
      expect([fault.code, fault.outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
      const write = await faultOf(cluster, cluster.keyspace("n1").put("key", 1));
      expect([write.code, write.outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
      const other = cluster.keyspace("n1", "other").get("key");
      expect(await cluster.until(other)).toMatchObject({ value: 2 });
      const mutations = disk.state.batches.slice(batches).flatMap((batch) => batch.mutations);
      expect(mutations.filter(({ type }) => type === "switch-generation")).toEqual([]);
      cluster.kill("n1");
    }
    await restart(cluster, "n1");
  });
});

describe("damage that many operations meet in one turn", () => {
  test("is one damage", async () => {
    const cluster = await open({ nodes: 1, persistent: true });
    await put(cluster, "n1", "key", 1);
    await cluster.advance(50);
    diskOf(cluster, "n1").damageShard(SHARD);
    const calls = Array.from({ length: 200 }, (_, n) =>
      cluster
        .keyspace("n1")
        .put(`key-${n}`, n)
        .catch(() => undefined),
    );
    await cluster.until(Promise.all(calls));
    expect(eventsOf(cluster, "n1", "shard-damaged")).toHaveLength(1);
    expect(cluster.node("n1").store.describe().state).toBe("ready");
  });
});

describe("damage of what the node keeps about itself", () => {
  test("the store does not open; its next start is another store, and learns from its peers", async () => {
    const cluster = await open({ persistent: true });
    await put(cluster, "n1", "key", 1, "all");
    const { storeId } = cluster.node("n3").store.describe();
    cluster.kill("n3");
    diskOf(cluster, "n3").damageLog(NODE_SHARD);
    const fault = await cluster.until(cluster.restart("n3").catch((error: unknown) => error));
    expect(fault).toMatchObject({ code: "DATA_DISOWNED", outcome: "not-applied" });
    await restart(cluster, "n3");
    await waitUntilServing(cluster, "n3");
    expect(cluster.node("n3").store.describe().storeId).not.toBe(storeId);
    expect(cluster.node("n3").store.describe().storageProblems).toHaveLength(1);
    expect(eventsOf(cluster, "n3", "storage-damaged")).toMatchObject([{ what: "everything" }]);
    expect(await valueAt(cluster, "n3", "key")).toBe(1);
  });

  test("a single node goes on with its data, and says so", async () => {
    const cluster = await open({ nodes: 1, persistent: true });
    await put(cluster, "n1", "key", 1);
    cluster.kill("n1");
    diskOf(cluster, "n1").damageLog(NODE_SHARD);
    await restart(cluster, "n1");
    await cluster.ready();
    expect(eventsOf(cluster, "n1", "storage-damaged")).toHaveLength(1);
    expect(eventsOf(cluster, "n1", "writes-may-be-lost")).toHaveLength(1);
    expect(await valueAt(cluster, "n1", "key")).toBe(1);
  });
});
