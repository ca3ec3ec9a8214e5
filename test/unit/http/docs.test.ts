import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Store } from "../../../src/core/store/api.ts";
import { serveHttp } from "../../../src/http/index.ts";
import { openStore } from "../../../src/open-store.ts";
import { request } from "./requests.ts";

const page = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8");

interface Example {
  readonly status: number;
  readonly path: string;
  readonly init: RequestInit;
}

/** Lines of `curl`, each below a comment with the status that it should get. */
function examples(): Example[] {
  return [...page.matchAll(/^# (\d{3})\ncurl (.*)$/gm)].map(([, status, command = ""]) => {
    const argument = (pattern: RegExp) =>
      [...command.matchAll(pattern)].map((match) => match[1] ?? "");
    const [body] = argument(/-d '([^']*)'/g);
    const headers = argument(/-H '([^']*)'/g).map((each) => each.split(": ") as [string, string]);
    return {
      status: Number(status),
      path: argument(/'http:\/\/127\.0\.0\.1:8401([^']*)'/g)[0] as string,
      init: {
        method: argument(/-X (\w+)/g)[0] ?? "GET",
        headers,
        ...(body === undefined ? {} : { body }),
      },
    };
  });
}

test("the page's examples get the statuses that it says, and its routes are there", async () => {
  const store: Store = await openStore();
  const server = await serveHttp(store, { port: 0 });
  const all = examples();
  expect(all).toHaveLength(page.match(/^curl /gm)?.length ?? 0);
  for (const { status, path, init } of all) {
    const reply = await request(server.url + path, init);
    expect(`${init.method} ${path} ${reply.status}`).toBe(`${init.method} ${path} ${status}`);
  }
  const { json } = await request(`${server.url}/api/v1/openapi.json`);
  const offered = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const documented = [...page.matchAll(/^\| `([A-Z]+ \/api\S+)` \|/gm)].map((match) => match[1]);
  const plain = offered.filter((route) => !/^HEAD|\{keyspace\}/.test(route));
  expect(documented.sort()).toEqual(plain.sort());
  await server.close();
  await store.close();
});
