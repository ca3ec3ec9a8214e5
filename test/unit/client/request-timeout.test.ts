import { expect, test } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { serveHttp } from "../../../src/http/index.ts";
import { rawProblem } from "../../../src/http/problem.ts";
import { openStore } from "../../../src/open-store.ts";

/** What a server says that stood still while a request was on its way: the real one's words. */
function late(): Response {
  const [head = "", body = ""] = rawProblem(408, "Request Timeout", "late").split("\r\n\r\n");
  const lines = head.split("\r\n").slice(1);
  const headers = lines.map((line) => line.split(": ") as [string, string]);
  return new Response(body, { status: 408, headers });
}

/** A client whose first `count` requests of method PUT are answered with 408. */
async function withLateServer<T>(
  count: number,
  use: (
    put: () => Promise<unknown>,
    get: () => Promise<unknown>,
    asked: () => number,
  ) => Promise<T>,
): Promise<T> {
  const store = await openStore();
  const server = await serveHttp(store, { port: 0 });
  let asked = 0;
  const client = connect({
    url: server.url,
    fetch: (input, init) => {
      if (init?.method !== "PUT") return fetch(input, init);
      return ++asked <= count ? Promise.resolve(late()) : fetch(input, init);
    },
  });
  try {
    const keyspace = client.keyspace("default");
    return await use(
      () => keyspace.put("k", 1),
      () => keyspace.get("k"),
      () => asked,
    );
  } finally {
    await client.close();
    await server.close();
    await store.close();
  }
}

test("a write that did not arrive in time is sent again to the same server", () =>
  withLateServer(2, async (put, get, asked) => {
    await put();
    expect(await get()).toMatchObject({ found: true, value: 1 });
    expect(asked()).toBe(3);
  }));

test("and is not applied, and safe to repeat, where it never arrives", () =>
  withLateServer(9, async (put, get, asked) => {
    await expect(put()).rejects.toMatchObject({
      ...{ code: "REQUEST_TIMEOUT", outcome: "not-applied", retry: "safe" },
    });
    expect(asked()).toBe(3);
    expect(await get()).toMatchObject({ found: false });
  }));

test("but is unknown where an earlier try of it may have arrived", async () => {
  const store = await openStore();
  const server = await serveHttp(store, { port: 0 });
  let asked = 0;
  const client = connect({
    url: server.url,
    fetch: (input, init) => {
      if (init?.method !== "PUT") return fetch(input, init);
      asked++;
      const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });
      if (asked === 1) return Promise.reject(new TypeError("fetch failed", { cause: reset }));
      return Promise.resolve(late());
    },
  });
  await expect(client.keyspace("default").put("k", 1)).rejects.toMatchObject({
    ...{ code: "OUTCOME_UNKNOWN", outcome: "unknown", retry: "same-operation-id" },
  });
  await client.close();
  await server.close();
  await store.close();
});
