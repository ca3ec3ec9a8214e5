import { describe, expect, test } from "vitest";
import { ERRORS } from "../../src/core/model/errors.ts";
import type { PersistentMemoryDisk } from "../../src/simulation/persistent-memory-storage.ts";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open, waitUntilServing } from "../support/cluster-calls.ts";

const KIB = 1_024;
const LIMITED = {
  persistent: true,
  configuration: { limits: { queuedBytes: "64KiB" } },
  // Two, because each bounds the values under way by itself: the log is that of both.
  keyspaces: { default: { maxValue: "8KiB" }, other: { maxValue: "8KiB" } },
};
const VALUE = "x".repeat(4 * KIB);

function diskOf(cluster: Cluster, id: string): PersistentMemoryDisk {
  return cluster.disks.get(id) as PersistentMemoryDisk;
}

function openSlow(slow: (disk: PersistentMemoryDisk) => void, nodes = 1): Promise<Cluster> {
  return open({ nodes, ...LIMITED }).then((cluster) => {
    slow(diskOf(cluster, "n1"));
    return cluster;
  });
}

/** Writes, one turn each, until one is refused; gives the fault and how many were taken. */
async function fill(cluster: Cluster, id: string) {
  const pending: Promise<unknown>[] = [];
  for (let n = 0; n < 200; n++) {
    const keyspace = cluster.keyspace(id, n % 2 === 0 ? "default" : "other");
    const write = keyspace.put(`key-${n}`, VALUE, { timeoutMs: 60_000 });
    const settled = write.then(
      () => undefined,
      (error: unknown) => error,
    );
    pending.push(settled);
    await cluster.advance(1);
    const early = await Promise.race([settled, Promise.resolve("pending")]);
    if (early !== "pending" && early !== undefined) return { fault: early, taken: n, pending };
  }
  throw new Error("nothing was refused");
}

describe("a disk that is slower than the writes", () => {
  test.each<[string, (disk: PersistentMemoryDisk, syncMs: number) => void]>([
    [
      "log",
      (disk, syncMs) => {
        disk.log.syncMs = syncMs;
      },
    ],
    [
      "state",
      (disk, syncMs) => {
        disk.state.syncMs = syncMs;
      },
    ],
  ])("whose %s is full refuses new writes as not applied; reads go on", async (_what, setMs) => {
    const cluster = await open({ ...LIMITED, nodes: 1 });
    cluster.kill("n1");
    const disk = diskOf(cluster, "n1");
    disk.state.maxPendingBytes = 64 * KIB;
    await cluster.restart("n1");
    await cluster.ready();
    await cluster.until(cluster.keyspace("n1").put("before", 1));
    setMs(disk, 5_000);
    const { fault, taken, pending } = await fill(cluster, "n1");
    expect(fault).toMatchObject({ code: "OVERLOADED", outcome: "not-applied", retry: "safe" });
    expect(ERRORS.OVERLOADED.httpStatus).toBe(429);
    expect(taken).toBeGreaterThan(10);
    expect(taken).toBeLessThan(20);
    const appended = disk.log.entries.length;
    const again = await faultOf(cluster, cluster.keyspace("n1").put("more", 1));
    expect(again.message).toContain("the disk is behind");
    expect(disk.log.entries).toHaveLength(appended);
    const read = cluster.keyspace("n1").get("before", { consistency: "one" });
    expect(await cluster.until(read)).toMatchObject({ value: 1 });
    // Once it has caught up, what was taken is answered, and new writes are taken.
    setMs(disk, 0);
    const answers = await cluster.until(Promise.all(pending.slice(0, taken)));
    expect(answers.filter((answer) => answer !== undefined)).toEqual([]);
    await cluster.advance(10_000);
    await cluster.until(cluster.keyspace("n1").put("after", 1));
  });

  test("of a replica holds no more than twice its bound, whatever its peers send", async () => {
    const cluster = await openSlow((disk) => {
      disk.log.syncMs = 20_000;
    }, 3);
    const disk = diskOf(cluster, "n1");
    for (let n = 0; n < 100; n++) {
      await cluster.until(cluster.keyspace("n2").put(`key-${n}`, VALUE));
    }
    const waiting = disk.log.entries.slice(disk.log.written);
    const bytes = waiting.reduce(
      (sum, entry) => sum + (entry.type === "append" ? entry.record.payload.length : 0),
      0,
    );
    expect(bytes).toBeGreaterThan(64 * KIB);
    expect(bytes).toBeLessThan(2 * 64 * KIB + 2 * VALUE.length);
    disk.log.syncMs = 0;
    await cluster.advance(30_000);
    const last = cluster.keyspace("n1").get("key-99", { consistency: "all" });
    expect(await cluster.until(last)).toMatchObject({ value: VALUE });
    expect(cluster.node("n1").store.describe().state).toBe("ready");
  });
});

