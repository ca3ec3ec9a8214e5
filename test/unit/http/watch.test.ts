import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { decodeValue } from "../../../src/core/model/values.ts";
import type { WatchEvent } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore, type FakeWatch } from "./fake-store.ts";
import { open, request } from "./requests.ts";

let store: FakeStore;
let server: HttpServer;
const streams: Stream[] = [];

beforeEach(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0, maxWatches: 2, watchHeartbeatMs: 40 });
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.leave();
  await server.close();
});

const path = "/api/v1/keyspaces/accounts/watch";
const put = (index: number, value: unknown = index): WatchEvent<unknown> => ({
  ...{ type: "put", key: `k${index}`, value, version: `v${index}`, cursor: `c${index}` },
});

/** What comes in over one stream. */
class Stream {
  readonly #abort = new AbortController();
  readonly response: Promise<Response>;
  text = "";
  ended = false;

  constructor(query = "", headers: Record<string, string> = {}) {
    this.response = fetch(server.url + path + query, { headers, signal: this.#abort.signal });
    void this.#read().catch(() => {
      this.ended = true;
    });
    streams.push(this);
  }

  async #read(): Promise<void> {
    const reader = (await this.response).body?.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) break;
      this.text += value;
    }
    this.ended = true;
  }

  leave(): void {
    this.#abort.abort();
  }

  /** Fields of each event so far. */
  get events(): readonly Record<string, string>[] {
    return this.text
      .split("\n\n")
      .filter((block) => /^id: |^event: /.test(block))
      .map((block) =>
        Object.fromEntries(
          block.split("\n").map((line) => {
            const colon = line.indexOf(": ");
            return [line.slice(0, colon), line.slice(colon + 2)];
          }),
        ),
      );
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 500) throw new Error(`it did not come to be: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

async function begin(
  query?: string,
  headers?: Record<string, string>,
): Promise<readonly [Stream, FakeWatch]> {
  const before = store.watches.length;
  const stream = new Stream(query, headers);
  await until(() => store.watches.length > before);
  return [stream, store.watches.at(-1) as FakeWatch];
}

describe("a watch over HTTP", () => {
  test("gives each event with its type, its cursor as id, and its fields as JSON", async () => {
    const [stream, watch] = await begin("?prefix=a%2F&timeout_ms=900");
    expect(watch.options).toEqual({ prefix: "a/", timeoutMs: 900 });
    watch.push({ type: "synced", cursor: "c0" });
    watch.push(put(1, { text: "two\nlines" }));
    watch.push({ type: "delete", key: "k2", version: "v2", cursor: "c2" });
    watch.push({ type: "conflict", key: "k3", siblings: [1, "b"], version: "v3", cursor: "c3" });
    watch.push({ type: "gap", reason: "because", cursor: "c4" });
    await until(() => stream.events.length === 5);
    const response = await stream.response;
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(stream.events.map(({ id, event, data }) => [id, event, JSON.parse(data ?? "")])).toEqual(
      [
        ["c0", "synced", { type: "synced" }],
        ["c1", "put", { type: "put", key: "k1", value: { text: "two\nlines" }, version: "v1" }],
        ["c2", "delete", { type: "delete", key: "k2", version: "v2" }],
        ["c3", "conflict", { type: "conflict", key: "k3", siblings: [1, "b"], version: "v3" }],
        ["c4", "gap", { type: "gap", reason: "because" }],
      ],
    );
  });

  test("gives values in their encoding to those who ask, and says what JSON cannot hold", async () => {
    const value = { at: new Date(0), bytes: new Uint8Array([1]) };
    const [plain, first] = await begin();
    const [whole, second] = await begin("?values=canonical");
    first.push(put(1, value));
    second.push(put(1, value));
    await until(() => plain.events.length + whole.events.length === 2);
    const inJson = JSON.parse(plain.events[0]?.data ?? "");
    expect(inJson).toMatchObject({ key: "k1", omitted: expect.stringContaining("JSON") });
    expect(inJson).not.toHaveProperty("value");
    const encoded = JSON.parse(whole.events[0]?.data ?? "").value as string;
    expect(decodeValue(Buffer.from(encoded, "base64url"))).toEqual(value);
  });

  test("goes on behind a cursor, and behind the last event that a browser saw", async () => {
    expect((await begin("?cursor=c7"))[1].options.cursor).toBe("c7");
    const [, again] = await begin("?cursor=c7", { "last-event-id": "c9" });
    expect(again.options.cursor).toBe("c9");
  });

  test("sends comments while nothing happens", async () => {
    const [stream] = await begin();
    await until(() => (stream.text.match(/^: /gm)?.length ?? 0) >= 3);
    expect(stream.events).toEqual([]);
  });

  test("lets go of the store's watch when the client goes", async () => {
    const [stream] = await begin();
    stream.leave();
    await until(() => store.watches.length === 0);
    expect(store.watches).toEqual([]);
  });

  test("lets go of watches that wait behind another one of their connection", async () => {
    const { host } = new URL(server.url);
    const socket = open(server.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(4));
    await until(() => store.watches.length > 0);
    await new Promise(setImmediate);
    // As many as may be, though they came all at once.
    expect(store.watches).toHaveLength(2);
    socket.destroy();
    await until(() => store.watches.length === 0);
    await begin();
  });

  test("ends with the store's, and says why when that is a fault", async () => {
    const [closed, first] = await begin();
    first.push(put(1));
    first.end();
    await until(() => closed.ended);
    expect(closed.events.map(({ event }) => event)).toEqual(["put"]);

    const [failed, second] = await begin();
    second.push(put(1));
    second.end(new CapstanError("STORE_FAILED", "the disk is gone"));
    await until(() => failed.ended);
    const last = failed.events.at(-1);
    expect(last).toMatchObject({ event: "fault" });
    expect(last).not.toHaveProperty("id");
    expect(JSON.parse(last?.data ?? "")).toMatchObject({ code: "STORE_FAILED", status: 503 });
  });

  test("ends at once when the server closes", async () => {
    const [stream, watch] = await begin();
    watch.push(put(1));
    await until(() => stream.events.length === 1);
    await server.close();
    await until(() => stream.ended);
    expect(stream.events).toHaveLength(1);
    expect(store.watches).toEqual([]);
  });

  test("keeps a slow client's events within the store's bound, and cuts one that takes none", async () => {
    const socket = open(server.port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    socket.pause();
    await until(() => store.watches.length === 1);
    const watch = store.watches[0] as FakeWatch;
    for (let index = 0; index < 400; index++) watch.push(put(index, "x".repeat(50_000)));
    await until(() => store.watches.length === 0);
    expect(store.watches).toEqual([]);
    socket.destroy();
  });
});

describe("what a watch over HTTP refuses", () => {
  const get = (query = "", headers: Record<string, string> = {}, at = path) =>
    request(server.url + at + query, { headers });

  test("refuses with a status, before the stream begins", async () => {
    const replies = [
      await get("?cursor=damaged"),
      await get("", {}, "/api/v1/watch"),
      await get("", {}, "/api/v1/keyspaces/nowhere/watch"),
      await get("", { accept: "application/json" }),
      await get("?prefx=a"),
      await get("?values=xml"),
      await get("?timeout_ms=0"),
    ];
    expect(replies.map(({ status, json }) => [status, json.code])).toEqual([
      [400, "INVALID_CURSOR"],
      [422, "NOT_SUPPORTED"],
      [404, "UNKNOWN_KEYSPACE"],
      [406, "NOT_REPRESENTABLE"],
      [400, "INVALID_ARGUMENT"],
      [400, "INVALID_ARGUMENT"],
      [400, "INVALID_ARGUMENT"],
    ]);
    expect(replies[4]?.json.allowed).toEqual(["prefix", "cursor", "values", "timeout_ms"]);
  });

  test("refuses more streams than its bound, until one ends", async () => {
    const [first] = await begin();
    await begin();
    const refused = await get();
    expect([refused.status, refused.json.code]).toEqual([429, "OVERLOADED"]);
    expect(refused.json.detail).toContain("http.maxWatches");
    first.leave();
    await until(() => store.watches.length === 1);
    await begin();
    expect(store.watches).toHaveLength(2);
  });
});
