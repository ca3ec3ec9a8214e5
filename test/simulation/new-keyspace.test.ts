import { describe, expect, test } from "vitest";
import type { Level } from "../../src/core/model/levels.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";
import { PersistentMemoryDisk } from "../support/persistent-memory-storage.ts";
import { VirtualEnvironment } from "../support/virtual-environment.ts";

type Keyspaces = NonNullable<ClusterOptions["keyspaces"]>;

const BEFORE: Keyspaces = {
  users: { strategy: "tunable" },
  accounts: { strategy: "raft" },
};
const ADDED: Keyspaces = {
  audit: { strategy: "tunable" },
  carts: { strategy: "dynamo" },
  ledger: { strategy: "raft" },
};
const AFTER: Keyspaces = { ...BEFORE, ...ADDED };
const PAUSE_MS = 10;
const IDS = ["n1", "n2", "n3"];

/** A write and a read at the keyspace's own levels, through each of the running nodes, over and over. */
class Load {
  readonly faults: string[] = [];
  operations = 0;
  readonly #cluster: Cluster;
  readonly #pause: VirtualEnvironment;
  #stopped = false;
  readonly #lives = new Map<string, object>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#pause = new VirtualEnvironment({ time: cluster.time });
    for (const id of IDS) this.join(id);
  }

  /** Before a node is stopped: what it is asked ends with it. */
  leave(id: string): void {
    this.#lives.delete(id);
  }

  join(id: string): void {
    const life = {};
    this.#lives.set(id, life);
    for (const name of Object.keys(BEFORE)) void this.#run(id, name, life);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(id: string, name: string, life: object): Promise<void> {
    const keyspace = this.#cluster.keyspace(id, name);
    while (!this.#stopped && this.#lives.get(id) === life) {
      this.operations += 1;
      const value = this.operations;
      try {
        await keyspace.put(`${id}/key`, value);
        const read = await keyspace.get(`${id}/key`);
        if (!read.found || read.conflict || read.value !== value) this.faults.push("lost");
      } catch (error) {
        if (this.#lives.get(id) === life) this.faults.push(`${name} at ${id}: ${error}`);
      }
      await new Promise<void>((resolve) => this.#pause.setTimer(PAUSE_MS, resolve));
    }
  }
}

async function upgrade(cluster: Cluster, id: string, keyspaces: Keyspaces): Promise<void> {
  await cluster.stop(id);
  await cluster.restart(id, keyspaces);
  await cluster.ready(id);
}

/** Each value under a key of its own: nothing is written twice. */
function put(cluster: Cluster, id: string, name: string, value: string, level?: Level) {
  const options = level === undefined ? {} : { consistency: level };
  return cluster.keyspace(id, name).put(value, value, options as never);
}

async function has(cluster: Cluster, id: string, name: string, value: string): Promise<boolean> {
  const read = await cluster.until(cluster.keyspace(id, name).get(value));
  return read.found && !read.conflict && read.value === value;
}

function begun(cluster: Cluster, id: string): string[] {
  const events = cluster.node(id).events.filter(({ type }) => type === "keyspace-begun");
  return events.map((event) => `${event.keyspace} ${event.origin}`).sort();
}

const ALL_NEWBORN = Object.keys(ADDED).map((name) => `${name} newborn`);

describe("keyspaces that are added node by node", () => {
  test("serve once a majority has them, and at all levels once all have; the others never stop", async () => {
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    const load = new Load(cluster);
    await cluster.advance(200);

    load.leave("n1");
    await upgrade(cluster, "n1", AFTER);
    load.join("n1");
    await cluster.advance(2_000);
    expect(begun(cluster, "n1")).toEqual(ALL_NEWBORN);
    for (const name of ["audit", "ledger"]) {
      const fault = await faultOf(cluster, put(cluster, "n1", name, "early"));
      expect([fault.code, fault.outcome, fault.details?.lacking]).toEqual([
        ...["UNAVAILABLE", "not-applied", ["n2", "n3"]],
      ]);
      expect(fault.message).toContain(`not configured with keyspace "${name}": n2, n3`);
    }
    expect(
      await faultOf(
        cluster,
        Promise.resolve().then(() => put(cluster, "n2", "audit", "early")),
      ),
    ).toMatchObject({
      code: "UNKNOWN_KEYSPACE",
    });
    // Always writable: the receipt says that the level was not met.
    const { receipt } = await cluster.until(put(cluster, "n1", "carts", "early"));
    expect([receipt.consistent, receipt.replicas.answered]).toEqual([false, 1]);
    // Also by the nodes that were not given them: what they lack they know from n1.
    for (const id of IDS) {
      const health = cluster.node(id).store.describe().nodes;
      expect(health.map(({ lacking }) => lacking)).toEqual([
        ...[undefined, Object.keys(ADDED), Object.keys(ADDED)],
      ]);
    }

    load.leave("n2");
    await upgrade(cluster, "n2", AFTER);
    load.join("n2");
    await cluster.advance(3_000);
    expect(begun(cluster, "n2")).toEqual(ALL_NEWBORN);
    for (const name of Object.keys(ADDED)) {
      await cluster.until(put(cluster, "n2", name, "two"));
      expect(await has(cluster, "n1", name, "two")).toBe(true);
    }
    const fault = await faultOf(cluster, put(cluster, "n1", "audit", "all", "all"));
    expect([fault.code, fault.details?.lacking]).toEqual(["UNAVAILABLE", ["n3"]]);

    load.leave("n3");
    await upgrade(cluster, "n3", AFTER);
    load.join("n3");
    await cluster.advance(3_000);
    expect(begun(cluster, "n3")).toEqual(ALL_NEWBORN);
    for (const id of IDS) {
      const health = cluster.node(id).store.describe().nodes;
      expect(health.map(({ lacking }) => lacking)).toEqual([undefined, undefined, undefined]);
    }
    for (const id of IDS) {
      for (const name of Object.keys(ADDED)) {
        const level = name === "ledger" ? undefined : "all";
        await cluster.until(put(cluster, id, name, `at ${id}`, level));
        for (const at of IDS) expect(await has(cluster, at, name, `at ${id}`)).toBe(true);
      }
    }
    load.stop();
    await cluster.advance(200);
    expect([load.faults, load.operations > 100]).toEqual([[], true]);
    for (const id of IDS) {
      const lost = cluster.node(id).events.filter(({ type }) => type === "writes-may-be-lost");
      expect(lost).toEqual([]);
    }
  });

  test("begin without those who had them once, and with them as ones that have to learn", async () => {
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    for (const id of ["n1", "n2"]) await upgrade(cluster, id, AFTER);
    await cluster.advance(3_000);
    for (const name of Object.keys(ADDED)) await cluster.until(put(cluster, "n2", name, "kept"));

    // The disk of a node is lost, and it is put up again from the old file at first.
    await cluster.stop("n2");
    cluster.disks.set("n2", new PersistentMemoryDisk());
    await cluster.restart("n2", BEFORE);
    await cluster.advance(1_000);
    await upgrade(cluster, "n2", AFTER);
    await upgrade(cluster, "n3", AFTER);
    await cluster.advance(10_000);
    expect(begun(cluster, "n2")).toEqual(Object.keys(ADDED).map((name) => `${name} empty`));
    expect(begun(cluster, "n3")).toEqual(ALL_NEWBORN);
    for (const id of IDS) {
      for (const name of ["audit", "ledger"]) {
        expect(await has(cluster, id, name, "kept")).toBe(true);
      }
    }
  });

  test("say that writes may be lost where all who had them lose their disks on the way", async () => {
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    const lost = (id: string) =>
      cluster.node(id).events.flatMap((event) => {
        return event.type === "writes-may-be-lost" ? [event.keyspace] : [];
      });
    for (const id of ["n1", "n2"]) await upgrade(cluster, id, AFTER);
    await cluster.advance(3_000);
    for (const name of Object.keys(ADDED)) await cluster.until(put(cluster, "n2", name, "kept"));
    for (const id of ["n1", "n2"]) {
      await cluster.stop(id);
      cluster.disks.set(id, new PersistentMemoryDisk());
      // Put up again from the old file at first: else what is there says itself that it has to learn.
      await cluster.restart(id, BEFORE);
      await cluster.advance(1_000);
      await cluster.stop(id);
      await cluster.restart(id, AFTER);
      await cluster.advance(5_000);
      expect(lost(id)).toEqual(id === "n1" ? [] : Object.keys(ADDED));
    }
    expect(begun(cluster, "n2")).toEqual(ALL_NEWBORN);
    await upgrade(cluster, "n3", AFTER);
    await cluster.advance(10_000);
    expect(begun(cluster, "n3")).toEqual(ALL_NEWBORN);
  });

  test.each([0, 1, 2, 5, 20, 100, 300, 1_000])(
    "keep what was acknowledged though each node's power is cut %i ms after it has them",
    async (afterMs) => {
      const cluster = await open({ keyspaces: BEFORE, persistent: true });
      const acknowledged: [string, string][] = [];
      const write = async (id: string, when: string): Promise<void> => {
        for (const name of ["audit", "ledger"]) {
          const value = `${when} ${id}`;
          const written = put(cluster, id, name, value).then(
            () => acknowledged.push([name, value]),
            () => undefined,
          );
          await cluster.until(
            Promise.race([written, cluster.node(id).died.catch(() => undefined)]),
          );
        }
      };
      for (const id of IDS) {
        await cluster.stop(id);
        await cluster.restart(id, AFTER);
        await cluster.advance(afterMs);
        cluster.kill(id);
        await cluster.restart(id);
        await cluster.ready(id);
        await cluster.advance(1_000);
        await write(id, "after a cut");
      }
      await cluster.advance(3_000);
      for (const id of IDS) await write(id, "at the end");
      expect(acknowledged.length).toBeGreaterThanOrEqual(2 * IDS.length);
      for (const id of IDS) {
        for (const [name, value] of acknowledged)
          expect(await has(cluster, id, name, value)).toBe(true);
      }
    },
  );

  test("begin as ones that have to learn beside one that may lack its newest, and has the rest", async () => {
    const weak = Object.fromEntries(
      Object.entries(ADDED).map(([name, given]) => [name, { ...given, durability: "os" }]),
    );
    const after: Keyspaces = { ...BEFORE, ...weak };
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    for (const id of ["n1", "n2"]) await upgrade(cluster, id, after);
    await cluster.advance(3_000);
    for (const name of Object.keys(ADDED)) await cluster.until(put(cluster, "n2", name, "kept"));
    await cluster.advance(3_000);

    await cluster.stop("n2");
    cluster.disks.set("n2", new PersistentMemoryDisk());
    cluster.kill("n1");
    await cluster.restart("n2", BEFORE);
    await cluster.restart("n1", after);
    await cluster.advance(1_000);
    for (const id of ["n2", "n3"]) {
      await cluster.stop(id);
      await cluster.restart(id, after);
      await cluster.advance(5_000);
    }
    expect(begun(cluster, "n2")).toEqual(Object.keys(ADDED).map((name) => `${name} empty`));
    for (const name of ["audit", "carts"]) {
      expect(await has(cluster, "n3", name, "kept")).toBe(true);
    }
    // Who is left of those who had it has to vote for it, or to be told that it is given up.
    const fault = await faultOf(cluster, cluster.keyspace("n3", "ledger").get("kept"));
    expect(fault.code).toBe("UNAVAILABLE");
  });

  test("begin with the others where the first node goes back to the old file meanwhile", async () => {
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    await upgrade(cluster, "n1", AFTER);
    await cluster.advance(3_000);
    await cluster.until(put(cluster, "n1", "carts", "early"));
    await upgrade(cluster, "n1", BEFORE);
    for (const id of ["n2", "n3"]) await upgrade(cluster, id, AFTER);
    await cluster.advance(3_000);
    for (const id of ["n2", "n3"]) expect(begun(cluster, id)).toEqual(ALL_NEWBORN);
    for (const name of Object.keys(ADDED)) await cluster.until(put(cluster, "n2", name, "two"));
    await upgrade(cluster, "n1", AFTER);
    await cluster.advance(5_000);
    for (const name of Object.keys(ADDED)) {
      expect(await has(cluster, "n1", name, "two")).toBe(true);
    }
    expect(await has(cluster, "n3", "carts", "early")).toBe(true);
  });

  test("keep what was acknowledged beside a store that stood in between, when the first is back", async () => {
    const after: Keyspaces = { ...BEFORE, ledger: { strategy: "raft" } };
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    await upgrade(cluster, "n2", after);
    await cluster.advance(3_000);
    await cluster.stop("n2");
    const first = cluster.disks.get("n2") as PersistentMemoryDisk;
    cluster.disks.set("n2", new PersistentMemoryDisk());
    await cluster.restart("n2", after);
    await cluster.advance(3_000);
    await upgrade(cluster, "n1", after);
    await cluster.advance(3_000);
    await cluster.until(put(cluster, "n1", "ledger", "kept"));

    await cluster.stop("n2");
    cluster.disks.set("n2", first);
    await cluster.stop("n3");
    await cluster.restart("n3", after);
    await cluster.advance(2_000);
    await cluster.restart("n2", after);
    for (let ms = 0; ms < 3_000 && begun(cluster, "n3").length === 0; ms += 1) {
      await cluster.advance(1);
    }
    expect(begun(cluster, "n3")).toEqual(["ledger newborn"]);
    cluster.kill("n1");
    await cluster.advance(10_000);
    await cluster.restart("n1", after);
    await cluster.advance(10_000);
    for (const id of IDS) expect(await has(cluster, id, "ledger", "kept")).toBe(true);
  });

  test("begin once all have them where stores end with their processes", async () => {
    const cluster = await open({ keyspaces: BEFORE });
    for (const id of ["n1", "n2"]) {
      await upgrade(cluster, id, AFTER);
      await cluster.advance(3_000);
      expect(begun(cluster, id)).toEqual([]);
      const fault = await faultOf(cluster, put(cluster, id, "ledger", "early"));
      expect([fault.code, fault.outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
      expect(fault.message).toContain('keyspace "ledger" is new to node');
    }
    await upgrade(cluster, "n3", AFTER);
    await cluster.advance(5_000);
    for (const id of IDS) {
      expect(begun(cluster, id)).toEqual(ALL_NEWBORN);
      for (const name of Object.keys(ADDED)) {
        await cluster.until(put(cluster, id, name, `at ${id}`));
        for (const at of IDS) expect(await has(cluster, at, name, `at ${id}`)).toBe(true);
      }
    }
  });

  test("are added with all nodes stopped, too", async () => {
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    for (const id of IDS) await cluster.stop(id);
    for (const id of IDS) await cluster.restart(id, AFTER);
    await cluster.ready();
    for (const id of IDS) expect(begun(cluster, id)).toEqual(ALL_NEWBORN);
    for (const name of Object.keys(ADDED)) await cluster.until(put(cluster, "n1", name, "one"));
  });
});

describe.each(["tunable", "dynamo", "raft"])("a %s shard", (strategy) => {
  test("is not moved to a node that was not given its keyspace, nor does it wait for that", async () => {
    const cluster = await open({ keyspaces: BEFORE, persistent: true });
    const given: Keyspaces = { ...BEFORE, audit: { strategy }, more: { strategy, replicas: 1 } };
    for (const id of ["n1", "n2"]) {
      await cluster.stop(id);
      await cluster.restart(id, given);
      await cluster.waitUntilReachable(id, IDS);
      await cluster.waitFor(() => begun(cluster, id).length === 2);
    }
    const { admin } = cluster.node("n1").store;
    const change = (keyspace: string, replicas: readonly string[]) =>
      admin.changeReplicas({ keyspace, shard: 0, replicas });
    const before = await cluster.until(admin.members({ keyspace: "more", shard: 0 }));
    expect(before.replicas).not.toContain("n3");
    const fault = await faultOf(cluster, change("more", ["n3"]));
    expect([fault.code, fault.outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
    expect(fault.message).toContain('replicas names n3, not configured with keyspace "more"');
    expect([fault.allowed, fault.details?.lacking]).toEqual([["n1", "n2"], ["n3"]]);
    await cluster.until(put(cluster, "n2", "more", "a"));
    expect(await has(cluster, "n1", "more", "a")).toBe(true);
    const after = await cluster.until(admin.members({ keyspace: "more", shard: 0 }));
    expect(after).toMatchObject({ replicas: before.replicas, learners: [] });
    // One that has a part in it may be named, as who takes a change back has to.
    await cluster.until(change("audit", IDS));
    await cluster.until(change("audit", ["n1", "n2"]));
    expect(await faultOf(cluster, change("audit", IDS))).toMatchObject({ code: "UNAVAILABLE" });
  });
});

describe("a keyspace that is taken out node by node, and comes back", () => {
  test("has its data again, on all nodes, with what was written while others had it", async () => {
    const cluster = await open({ keyspaces: AFTER, persistent: true });
    for (const name of Object.keys(ADDED)) await cluster.until(put(cluster, "n1", name, "first"));
    await upgrade(cluster, "n3", BEFORE);
    await cluster.advance(3_000);
    for (const name of Object.keys(ADDED)) await cluster.until(put(cluster, "n1", name, "second"));
    expect(cluster.node("n1").store.describe().nodes[2]?.lacking).toEqual(Object.keys(ADDED));
    for (const id of ["n1", "n2"]) await upgrade(cluster, id, BEFORE);
    await cluster.advance(1_000);
    for (const id of IDS) await upgrade(cluster, id, AFTER);
    await cluster.advance(10_000);
    for (const id of IDS) {
      expect(begun(cluster, id)).toEqual([]);
      for (const name of Object.keys(ADDED)) {
        for (const value of ["first", "second"]) {
          expect([id, name, value, await has(cluster, id, name, value)]).toEqual([
            id,
            name,
            value,
            true,
          ]);
        }
      }
    }
  });

  test("learns anew what a crash may have cost while it was out", async () => {
    const weak = { audit: { strategy: "tunable", durability: "os" } };
    const cluster = await open({ keyspaces: { ...BEFORE, ...weak }, persistent: true });
    await cluster.until(put(cluster, "n1", "audit", "first", "all"));
    cluster.kill("n3");
    await cluster.restart("n3", BEFORE);
    await cluster.ready("n3");
    await upgrade(cluster, "n3", { ...BEFORE, ...weak });
    await cluster.advance(1);
    const incomplete = cluster.node("n3").events.filter(({ type }) => type === "shards-incomplete");
    expect(incomplete).toMatchObject([{ keyspace: "audit", shards: [0] }]);
    await cluster.advance(3_000);
    expect(await has(cluster, "n3", "audit", "first")).toBe(true);
  });
});
