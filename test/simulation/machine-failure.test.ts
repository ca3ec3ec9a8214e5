import { describe, expect, test } from "vitest";
import type {
  Effects,
  Machine,
  MachineEvent,
  MachineRole,
} from "../../src/core/contracts/machine.ts";
import type { StorageFactory } from "../../src/core/contracts/storage.ts";
import type { SilentStrategy } from "../../src/core/contracts/strategy.ts";
import { memoryStorage } from "../../src/storage/memory/memory-storage.ts";
import type { LeaderlessMessage } from "../../src/strategies/leaderless/messages.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open, watchFrames } from "../support/cluster-calls.ts";

type Step = (
  event: MachineEvent<LeaderlessMessage>,
  effects: Effects<LeaderlessMessage>,
  proceed: () => void,
) => void;

/** The tunable strategy, whose machines of one role on n1 step as `step` says. */
function flawed(role: MachineRole, step: Step): SilentStrategy<LeaderlessMessage> {
  const sound = makeTunableStrategy();
  const wrap = <M extends Machine<LeaderlessMessage>>(machine: M, node: string): M => {
    if (node !== "n1") return machine;
    const proceed = machine.step.bind(machine);
    machine.step = (event, effects) => step(event, effects, () => proceed(event, effects));
    return machine;
  };
  return {
    ...sound,
    createReplica: (context) => {
      const replica = sound.createReplica(context);
      return role === "replica" ? wrap(replica, context.self.node) : replica;
    },
    createCoordinator: (context) => {
      const coordinator = sound.createCoordinator(context);
      return role === "coordinator" ? wrap(coordinator, context.self.node) : coordinator;
    },
  };
}

function writesPoison(event: MachineEvent<LeaderlessMessage>): boolean {
  if (event.type === "operation")
    return Buffer.from(event.request.operation.key).toString() === "poison";
  if (event.type !== "message" || event.message.type !== "write") return false;
  return Buffer.from(event.message.keyed.key).toString() === "poison";
}

/** Throws after the sound step has been made, so that its effects have to be undone. */
const throwsAfterwards: Step = (event, _effects, proceed) => {
  proceed();
  if (writesPoison(event)) throw new Error("a bug of the machine");
};

function openFlawed(role: MachineRole, step: Step, more: ClusterOptions = {}): Promise<Cluster> {
  return open({ ...more, keyspaces: { default: { strategy: flawed(role, step) } } });
}

function eventTypes(cluster: Cluster, id: string): readonly string[] {
  return cluster.node(id).events.map(({ type }) => type);
}