// Seed 1901475: replicas whose disks were behind heard nothing of their leader, and stood for election,
// and each term had more written.
test("a raft replica whose disk is far behind hears that it is led", async () => {
  const cluster = await open({
    ...LIMITED,
    keyspaces: {
      default: { strategy: "raft", shards: 1, electionTimeout: "300ms", maxValue: "8KiB" },
    },
  });
  await cluster.until(cluster.keyspace("n1").put("first", 1, { timeoutMs: 20_000 }));
  const standings = (id: string) =>
    cluster.node(id).events.filter(({ type }) => type === "raft-standing");
  const leader = standings("n1").at(-1)?.leader;
  const follower = cluster.ids.find((id) => id !== leader) as string;
  const disk = diskOf(cluster, follower);
  disk.log.syncMs = 20_000;
  const before = standings(follower).length;
  for (let n = 0; n < 100; n++) {
    const write = cluster.keyspace(leader as string).put(`key-${n}`, VALUE, { timeoutMs: 5_000 });
    await cluster.until(write);
  }
  await cluster.advance(5_000);
  // Most of the entries were not taken.
  expect(disk.log.entries.length - disk.log.written).toBeLessThan(50);
  expect(standings(follower).slice(before)).toEqual([]);
});

describe("a disk that fails", () => {
  test.each(["log", "state"] as const)(
    "of the %s stops the node with true outcomes, and nothing acknowledged is lost",
    async (what) => {
      const cluster = await open({ persistent: true });
      const acknowledged: string[] = [];
      const outcomes: string[] = [];
      const write = async (n: number): Promise<void> => {
        try {
          await cluster.keyspace("n1").put(`key-${n}`, n, { consistency: "quorum" });
          acknowledged.push(`key-${n}`);
        } catch (error) {
          outcomes.push((error as { outcome: string }).outcome);
        }
      };
      await cluster.until(Promise.all(Array.from({ length: 20 }, (_, n) => write(n))));
      diskOf(cluster, "n1").failNextSync(what);
      const late = Array.from({ length: 20 }, (_, n) => write(20 + n));
      const reading = cluster.keyspace("n1").get("key-0", { consistency: "all" });
      const read = reading.then(
        () => "answered",
        ({ outcome, code }: { outcome: string; code: string }) => `${code} ${outcome}`,
      );
      await cluster.until(Promise.all(late));
      await cluster.waitFor(() => cluster.node("n1").store.describe().state === "failed");
      expect(["answered", "STORE_FAILED not-applied"]).toContain(await cluster.until(read));
      // Copies of them have left the node, or stand in its log.
      if (what === "log") expect(new Set(outcomes)).toEqual(new Set(["unknown"]));
      const failed = cluster.node("n1").events.find(({ type }) => type === "failed");
      expect(failed).toMatchObject({ code: "STORE_FAILED", message: expect.any(String) });
      const refused = await faultOf(cluster, cluster.keyspace("n1").put("key", 1));
      expect([refused.code, refused.outcome]).toEqual(["STORE_FAILED", "not-applied"]);
      await cluster.waitUntilReachable("n2", ["n3"]);
      await cluster.until(cluster.keyspace("n2").put("after", 1));
      cluster.kill("n1");
      await cluster.restart("n1");
      await cluster.ready();
      for (const key of acknowledged) {
        const held = cluster.keyspace("n1").get(key, { consistency: "quorum" });
        expect(await cluster.until(held)).toMatchObject({ found: true });
      }
    },
  );

  test("all at once, and all started again: every acknowledged write is there", async () => {
    const cluster = await open({ persistent: true });
    const acknowledged: number[] = [];
    for (const id of cluster.ids) diskOf(cluster, id).failNextSync("log");
    const writes = Array.from({ length: 30 }, (_, n) =>
      cluster
        .keyspace(cluster.ids[n % 3] as string)
        .put(`key-${n}`, n, { timeoutMs: 500 })
        .then(
          () => acknowledged.push(n),
          () => undefined,
        ),
    );
    await cluster.until(Promise.all(writes));
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.restart(id);
    await cluster.ready();
    for (const id of cluster.ids) await waitUntilServing(cluster, id);
    for (const n of acknowledged) {
      const read = cluster.keyspace("n2").get(`key-${n}`);
      expect(await cluster.until(read)).toMatchObject({ value: n });
    }
    // Nothing could be: no copy was ever durable.
    expect(acknowledged).toEqual([]);
    await cluster.until(cluster.keyspace("n1").put("key-0", "after"));
  });
});
