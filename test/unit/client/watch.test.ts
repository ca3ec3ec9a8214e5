import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Client, type ConnectOptions, connect } from "../../../src/client/index.ts";
import { CapstanError } from "../../../src/core/model/errors.ts";
import type { WatchEvent, WatchOptions } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore, type FakeWatch } from "../http/fake-store.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { type Fate, FlakyProxy } from "./flaky-proxy.ts";

let store: FakeStore;
let server: HttpServer;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0 });
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await server.close();
});

function open(options: Partial<ConnectOptions> = {}): Client {
  const client = connect({ url: server.url, ...options });
  closers.push(() => client.close());
  return client;
}

function watch(client: Client, options?: WatchOptions, keyspace = "accounts") {
  return client.keyspace(keyspace).watch(options)[Symbol.asyncIterator]() as AsyncIterator<
    WatchEvent<unknown>,
    undefined
  >;
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1_000) throw new Error(`it did not come to be: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

/** The watch that a request has opened at the store, beside those that were there. */
async function opened(count = 1): Promise<FakeWatch> {
  await until(() => store.watches.length >= count);
  return store.watches[count - 1] as FakeWatch;
}

const put = (index: number, value: unknown = index): WatchEvent<unknown> => ({
  ...{ type: "put", key: `k${index}`, value, version: `v${index}`, cursor: `c${index}` },
});

describe("a client's watch", () => {
  test("gives the same events as the embedded store, values whole", async () => {
    const iterator = watch(open(), { prefix: "a", cursor: "c", timeoutMs: 500 });
    const waiting = iterator.next();
    const far = await opened();
    expect(far.options).toEqual({ prefix: "a", cursor: "c", timeoutMs: 500 });
    const events: WatchEvent<unknown>[] = [
      { type: "synced", cursor: "c0" },
      put(1, { at: new Date(0), bytes: new Uint8Array([1]), big: 5n }),
      put(2, null),
      { type: "delete", key: "k3", version: "v3", cursor: "c3" },
      { type: "expire", key: "k3", version: "v4", cursor: "c4" },
      { type: "conflict", key: "k", siblings: [1, new Date(1)], version: "v", cursor: "c5" },
      { type: "gap", reason: "because", cursor: "c6" },
    ];
    for (const event of events) far.push(event);
    expect((await waiting).value).toEqual(events[0]);
    for (const event of events.slice(1)) expect((await iterator.next()).value).toEqual(event);
    await iterator.return?.();
    await until(() => store.watches.length === 0);
  });

  test("ends what waits when the reader goes, aborts, or closes the client", async () => {
    const client = open();
    const left = watch(client);
    const waiting = left.next();
    await opened();
    await left.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });

    const controller = new AbortController();
    const aborted = watch(client, { signal: controller.signal }).next();
    await until(() => store.watches.length > 0);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });

    const closed = watch(client).next();
    await until(() => store.watches.length > 0);
    await client.close();
    expect(await closed).toEqual({ done: true, value: undefined });
    await expect(watch(client).next()).rejects.toMatchObject({ code: "STORE_CLOSED" });
    await until(() => store.watches.length === 0);
  });

  test("ends when it is aborted, also where garbage was collected since it began", async () => {
    const client = open();
    for (let round = 1; round <= 5; round++) {
      const controller = new AbortController();
      const aborted = watch(client, { signal: controller.signal }).next();
      await opened();
      // The answer's head is here as well.
      await new Promise((resolve) => setTimeout(resolve, 10));
      collectGarbage();
      controller.abort();
      await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
      await until(() => store.watches.length === 0);
    }
  });

  test("goes on behind the last event when its connection is lost", async () => {
    let fate: Fate = "pass";
    const proxy = await FlakyProxy.start(server.port, () => fate);
    closers.push(() => proxy.close());
    const iterator = watch(open({ url: proxy.url }), { cursor: "c0", timeoutMs: 10_000 });
    const first = iterator.next();
    (await opened()).push({ type: "synced", cursor: "c1" });
    await first;
    fate = "cut";
    (await opened()).end();
    const second = iterator.next();
    await until(() => proxy.seen.length >= 4);
    fate = "pass";
    const far = await opened();
    // In step it was, and need not be in time again.
    expect(far.options).toEqual({ cursor: "c1" });
    far.push(put(2));
    expect((await second).value).toMatchObject({ key: "k2" });
  });

  test("goes on at another server when its own closes", async () => {
    const other = await serveHttp(store, { port: 0 });
    closers.push(() => other.close());
    const iterator = watch(open({ url: [server.url, other.url] }));
    const first = iterator.next();
    (await opened()).push(put(1));
    expect((await first).value).toMatchObject({ key: "k1" });
    const second = iterator.next();
    await server.close();
    const far = await opened();
    expect(far.options).toEqual({ cursor: "c1" });
    far.push(put(2));
    expect((await second).value).toMatchObject({ key: "k2" });
  });

  test("fails with the server's refusal, and with its fault", async () => {
    const client = open();
    await expect(watch(client, {}, "default").next()).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
    const damaged = watch(client, { cursor: "damaged" }).next();
    await expect(damaged).rejects.toMatchObject({ code: "INVALID_CURSOR" });

    const iterator = watch(client);
    const waiting = iterator.next();
    (await opened()).end(new CapstanError("STORE_FAILED", "the disk is gone"));
    await expect(waiting).rejects.toMatchObject({ code: "STORE_FAILED", message: /disk/ });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test("fails when no server can be reached, at first and later", async () => {
    const nowhere = open({ url: "http://127.0.0.1:1" });
    await expect(watch(nowhere).next()).rejects.toMatchObject({ code: "UNREACHABLE_SERVER" });

    const iterator = watch(open({ timeoutMs: 300 }));
    const first = iterator.next();
    (await opened()).push(put(1));
    await first;
    const lost = iterator.next();
    await server.close();
    await expect(lost).rejects.toMatchObject({ code: "UNREACHABLE_SERVER" });
  });

  test("fails when the server takes the request and says nothing, and goes on at one that does", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    const url = await new Promise<string>((resolve) =>
      silent.listen(0, "127.0.0.1", () => {
        resolve(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
      }),
    );
    try {
      await expect(watch(open({ url, timeoutMs: 100 })).next()).rejects.toMatchObject({
        code: "UNREACHABLE_SERVER",
        message: expect.stringContaining("no answer came within 100 ms"),
      });
      const first = watch(open({ url: [url, server.url], timeoutMs: 400 })).next();
      (await opened()).push(put(1));
      expect((await first).value).toMatchObject({ key: "k1" });
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  test("refuses options that it does not know", async () => {
    const wrong = watch(open(), { prefx: "a" } as WatchOptions).next();
    await expect(wrong).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("cursor, prefix, signal, timeoutMs"),
    });
  });
});
