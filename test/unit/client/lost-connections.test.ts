import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { decodeValue, encodeValue } from "../../../src/core/model/values.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { until } from "../http/requests.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { type Fate, FlakyProxy } from "./flaky-proxy.ts";

let store: FakeStore;
let server: HttpServer;
const proxies: FlakyProxy[] = [];

beforeEach(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0 });
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
  await server.close();
});

/** The fates of writes, in order; the last one stays. Everything else passes. */
async function proxyWith(...fates: Fate[]): Promise<FlakyProxy> {
  const proxy = await FlakyProxy.start(server.port, (head) => {
    if (!head.startsWith("PUT")) return "pass";
    return fates.length > 1 ? (fates.shift() as Fate) : (fates[0] as Fate);
  });
  proxies.push(proxy);
  return proxy;
}

/** A port that nobody listens on. */
async function deadUrl(): Promise<string> {
  const proxy = await FlakyProxy.start(server.port, () => "pass");
  const { url } = proxy;
  await proxy.close();
  return url;
}

describe("a lost answer", () => {
  test.each(["lose", "cut"] as const)("%s, then pass: the very same write", async (fate) => {
    const { url } = await proxyWith(fate, "pass");
    const written = await connect({ url }).keyspace("default").put("k", 1);
    const ids = store.writes.map((each) => each.options.operationId);
    expect(ids).toHaveLength(fate === "lose" ? 2 : 1);
    expect(new Set(ids).size).toBe(1);
    expect(store.operations.get(ids[0] as string)).toBe(written.version);
  });

  test("never heard: unknown, with the id under which it can be asked for", async () => {
    const { url } = await proxyWith("lose");
    const client = connect({ url });
    const [result] = await Promise.allSettled([client.keyspace("default").put("k", 1)]);
    expect(result).toMatchObject({
      reason: { code: "OUTCOME_UNKNOWN", outcome: "unknown", retry: "same-operation-id" },
    });
    const { operationId } = (result as PromiseRejectedResult).reason as CapstanError;
    expect(store.writes).toHaveLength(3);
    expect(await client.resolve(operationId as string)).toMatchObject({ outcome: "applied" });
  });

  test("once it may have been sent, no later refusal makes it not applied", async () => {
    const unavailable = {
      code: "UNAVAILABLE",
      detail: "no",
      outcome: "not-applied",
      retry: "safe",
    };
    let puts = 0;
    const fetchFunction: typeof fetch = async (input, init) => {
      if (init?.method !== "PUT") return fetch(input, init);
      if (puts++ === 0) {
        await fetch(input, init);
        throw new TypeError("fetch failed", { cause: { code: "ECONNRESET" } });
      }
      const headers = { "content-type": "application/problem+json" };
      return new Response(JSON.stringify(unavailable), { status: 503, headers });
    };
    const client = connect({ url: server.url, fetch: fetchFunction });
    const [result] = await Promise.allSettled([client.keyspace("default").put("k", 1)]);
    const fault = (result as PromiseRejectedResult).reason as CapstanError;
    expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", operationId: expect.any(String) });
    expect(fault.cause).toMatchObject({ code: "UNAVAILABLE" });
    expect([puts, store.writes.length]).toEqual([2, 1]);
  });

  test("a server that says nothing: unknown at the deadline", async () => {
    const { url } = await proxyWith("hang");
    const write = connect({ url, timeoutMs: 300 }).keyspace("default").put("k", 1);
    await expect(write).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
      message: expect.stringContaining("within 300 ms"),
      operationId: expect.any(String),
    });
  });

  test("a server that stops in the middle of its answer, also where garbage was collected since", async () => {
    const half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    const sockets: Socket[] = [];
    const broken = createServer((socket) => {
      sockets.push(socket.on("error", () => undefined));
      socket.on("data", () => {
        socket.write(half);
        // What the answer has come to by then is not to be forgotten.
        setTimeout(collectGarbage, 50);
      });
    });
    await new Promise<void>((resolve) => broken.listen(0, "127.0.0.1", resolve));
    const { port } = broken.address() as AddressInfo;
    const client = connect({ url: `http://127.0.0.1:${port}`, timeoutMs: 400 });
    const keys = client.keyspace("default");
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    const [read, write, aborted] = await Promise.allSettled([
      keys.get("k"),
      keys.put("k", 1, { operationId: "op-1" }),
      keys.put("k", 1, { operationId: "op-2", signal: controller.signal }),
    ]);
    expect(read).toMatchObject({ reason: { code: "UNREACHABLE_SERVER" } });
    expect(write).toMatchObject({ reason: { code: "OUTCOME_UNKNOWN", operationId: "op-1" } });
    expect(aborted).toMatchObject({ reason: { code: "OUTCOME_UNKNOWN", operationId: "op-2" } });
    await client.close();
    // The connections are given up, too.
    await until(() => sockets.every(({ destroyed }) => destroyed));
    broken.close();
  });

  test("a server that gives no id: the write was not sent, and the call's own time is kept", async () => {
    const proxy = await FlakyProxy.start(server.port, () => "hang");
    proxies.push(proxy);
    const write = connect({ url: proxy.url }).keyspace("default").put("k", 1, { timeoutMs: 1 });
    await expect(write).rejects.toMatchObject({
      code: "UNREACHABLE_SERVER",
      outcome: "not-applied",
      message: expect.stringContaining("within 2001 ms"),
    });
    expect(store.writes).toEqual([]);
  });

  test("a read is simply asked again", async () => {
    let count = 0;
    const proxy = await FlakyProxy.start(server.port, () => (count++ < 2 ? "lose" : "pass"));
    proxies.push(proxy);
    expect(await connect({ url: proxy.url }).keyspace("default").get("k")).toMatchObject({
      found: false,
    });
    expect(proxy.seen).toHaveLength(3);
  });

  test.each(["EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED"])(
    "%s of a connection that stood: the write may have left, and is unknown",
    async (code) => {
      // As the kernel says it of a connection whose peer has been out of reach for long.
      const cause = Object.assign(new Error(`read ${code}`), { code, syscall: "read" });
      const fetchFunction: typeof fetch = async (input, init) => {
        if (init?.method !== "PUT") return fetch(input, init);
        await fetch(input, init);
        throw new TypeError("fetch failed", { cause });
      };
      const client = connect({ url: server.url, fetch: fetchFunction });
      await expect(client.keyspace("default").put("k", 1)).rejects.toMatchObject({
        code: "OUTCOME_UNKNOWN",
        operationId: expect.any(String),
      });
      expect(store.writes).toHaveLength(3);
    },
  );

  test("an answer that is none: unknown for a write, unreachable for a read", async () => {
    const proxied = (init: RequestInit | undefined): boolean => init?.method === "PUT";
    const fetchFunction: typeof fetch = async (input, init) =>
      proxied(init) ? new Response("<html>", { status: 502 }) : fetch(input, init);
    const client = connect({ url: server.url, fetch: fetchFunction });
    await expect(client.keyspace("default").put("k", 1)).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
      operationId: expect.any(String),
    });
    const wrong = connect({ url: server.url, fetch: async () => new Response("hello") });
    await expect(wrong.keyspace("default").get("k")).rejects.toMatchObject({
      code: "UNREACHABLE_SERVER",
      outcome: "not-applied",
    });
    const redirected = new TypeError("fetch failed", { cause: new Error("unexpected redirect") });
    const led = connect({ url: server.url, fetch: () => Promise.reject(redirected) });
    await expect(led.keyspace("default").get("k")).rejects.toThrow("unexpected redirect");
  });

  test("an answer to a write that makes no sense is as good as lost", async () => {
    const fetchFunction: typeof fetch = async (input, init) =>
      init?.method === "PUT"
        ? new Response("{}", { headers: { "content-type": "application/json" } })
        : fetch(input, init);
    const client = connect({ url: server.url, fetch: fetchFunction });
    await expect(client.keyspace("default").put("k", 1)).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
      operationId: expect.any(String),
    });
  });
});

