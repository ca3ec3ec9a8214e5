import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureBuilt, MAIN, Running, temporaryFolder } from "../support/processes.ts";

// Most of what a start takes is the loading of modules: each loads what it needs, and no more.

const folder = temporaryFolder();
const DIST = new URL("../../dist/", import.meta.url).href;

beforeAll(() => ensureBuilt());
afterAll(() => folder.remove());

/** Says each module that is imported; what those require by themselves is not seen. */
const HOOKS = `
  import { writeSync } from "node:fs";
  export async function load(url, context, next) {
    writeSync(2, "loads " + url + "\\n");
    return next(url, context);
  }`;
const TELLING = `
  import { register } from "node:module";
  register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(HOOKS)}`)});`;

async function importedBy(words: readonly string[]): Promise<readonly string[]> {
  const telling = ["--import", `data:text/javascript,${encodeURIComponent(TELLING)}`];
  const { stderr } = await new Running(process.execPath, [...telling, MAIN, ...words], {
    directory: folder.path,
  }).ended;
  return [...stderr.matchAll(/^loads (file:.*)$/gm)].map(([, url = ""]) => url);
}

const STORE = /\/dist\/(strategies|storage|transports|verification|http\/routes)\//;
const TABLES = /\/(cli-table3|cli-progress)\//;

test.each([
  [["--version"], [STORE, TABLES, /\/zod\//, /\/dist\/client\//, /\/dist\/cli\/commands\//]],
  [
    ["put", "k", "1", "--url", "http://127.0.0.1:1"],
    [STORE, TABLES, /\/commands\/(?!put)/],
  ],
  [
    ["start", "--config", "nowhere.json", "--node", "n1"],
    [TABLES, /\/commands\/(?!start)/],
  ],
])("capstan %j loads its own command alone", async (words, others) => {
  const urls = await importedBy(words);
  expect(urls).toContain(`${DIST}cli/run-command-line.js`);
  for (const each of others) expect(urls.filter((url) => each.test(url))).toEqual([]);
});

test("a server loads what describes it when it is asked, and never a compiler of JSON Schema", async () => {
  const script = `
    import { createRequire } from "node:module";
    const { openStore } = await import(${JSON.stringify(`${DIST}index.js`)});
    const { serveHttp } = await import(${JSON.stringify(`${DIST}http/index.js`)});
    const { cache } = createRequire(${JSON.stringify(DIST)});
    const LARGE = ["fastify", "@fastify/swagger", "ajv", "rxjs/dist/cjs/internal/operators"];
    const loaded = () =>
      LARGE.filter((name) => Object.keys(cache).some((path) => path.includes("/" + name + "/")));
    const store = await openStore();
    const server = await serveHttp(store, { port: 0 });
    console.log(loaded().join());
    const { status } = await fetch(server.url + "/api/v1/openapi.json");
    console.log(status, loaded().join());
    process.exit();`;
  const words = ["--input-type=module", "-e", script];
  const { stdout } = await new Running(process.execPath, words, { directory: folder.path }).ended;
  expect(stdout).toBe("fastify\n200 fastify,@fastify/swagger\n");
});
