import { createServer } from "node:net";
import { connect as connectNats, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { RunningNatsServer } from "../../src/cli/nats-server/running-nats-server.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import type { NodeId } from "../../src/core/model/ids.ts";
import { frameSubject, natsPermissions } from "../../src/transports/nats/subjects.ts";
import { greeting, NO_LINK, writeStreamHeader } from "../../src/transports/nats/wire.ts";
import { natsProgram, startNats } from "../support/nats.ts";
import { CLUSTER, NatsNode } from "../support/nats-nodes.ts";
import { eventually, freePorts } from "../support/processes.ts";
import { SeededRandom } from "../support/seeded-random.ts";

// The transport over real servers: what they refuse, lose, and end.

const program = await natsProgram();
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(settings: Parameters<typeof startNats>[1] = {}): Promise<RunningNatsServer> {
  const server = await startNats(program, settings);
  cleanUps.push(() => server.stop());
  return server;
}

async function started(...args: Parameters<typeof NatsNode.started>): Promise<NatsNode> {
  const node = await NatsNode.started(...args);
  cleanUps.push(() => node.close());
  return node;
}

async function client(options: Parameters<typeof connectNats>[0]): Promise<NatsConnection> {
  const connection = await connectNats(options);
  cleanUps.push(() => connection.close());
  return connection;
}

async function refusalOf(
  options: Record<string, unknown>,
): Promise<{ code: string; message: string }> {
  const node = new NatsNode("n1", options);
  cleanUps.push(() => node.close());
  try {
    await node.start();
  } catch (error) {
    if (isCapstanError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("it started");
}

describe.skipIf(program === undefined)("a NATS server", () => {
  describe("with a user per node", () => {
    const user = (node: string) => ({
      user: node,
      password: `secret of ${node}`,
      ...natsPermissions(CLUSTER, node),
    });
    const asUser = (node: string, server: RunningNatsServer) => ({
      servers: server.url,
      user: node,
      pass: `secret of ${node}`,
    });

    test("carries frames of the permitted, and refuses a forged sender", async () => {
      const server = await serve({ users: [user("n1"), user("n2"), user("n3")] });
      const n1 = await started("n1", asUser("n1", server), ["n2", "n3"]);
      const n2 = await started("n2", asUser("n2", server), ["n1", "n3"]);
      await Promise.all([n1.connected("n2"), n2.connected("n1")]);
      for (const lane of ["control", "log", "bulk"] as const)
        expect(n1.send("n2", 500, lane)).toBe("accepted");
      await eventually("frames on all lanes", () => n2.frames.length === 3);
      // n3 is let in as itself, and writes under the name of n1.
      const { servers, user: name, pass } = asUser("n3", server);
      const forger = await client({ servers, user: name, pass });
      const errors: string[] = [];
      void (async () => {
        for await (const status of forger.status()) {
          if (status.type === "error") errors.push(status.error.message);
        }
      })();
      for (const lane of ["control", "log", "bulk"] as const) {
        forger.publish(
          frameSubject(CLUSTER, "n2", "n1", lane),
          greeting("bye", { start: 1, generation: 1 }, NO_LINK),
        );
      }
      forger.publish(frameSubject(CLUSTER, "n2", "n3", "log"), new Uint8Array(3));
      forger.subscribe(`capstan.>`);
      await forger.flush();
      await eventually("the server to object", () => errors.length >= 4);
      expect(errors.filter((each) => /Permissions Violation for Publish/i.test(each))).toHaveLength(
        3,
      );
      expect(
        errors.filter((each) => /Permissions Violation for Subscription/i.test(each)),
      ).toHaveLength(1);
      // Its own name is its own: that message came, and was dropped for what it is.
      await eventually(
        "n2 to drop what n3 sent",
        () => n2.observer.counted("transport_refusals malformed-message") === 1,
      );
      expect(n2.events).toEqual(["n1 connected"]);
    });

    test("refuses wrong credentials at start, by name", async () => {
      const server = await serve({ users: [user("n1")] });
      const wrong = await refusalOf({ servers: server.url, user: "n1", pass: "wrong" });
      expect(wrong.code).toBe("INVALID_CONFIGURATION");
      expect(wrong.message).toContain(
        `127.0.0.1:${server.port} refused user "n1" (transport.user, transport.pass)`,
      );
      expect(wrong.message).toMatch(/Authorization Violation/i);
      expect(wrong.message).not.toContain("wrong");
      const none = await refusalOf({ servers: server.url });
      expect(none.message).toContain("refused a node without credentials");
    });

    test("refuses a node under the name of another at start, by name", async () => {
      const server = await serve({ users: [user("n1"), user("n2")] });
      const { code, message } = await refusalOf(asUser("n2", server));
      expect(code).toBe("INVALID_CONFIGURATION");
      expect(message).toMatch(/Permissions Violation for (Publish|Subscription) to "capstan\./i);
      expect(message).toContain("is n1 of cluster nats-tests");
    });

    test("that refuses a node later on ends it after ten attempts, each reported", async () => {
      const server = await serve({ users: [user("n1")] });
      const options = { ...asUser("n1", server), reconnectWait: "5ms" };
      const n1 = await started("n1", options);
      const { port } = server;
      await server.stop();
      await serve({ port, users: [user("n2")] });
      await eventually("n1 to fail", () => n1.failures.length === 1);
      expect(n1.failures[0]?.message).toContain('refused user "n1"');
      expect(n1.observer.counted("transport_refusals refused")).toBe(10);
      expect(n1.logged("NATS refuses this node")).not.toEqual([]);
    });
  });

  test("that cannot be reached makes start give up in time, naming the servers", async () => {
    const port = await freePorts(1);
    const servers = [`127.0.0.1:${port}`, `nats://localhost:${port}`];
    const { code, message } = await refusalOf({ servers, startTimeout: "300ms" });
    expect(code).toBe("UNREACHABLE_SERVER");
    expect(message).toContain(
      `within 300 ms at 127.0.0.1:${port}, localhost:${port} (transport.servers)`,
    );
    expect(message).toContain("connection refused");
  });

  test("that accepts and says nothing makes start give up in time", async () => {
    const silent = createServer(() => undefined);
    const port = await freePorts(1);
    await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
    cleanUps.push(async () => silent.close());
    const { code } = await refusalOf({ servers: `127.0.0.1:${port}`, startTimeout: "200ms" });
    expect(code).toBe("UNREACHABLE_SERVER");
  });

  test("that comes up late is waited for", async () => {
    const port = await freePorts(1);
    const n1 = new NatsNode("n1", { servers: `127.0.0.1:${port}` });
    cleanUps.push(() => n1.close());
    const starting = n1.start();
    await eventually(
      "a first attempt to fail",
      () => n1.logged("no NATS server can be used").length > 0,
    );
    await serve({ port });
    await starting;
  });

  test("that takes 64 KiB at once carries frames of 8 MiB", async () => {
    const server = await serve({ maxPayloadBytes: 64 * 1024 });
    const n1 = await started("n1", { servers: server.url }, ["n2"]);
    const n2 = await started("n2", { servers: server.url }, ["n1"]);
    await n1.connected("n2");
    expect(n1.send("n2", 8 * 1024 * 1024 + 65_536)).toBe("accepted");
    await eventually("the frame", () => n2.frames.length === 1);
    expect(n2.frames[0]?.length).toBe(8 * 1024 * 1024 + 65_536);
  });

  test("that takes next to nothing is refused, named", async () => {
    const server = await serve({ maxPayloadBytes: 500 });
    const { message } = await refusalOf({ servers: server.url, startTimeout: "300ms" });
    expect(message).toContain("max_payload is 500 bytes; allowed are at least 1024");
  });

  describe("of three in a cluster", () => {
    let servers: RunningNatsServer[];

    beforeAll(async () => {
      const first = await freePorts(3);
      const routes = [first, first + 1, first + 2];
      servers = await Promise.all(
        routes.map((port) =>
          startNats(program, {
            cluster: { name: "three", port, routes: routes.filter((each) => each !== port) },
          }),
        ),
      );
      return () => Promise.all(servers.map((server) => server.stop()));
    });

    test("is left when it is killed, and frames flow over the others", async () => {
      const [one, two, three] = servers as [
        RunningNatsServer,
        RunningNatsServer,
        RunningNatsServer,
      ];
      // Each node knows one server; of the others it hears from that one.
      const n1 = await started("n1", { servers: one.url }, ["n2", "n3"]);
      const n2 = await started("n2", { servers: two.url }, ["n1", "n3"]);
      const n3 = await started("n3", { servers: three.url }, ["n1", "n2"]);
      await Promise.all([n1.connected("n2"), n2.connected("n3"), n3.connected("n1")]);
      await n1.reaches(n2);
      await n3.reaches(n1);
      await one.kill();
      await eventually("n1 to have lost its server", () => n1.events.includes("n2 disconnected"));
      await Promise.all([n1.connected("n2", 2), n2.connected("n1", 2), n3.connected("n1", 2)]);
      await Promise.all([n1.reaches(n2), n2.reaches(n1), n3.reaches(n1)]);
      expect(n2.events.filter((each) => each.startsWith("n3"))).toEqual(["n3 connected"]);
    });
  });

  test("that is stopped without a word is noticed, and its peers are disconnected", async () => {
    const server = await serve();
    const timing = { servers: server.url, presenceTimeout: "500ms", stallTimeout: "600ms" };
    const n1 = await started("n1", timing, ["n2"]);
    const n2 = await started("n2", timing, ["n1"]);
    await Promise.all([n1.connected("n2"), n2.connected("n1")]);
    const pid = await server.pid();
    process.kill(pid, "SIGSTOP");
    try {
      // What is taken meanwhile is bounded: a window under way and what may wait, per lane.
      let taken = 0;
      for (const lane of ["control", "log", "bulk"] as const) {
        while (n1.send("n2", 100_000, lane) === "accepted") taken += 100_000;
        await eventually(
          "a window to be under way",
          () => n1.transport.bufferedBytes("n2" as NodeId) < taken,
        );
        while (n1.send("n2", 100_000, lane) === "accepted") taken += 100_000;
      }
      expect(taken).toBeLessThan(3 * (16 + 2) * 1024 * 1024);
      await eventually("n1 to miss n2", () => n1.events.includes("n2 disconnected"));
      await eventually("n1 to leave", () => n1.logged("left a NATS server").length > 0);
      expect(n1.logged("left a NATS server")[0]).toContain("no answer for 600 ms");
      expect(n1.send("n2")).toBe("disconnected");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await Promise.all([n1.connected("n2", 2), n2.connected("n1", 2)]);
    await n1.reaches(n2);
  });

  test("with two processes under one id connects the second when the first is gone", async () => {
    const server = await serve();
    const n1 = await started("n1", { servers: server.url }, ["n2"]);
    const first = await started("n2", { servers: server.url }, ["n1"]);
    await Promise.all([n1.connected("n2"), first.connected("n1")]);
    const second = await started("n2", { servers: server.url }, ["n1"]);
    const reports = (node: NatsNode) => node.logged("two processes have the id of one node");
    await eventually("both to report it", () => reports(n1).length + reports(second).length === 2);
    await n1.reaches(first);
    expect([n1.events, second.events]).toEqual([["n2 connected"], []]);
    await first.close();
    await second.connected("n1");
    await second.reaches(n1);
  });

  test("passes on what anybody sends: nothing malformed gets through, and nothing breaks", async () => {
    const server = await serve();
    const n1 = await started("n1", { servers: server.url }, ["n2"]);
    const n2 = await started("n2", { servers: server.url }, ["n1"]);
    await Promise.all([n1.connected("n2"), n2.connected("n1")]);
    await n2.reaches(n1);
    const stranger = await client({ servers: server.url });
    const random = new SeededRandom(70);
    const memory = process.memoryUsage().arrayBuffers;
    for (const lane of ["control", "log", "bulk"] as const) {
      const subject = frameSubject(CLUSTER, "n1", "n2", lane);
      for (let round = 0; round < 700; round += 1) {
        const bytes = random.bytes(random.uint32() % 80);
        // Half of them look like a message at first.
        if (round % 2 === 0 && bytes.length > 1) bytes.set([1, random.uint32() % 7]);
        stranger.publish(subject, bytes);
      }
      const piece = { asking: true, position: 2 ** 47, firstFrameAt: 0 };
      const lying = new Uint8Array(100);
      writeStreamHeader(lying, 0, { start: 3, generation: 1 }, { start: 4, generation: 2 }, piece);
      stranger.publish(subject, lying);
      stranger.publish(subject, new Uint8Array(1_000_000));
    }
    stranger.publish(
      frameSubject(CLUSTER, "n1", "n9", "log"),
      greeting("hello", { start: 3, generation: 1 }, NO_LINK),
    );
    stranger.publish(`${frameSubject(CLUSTER, "n1", "n2", "log")}!`, new Uint8Array(5));
    await stranger.flush();
    const counted = (fault: string): number => n1.observer.counted(`transport_refusals ${fault}`);
    await eventually("all of it to be dropped", () => counted("malformed-sender") === 1);
    expect(counted("unnamed-sender")).toBe(1);
    expect(counted("malformed-message")).toBeGreaterThan(1_500);
    // Those that n2 sent have ten bytes.
    expect(n1.frames.filter(({ from, length }) => from !== "n2" || length !== 10)).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(64 * 1024 * 1024);
    expect(n1.logged("dropped a message").length).toBeLessThanOrEqual(3);
    await n2.reaches(n1);
    await n1.reaches(n2);
  });
});