test("a value that does not decode is a fault of ours, with a code", async () => {
  const fetchFunction: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const body = decodeValue(new Uint8Array(await response.arrayBuffer())) as object;
    const headers = { "content-type": "application/vnd.capstan.value" };
    const broken = encodeValue({ ...body, value: new Uint8Array([99]) });
    return new Response(Buffer.from(broken), { headers });
  };
  await connect({ url: server.url }).keyspace("default").put("k", 1);
  const keys = connect({ url: server.url, fetch: fetchFunction }).keyspace("default");
  await expect(keys.get("k")).rejects.toMatchObject({
    code: "INTERNAL",
    message: expect.stringContaining("the server's answer is not understood"),
  });
});

describe("several servers", () => {
  test("the first that works is used, and stays", async () => {
    const proxy = await proxyWith("pass");
    const client = connect({ url: [await deadUrl(), proxy.url] });
    await client.keyspace("default").put("k", 1);
    await client.keyspace("default").put("k", 2);
    expect(proxy.seen.filter((each) => each.startsWith("PUT"))).toHaveLength(2);
  });

  test("a node that cannot serve is passed over; what it refuses for good is not asked again", async () => {
    const other = new FakeStore();
    const second = await serveHttp(other, { port: 0 });
    const client = connect({ url: [server.url, second.url] });
    store.interrupt = () => {
      throw new CapstanError("UNAVAILABLE", "no peers");
    };
    await other.keyspace("default").put("k", "there");
    expect(await client.keyspace("default").get("k")).toMatchObject({ value: "there" });
    const refused = connect({ url: [server.url, second.url] }).keyspace("default");
    await expect(refused.put("k", 1, { ifAbsent: true })).rejects.toMatchObject({
      code: "CONDITIONAL_UNSUPPORTED",
    });
    expect(other.writes).toHaveLength(1);
    await second.close();
  });

  test("calls side by side do not send each other back to a server that is gone", async () => {
    const proxy = await proxyWith("pass");
    const keys = connect({ url: [await deadUrl(), proxy.url] }).keyspace("default");
    const names = Array.from({ length: 40 }, (_none, index) => `k${index}`);
    const written = await keys.putMany(names.map((name) => [name, 1] as const));
    expect(written.filter(({ ok }) => !ok)).toEqual([]);
    const fresh = connect({ url: [await deadUrl(), proxy.url] }).keyspace("default");
    const read = await fresh.getMany(names);
    expect(read.filter(({ ok }) => !ok)).toEqual([]);
  });

  test("a server that takes a request and says nothing leaves time for the others", async () => {
    const silent = await FlakyProxy.start(server.port, () => "hang");
    proxies.push(silent);
    const keys = connect({ url: [silent.url, server.url], timeoutMs: 600 }).keyspace("default");
    expect(await keys.get("k")).toMatchObject({ found: false });
    await keys.put("k", 1);
    expect(await keys.get("k")).toMatchObject({ value: 1 });
    // It was asked once, and not again.
    expect(silent.seen).toHaveLength(1);
  });

  test("a call whose own time a silent server has used up leads the next one elsewhere", async () => {
    const silent = await FlakyProxy.start(server.port, () => "hang");
    proxies.push(silent);
    const keys = connect({ url: [silent.url, server.url] }).keyspace("default");
    await expect(keys.get("k", { timeoutMs: 1 })).rejects.toMatchObject({
      code: "UNREACHABLE_SERVER",
      message: expect.stringContaining(`${silent.url} cannot be reached: no answer came within`),
    });
    expect(await keys.get("k", { timeoutMs: 1_000 })).toMatchObject({ found: false });
    expect(silent.seen).toHaveLength(1);
  });

  test("a port that fetch refuses: unreachable, nothing was sent, and what to do about it", async () => {
    const keys = connect({ url: "http://127.0.0.1:6000" }).keyspace("default");
    const fault = {
      ...{ code: "UNREACHABLE_SERVER", outcome: "not-applied" },
      message: expect.stringMatching(/127\.0\.0\.1:6000 .*let the node serve HTTP at another one$/),
    };
    await expect(keys.get("k")).rejects.toMatchObject(fault);
    await expect(keys.put("k", 1, { operationId: "op-1" })).rejects.toMatchObject(fault);
    await expect(keys.watch()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      message: expect.stringContaining("let the node serve HTTP at another one"),
    });
  });

  test("nobody there: unreachable, not applied", async () => {
    const url = await deadUrl();
    const keys = connect({ url: [url, await deadUrl()] }).keyspace("default");
    const fault = {
      code: "UNREACHABLE_SERVER",
      outcome: "not-applied",
      message: expect.stringContaining("ECONNREFUSED"),
    };
    await expect(keys.put("k", 1)).rejects.toMatchObject(fault);
    await expect(keys.put("k", 1, { operationId: "op-1" })).rejects.toMatchObject(fault);
    await expect(keys.get("k")).rejects.toMatchObject(fault);
  });
});

