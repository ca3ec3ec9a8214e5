import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "./fake-store.ts";
import { open, parseReply, putJson, readToEnd, request, until } from "./requests.ts";

let store: FakeStore;
let server: HttpServer;

beforeEach(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0, keepAliveTimeoutMs: 60_000 });
});
afterEach(() => server.close());

/** Takes the place of the server of this test: requests have to arrive quickly. */
async function serveImpatiently(): Promise<void> {
  await server.close();
  server = await serveHttp(store, { port: 0, requestTimeoutMs: 300 });
}

const PUT = "PUT /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

/** A door that a call waits at until the test opens it. */
function door(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

function stored(): unknown {
  return store.keyspace("default").data.size;
}

describe("an answer that nobody reads", () => {
  const head = "GET /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\n\r\n";

  test("is not kept for ever", async () => {
    await serveImpatiently();
    await store.keyspace("default").put("k", "x".repeat(60_000));
    const socket = open(server.port, head.repeat(400));
    socket.pause();
    let reads = 0;
    store.interrupt = () => void reads++;
    await until(() => reads === 400);
    // What does not read notices only when it writes that the other end has gone, and what it writes
    // is a sign of life: hence seldom.
    for (let tries = 0; tries < 10 && !socket.destroyed; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      socket.write(" ");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(socket.destroyed).toBe(true);
  });

  test("does not hold up a server that closes", async () => {
    await store.keyspace("default").put("k", "x".repeat(60_000));
    const socket = open(server.port, head.repeat(400));
    socket.pause();
    let reads = 0;
    store.interrupt = () => void reads++;
    await until(() => reads === 400);
    await server.close();
    socket.destroy();
  });

  test("is something else than one that takes its time", async () => {
    await serveImpatiently();
    store.interrupt = () => new Promise((resolve) => setTimeout(resolve, 1_500));
    const reply = await request(`${server.url}/api/v1/data/k`);
    expect(reply.status).toBe(404);
  });
});

describe("half a request", () => {
  test("a client that goes in the middle of a body has written nothing", async () => {
    const socket = open(server.port, `${PUT}Content-Length: 11\r\n\r\n{"value"`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    expect((await request(`${server.url}/api/v1/data/k`)).status).toBe(404);
    expect([store.writes, stored()]).toEqual([[], 0]);
  });

  test("a body that ends before its length has written nothing", async () => {
    const socket = open(server.port, `${PUT}Content-Length: 12\r\n\r\n{"value":1}`);
    socket.end();
    await readToEnd(socket);
    expect(stored()).toBe(0);
  });

  test("slow headers and slow bodies end in 408, not applied", async () => {
    await serveImpatiently();
    const slow = [PUT, `${PUT}Content-Length: 11\r\n\r\n{"value"`];
    for (const reply of await Promise.all(slow.map((text) => readToEnd(open(server.port, text))))) {
      const { status, headers, json } = parseReply(reply);
      expect([status, headers.get("x-outcome")]).toEqual([408, "not-applied"]);
      expect(json).toMatchObject({
        ...{ code: "REQUEST_TIMEOUT", outcome: "not-applied", retry: "safe", status: 408 },
      });
    }
    expect(stored()).toBe(0);
  });

  test("a server that stood still has not begun what had not come whole, and may be asked again", async () => {
    await serveImpatiently();
    const socket = open(server.port, `${PUT}Content-Length: 11\r\n\r\n{"value"`);
    const reply = readToEnd(socket);
    await new Promise((resolve) => setTimeout(resolve, 30));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
    // What did not fit into the buffers on the way comes only once the server reads again.
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(":1}");
    const { status, json } = parseReply(await reply);
    expect([status, stored()]).toEqual([408, 0]);
    expect(json).toMatchObject({ code: "REQUEST_TIMEOUT", retry: "safe" });
  });

  test("one that was answered by its head is not answered again when its body does not come", async () => {
    await serveImpatiently();
    const head = "PUT /api/v1/data/k HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 11\r\n\r\n";
    const text = await readToEnd(open(server.port, `${head}{"value"`));
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 403"]);
  });

  test.each([
    // It is as long as 64 bits can say: the rest never comes.
    ["FFFFFFFFFFFFFFFF", 408],
    ["1FFFFFFFFFFFFFFFF", 400],
    ["-1", 400],
    ["zz", 400],
  ])("chunk size %s", async (size, expected) => {
    await serveImpatiently();
    const text = `${PUT}Transfer-Encoding: chunked\r\n\r\n${size}\r\n{"value":1}\r\n0\r\n\r\n`;
    const { status, headers } = parseReply(await readToEnd(open(server.port, text)));
    expect([status, headers.get("x-outcome")]).toEqual([expected, "not-applied"]);
    expect(stored()).toBe(0);
  });

  test("a length and chunks at once are refused", async () => {
    const both = `${PUT}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    expect(parseReply(await readToEnd(open(server.port, both))).status).toBe(400);
    expect(stored()).toBe(0);
  });
});

describe("broken bytes behind a request", () => {
  test("never answer in its place", async () => {
    const gate = door();
    store.interrupt = () => gate.opened;
    const body = '{"value":1}';
    const socket = open(server.port, `${PUT}Content-Length: 11\r\n\r\n${body}garbage\r\n\r\n`);
    const whole = readToEnd(socket);
    await until(() => store.writes.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    gate.open();
    const { status, headers, text } = parseReply(await whole);
    expect([status, headers.get("x-outcome")]).toEqual([200, "applied"]);
    expect(text).not.toContain("HTTP/1.1");
  });

  test("1,000 pipelined requests are answered in order", async () => {
    const one = "GET /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const last = "GET /api/v1/data/last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const text = await readToEnd(open(server.port, one.repeat(1_000) + last));
    expect(text.match(/HTTP\/1\.1 404/g)).toHaveLength(1_001);
    expect(text.lastIndexOf('"key":"last"')).toBeGreaterThan(text.lastIndexOf('"key":"k"'));
  });
});

describe("a client that goes while its request is under way", () => {
  test("a read is aborted by its signal", async () => {
    let aborted = false;
    let began = false;
    store.interrupt = ({ signal }) =>
      new Promise((_resolve, reject) => {
        began = true;
        signal?.addEventListener("abort", () => {
          aborted = true;
          reject(new CapstanError("ABORTED", "gone"));
        });
      });
    const socket = open(server.port, "GET /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until(() => began);
    expect(aborted).toBe(false);
    socket.destroy();
    await until(() => aborted);
  });

  test("a write is seen through, with no signal to abort it", async () => {
    const gate = door();
    let finished = false;
    store.interrupt = async ({ signal }) => {
      expect(signal).toBeUndefined();
      await gate.opened;
      finished = true;
    };
    const socket = open(server.port, `${PUT}Content-Length: 11\r\n\r\n{"value":1}`);
    await until(() => store.writes.length === 1);
    socket.destroy();
    gate.open();
    await until(() => finished);
    expect(stored()).toBe(1);
  });
});

describe("closing", () => {
  test("lets end what has begun, and ends at once what has not", async () => {
    const gate = door();
    store.interrupt = () => gate.opened;
    const idle = readToEnd(open(server.port, ""));
    const half = readToEnd(open(server.port, `${PUT}Content-Length: 11\r\n\r\n{"value"`));
    const write = putJson(`${server.url}/api/v1/data/k`, '{"value":1}');
    await until(() => store.writes.length === 1);
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    expect([await idle, await half]).toEqual(["", ""]);
    expect(closed).toBe(false);
    gate.open();
    const reply = await write;
    expect([reply.status, reply.headers.get("connection")]).toEqual([200, "close"]);
    await closing;
    await expect(request(`${server.url}/api/v1/data/k`)).rejects.toThrow();
    await server.close();
  });

  test("a request behind the one that is finished is refused, not lost in silence", async () => {
    const gate = door();
    store.interrupt = () => gate.opened;
    const put = `${PUT}Content-Length: 11\r\n\r\n{"value":1}`;
    const socket = open(server.port, put);
    const text = readToEnd(socket);
    await until(() => store.writes.length === 1);
    const closing = server.close();
    socket.write(put);
    await new Promise((resolve) => setTimeout(resolve, 30));
    gate.open();
    await closing;
    const answer = await text;
    expect(parseReply(answer).status).toBe(200);
    expect(store.writes).toHaveLength(1);
    const rest = answer.slice(answer.indexOf("HTTP/1.1", 10));
    if (answer.indexOf("HTTP/1.1", 10) !== -1) expect(parseReply(rest).status).toBe(503);
  });
});

describe("connections beyond the bound", () => {
  const GET = "GET /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const KEPT = "GET /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\n\r\n";
  let small: HttpServer;

  const serveFew = async (maxConnections: number): Promise<void> => {
    small = await serveHttp(store, { port: 0, maxConnections, keepAliveTimeoutMs: 60_000 });
  };
  afterEach(() => small.close());

  /** Opened, and known to the server. */
  async function settled(bytes: string): Promise<ReturnType<typeof open>> {
    const socket = open(small.port, bytes);
    await until(() => !socket.connecting);
    await new Promise((resolve) => setTimeout(resolve, 30));
    return socket;
  }

  test("make the one go that has been idle longest", async () => {
    await serveFew(3);
    const used = await settled("");
    const idle = await settled("");
    const half = await settled(`${PUT}Content-Length: 11\r\n\r\n{"value"`);
    used.write(KEPT);
    await new Promise((resolve) => used.once("data", resolve));
    expect(parseReply(await readToEnd(open(small.port, GET))).status).toBe(404);
    await until(() => idle.closed);
    expect([used.closed, half.closed]).toEqual([false, false]);
  });

  test("make half a request go where none is idle, and nothing of it is stored", async () => {
    await serveFew(1);
    const half = await settled(`${PUT}Content-Length: 11\r\n\r\n{"value"`);
    expect(parseReply(await readToEnd(open(small.port, GET))).status).toBe(404);
    await until(() => half.closed);
    expect(stored()).toBe(0);
  });

  test("are closed where all are at work", async () => {
    await serveFew(1);
    const gate = door();
    store.interrupt = () => gate.opened;
    const socket = open(
      small.port,
      `${PUT}Connection: close\r\nContent-Length: 11\r\n\r\n{"value":1}`,
    );
    const reply = readToEnd(socket);
    await until(() => store.writes.length === 1);
    expect(await readToEnd(open(small.port, GET))).toBe("");
    gate.open();
    expect(parseReply(await reply).status).toBe(200);
  });
});

describe("what two readers might read as different requests", () => {
  const HEAD =
    "PUT /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  const BODY = '{"value":1}';
  const CHUNKED = `b\r\n${BODY}\r\n0\r\n\r\n`;

  test.each([
    [
      "a length and chunks",
      `${HEAD}Content-Length: 11\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
    ],
    ["two lengths", `${HEAD}Content-Length: 11\r\nContent-Length: 0\r\n\r\n${BODY}`],
    ["one length twice", `${HEAD}Content-Length: 11\r\nContent-Length: 11\r\n\r\n${BODY}`],
    ["a list of lengths", `${HEAD}Content-Length: 11, 11\r\n\r\n${BODY}`],
    ["a length with a sign", `${HEAD}Content-Length: +11\r\n\r\n${BODY}`],
    ["a length in hex", `${HEAD}Content-Length: 0xb\r\n\r\n${BODY}`],
    ["a space before the colon", `${HEAD}Transfer-Encoding : chunked\r\n\r\n${CHUNKED}`],
    ["another coding than chunks", `${HEAD}Transfer-Encoding: xchunked\r\n\r\n${CHUNKED}`],
    [
      "chunks that are not the last coding",
      `${HEAD}Transfer-Encoding: chunked, gzip\r\n\r\n${CHUNKED}`,
    ],
    [
      "a header that is folded",
      `${HEAD}Transfer-Encoding:\r\n chunked\r\nX: a\r\n b\r\n\r\n${CHUNKED}`,
    ],
    ["a header behind a lone carriage return", `${HEAD}X: a\rTransfer-Encoding: chunked\r\n\r\n`],
    ["a NUL in a header", `${HEAD}X: a\0b\r\nContent-Length: 11\r\n\r\n${BODY}`],
    ["a chunk's size with a prefix", `${HEAD}Transfer-Encoding: chunked\r\n\r\n0x${CHUNKED}`],
    [
      "a chunk that is longer than it says",
      `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n${BODY}\r\n0\r\n\r\n`,
    ],
    ["no host", `PUT /api/v1/data/k HTTP/1.1\r\nContent-Length: 11\r\n\r\n${BODY}`],
  ])("%s is refused once, and nothing is stored", async (_name, text) => {
    await serveImpatiently();
    const answer = await readToEnd(open(server.port, text));
    expect(parseReply(answer).status).toBeGreaterThanOrEqual(400);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toHaveLength(1);
    expect([store.writes, stored()]).toEqual([[], 0]);
  });

  test("a write in the body of a read is no write", async () => {
    const inner = `${HEAD}Content-Length: 11\r\n\r\n${BODY}`;
    const head = "GET /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    const answer = await readToEnd(
      open(server.port, `${head}Content-Length: ${inner.length}\r\n\r\n${inner}`),
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 404"]);
    expect(stored()).toBe(0);
  });
});