describe("a replica that throws", () => {
  test("leaves nothing of the step behind, is made anew and keeps what it held", async () => {
    const repair = { interval: "off" };
    const keyspaces = { default: { strategy: flawed("replica", throwsAfterwards), repair } };
    const cluster = await open({ keyspaces });
    await cluster.until(cluster.keyspace("n1").put("kept", 1, { consistency: "all" }));
    const fault = await faultOf(
      cluster,
      cluster.keyspace("n1").put("poison", 1, { consistency: "all" }),
    );
    expect([fault.code, fault.outcome]).toEqual(["OUTCOME_UNKNOWN", "unknown"]);
    expect(eventTypes(cluster, "n1")).toContain("machine-failed");
    // It used to find the log of a memory storage compacted, and to rebuild itself from its peers.
    const frames = watchFrames(cluster);
    const kept = await cluster.until(cluster.keyspace("n1").get("kept", { consistency: "one" }));
    expect(kept).toMatchObject({ value: 1 });
    const poison = await cluster.until(
      cluster.keyspace("n1").get("poison", { consistency: "one" }),
    );
    expect(poison.found).toBe(false);
    expect(frames).toEqual([]);
    expect(eventTypes(cluster, "n1")).not.toContain("rebuild-started");
    // The others have it, and it can be had from them.
    const quorum = await cluster.until(cluster.keyspace("n2").get("poison"));
    expect(quorum).toMatchObject({ value: 1 });
  });

  test("on storage that persists it is fed its log again", async () => {
    const cluster = await openFlawed("replica", throwsAfterwards, { persistent: true });
    await cluster.until(cluster.keyspace("n1").put("kept", 1, { consistency: "all" }));
    // Not committed yet when the machine is thrown away: only the log has it.
    const late = cluster.keyspace("n1").put("late", 2, { consistency: "all" });
    await faultOf(cluster, cluster.keyspace("n1").put("poison", 1, { consistency: "all" }));
    await cluster.until(late);
    for (const [key, value] of [
      ["kept", 1],
      ["late", 2],
    ] as const) {
      const read = await cluster.until(cluster.keyspace("n1").get(key, { consistency: "one" }));
      expect(read).toMatchObject({ value });
    }
    expect(eventTypes(cluster, "n1")).not.toContain("rebuild-started");
  });

  test("is made anew three times; then the node stops, loudly, and answers with the truth", async () => {
    const cluster = await openFlawed("replica", throwsAfterwards);
    for (let n = 0; n < 3; n++) {
      await cluster.until(cluster.keyspace("n1").put("poison", n, { consistency: "quorum" }));
      await cluster.until(cluster.keyspace("n1").get("key", { consistency: "one" }));
    }
    expect(cluster.node("n1").store.describe().state).toBe("ready");
    cluster.network.faults = { delayMs: [20, 20], lanes: ["log"] };
    const { store } = cluster.node("n1");
    const sent = store.keyspace("default").put("sent", 1, { consistency: "quorum" });
    const reading = store.keyspace("default").get("key", { consistency: "all" });
    const answers = Promise.allSettled([sent, reading]);
    await cluster.advance(5);
    const last = await faultOf(
      cluster,
      store.keyspace("default").put("poison", 4, { consistency: "one" }),
    );
    expect([last.code, last.outcome]).toEqual(["STORE_FAILED", "unknown"]);
    const [write, read] = await cluster.until(answers);
    expect(write).toMatchObject({
      status: "rejected",
      reason: { code: "STORE_FAILED", outcome: "unknown", operationId: expect.any(String) },
    });
    expect(read).toMatchObject({ reason: { code: "STORE_FAILED", outcome: "not-applied" } });
    expect(store.describe().state).toBe("failed");
    expect(eventTypes(cluster, "n1")).toContain("failed");
    const refused = await faultOf(cluster, store.keyspace("default").put("key", 1));
    expect([refused.code, refused.outcome]).toEqual(["STORE_FAILED", "not-applied"]);
    // Its peers go on without it.
    cluster.network.faults = {};
    await cluster.waitUntilReachable("n2", ["n3"]);
    await cluster.until(cluster.keyspace("n2").put("key", 2));
  });
});

describe("a coordinator that throws", () => {
  test("answers all that was under way with what is known of it, and goes on", async () => {
    const cluster = await openFlawed("coordinator", throwsAfterwards, {
      faults: { delayMs: [10, 10], lanes: ["log"] },
    });
    const keyspace = cluster.keyspace("n1");
    const calls = [
      keyspace.put("sent", 1),
      keyspace.put("learning", 1, { consistency: "strong" }),
      keyspace.get("read"),
    ];
    const answers = Promise.allSettled(calls);
    await cluster.advance(3);
    const poison = await faultOf(cluster, keyspace.put("poison", 1));
    expect(poison.code).toBe("INTERNAL");
    const [sent, learning, read] = await cluster.until(answers);
    expect(sent).toMatchObject({
      reason: { code: "INTERNAL", outcome: "unknown", operationId: expect.any(String) },
    });
    expect(learning).toMatchObject({ reason: { code: "INTERNAL", outcome: "not-applied" } });
    expect(read).toMatchObject({ reason: { code: "INTERNAL", outcome: "not-applied" } });
    const { receipt } = await cluster.until(keyspace.put("after", 1));
    expect(receipt.consistent).toBe(true);
    // The step that threw had sent its copies: they were discarded with it.
    await cluster.advance(100);
    const none = await cluster.until(cluster.keyspace("n2").get("poison", { consistency: "all" }));
    expect(none.found).toBe(false);
  });

  // A renewed coordinator used to draw its first round's number again: a late answer to a round of
  // the one before it was taken for an answer to its own.
  test("its successor's rounds have other numbers", async () => {
    const cluster = await openFlawed("coordinator", throwsAfterwards);
    const keyspace = cluster.keyspace("n1");
    // Acknowledgements of the first write come after the coordinator was made anew.
    cluster.network.faults = { delayMs: [30, 30], lanes: ["log"] };
    const first = keyspace.put("first", 1, { consistency: "all" }).catch(() => undefined);
    await cluster.advance(1);
    await faultOf(cluster, keyspace.put("poison", 1));
    await cluster.advance(35);
    // Sent now, and lost; the acknowledgements of the first are on their way.
    cluster.network.faults = { loss: 1, lanes: ["log"] };
    const second = await faultOf(cluster, keyspace.put("second", 2, { consistency: "quorum" }));
    expect([second.code, second.outcome]).toEqual(["OUTCOME_UNKNOWN", "unknown"]);
    await cluster.until(first);
  });
});