describe("signals and deadlines", () => {
  test("aborted before: nothing is sent", async () => {
    const keys = connect({ url: server.url }).keyspace("default");
    const signal = AbortSignal.abort();
    await expect(keys.put("k", 1, { signal })).rejects.toMatchObject({
      code: "ABORTED",
      outcome: "not-applied",
    });
    await expect(keys.get("k", { signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(store.writes).toEqual([]);
  });

  test("a write aborted under way is unknown, a read just ends, on the server too", async () => {
    let readAborted = false;
    let waiting = 0;
    store.interrupt = ({ signal }) =>
      new Promise((_resolve, reject) => {
        waiting++;
        signal?.addEventListener("abort", () => {
          readAborted = true;
          reject(new CapstanError("ABORTED", "gone"));
        });
      });
    const keys = connect({ url: server.url }).keyspace("default");
    const controller = new AbortController();
    const write = keys.put("k", 1, { signal: controller.signal });
    const read = keys.get("k", { signal: controller.signal });
    await until(() => waiting === 2);
    controller.abort();
    await expect(write).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
      operationId: expect.any(String),
    });
    await expect(read).rejects.toMatchObject({ code: "ABORTED" });
    await until(() => readAborted);
    // The write is still under way; the server's shutdown does not wait for it here.
    store.interrupt = () => undefined;
  });

  test("timeoutMs is the operation's deadline, and reaches the store whole", async () => {
    const keys = connect({ url: server.url }).keyspace("default");
    await keys.put("k", 1, { timeoutMs: 99.5, ttlMs: 60_000, context: "c", consistency: "one" });
    expect(store.writes[0]?.options).toMatchObject({
      timeoutMs: 100,
      ttlMs: 60_000,
      context: "c",
      consistency: "one",
    });
  });
});