describe("storage that fails", () => {
  test.each(["log", "state"] as const)(
    "a failed sync of the %s stops the node; nothing that waited is acknowledged",
    async (which) => {
      const cluster = await open({ persistent: true });
      await cluster.until(cluster.keyspace("n1").put("before", 1, { consistency: "all" }));
      cluster.disks.get("n1")?.failNextSync(which);
      const { store } = cluster.node("n1");
      const write = store.keyspace("default").put("key", 1, { consistency: "all" });
      const answer = await cluster.until(write.catch((error: unknown) => error));
      await cluster.waitFor(() => store.describe().state === "failed");
      if (which === "log") expect(answer).toMatchObject({ outcome: "unknown" });
      const refused = await faultOf(cluster, store.keyspace("default").put("key", 2));
      expect([refused.code, refused.outcome]).toEqual(["STORE_FAILED", "not-applied"]);
      await cluster.waitUntilReachable("n2", ["n3"]);
      await cluster.until(cluster.keyspace("n2").put("after", 1));
    },
  );

  // The exception used to come out of `put`, or out of the transport, and took waiting events along.
  test("a log that takes no record stops the node, and throws at nobody", async () => {
    let isBroken = false;
    const storage: StorageFactory = async (options, context) => {
      const made = await memoryStorage(options, context);
      const append = made.log.append.bind(made.log);
      made.log.append = (record, durability) => {
        if (isBroken && context.node === "n1") throw new Error("no room");
        return append(record, durability);
      };
      return made;
    };
    const cluster = await open({ configuration: { storage } });
    isBroken = true;
    const { store } = cluster.node("n1");
    // By a peer's write, which n1 takes in as a frame, and by its own.
    const all = await faultOf(
      cluster,
      cluster.keyspace("n2").put("key", 1, { consistency: "all" }),
    );
    expect(all.outcome).toBe("unknown");
    expect(store.describe().state).toBe("failed");
    const refused = await faultOf(cluster, store.keyspace("default").put("key", 2));
    expect([refused.code, refused.outcome]).toEqual(["STORE_FAILED", "not-applied"]);
    await cluster.waitUntilReachable("n2", ["n3"]);
    await cluster.until(cluster.keyspace("n2").put("key", 3));
  });

  test("no acknowledgement leaves a node before the sync that it vouches for", async () => {
    const cluster = await open({ persistent: true });
    const disk = cluster.disks.get("n2");
    let acknowledgements = 0;
    cluster.network.onFrame = ({ from, to, lane }) => {
      if (from !== "n2" || to !== "n1" || lane !== "log") return;
      acknowledgements++;
      expect(disk?.log.synced).toBe(disk?.log.entries.length);
    };
    for (let n = 0; n < 5; n++) {
      await cluster.until(cluster.keyspace("n1").put(`key-${n}`, n, { consistency: "all" }));
    }
    expect(acknowledgements).toBe(5);
  });
});
