import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buffersInExportedTypes } from "./architecture/module-rules.ts";
import { listFiles, parseFile, repositoryRoot, type SourceFile } from "./architecture/project.ts";
import {
  Consumer,
  expectSuccess,
  MODULE_RESOLUTIONS,
  type PackageManifest,
  runTool,
} from "./package/consumer.ts";
import { docSamples, programOf, SURROUNDINGS } from "./package/doc-samples.ts";
import { runnableBlocks } from "./package/readme-blocks.ts";

// The package as its users get it: packed, installed into an empty project, imported, type-checked
// and run there. Reads dist/, so it needs a build.

const manifest: PackageManifest = JSON.parse(read("package.json"));
const blocks = ["README.md", "docs/keyspaces.md"].flatMap((page) =>
  runnableBlocks(read(page)).map((block) => ({ page, ...block })),
);
const resolutions = Object.keys(MODULE_RESOLUTIONS) as (keyof typeof MODULE_RESOLUTIONS)[];
const entryPoints = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string" ? [] : [{ name: posix.join("capstan", subpath), types: target.types }],
);

let consumer: Consumer;

beforeAll(() => {
  if (!existsSync(`${repositoryRoot}dist/index.js`)) {
    throw new Error("dist/ is missing: run npm run build first");
  }
  consumer = new Consumer(manifest);
});

afterAll(() => consumer?.remove());

test("holds the built files and the pages that belong to them, and nothing else", () => {
  const files = consumer.installedFiles();
  const others = files.filter((path) => !path.startsWith("dist/"));
  expect(others.filter((path) => !path.startsWith("docs/")).sort()).toEqual([
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "package.json",
  ]);
  expect(others.filter((path) => path.startsWith("docs/"))).toContain("docs/errors.md");
});

test("every page that the README links to comes with the package", () => {
  const files = consumer.installedFiles();
  const readme = readFileSync("README.md", "utf8");
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(
    ([, path]) => path as string,
  );
  expect(links.length).toBeGreaterThan(0);
  const missing = links.filter(
    (link) => !files.some((path) => path === link || path.startsWith(`${link}/`)),
  );
  expect(missing).toEqual([]);
});

test("holds no file of a kind that nobody reads", () => {
  const files = consumer.installedFiles();
  expect(files.filter((path) => !/\.(js|d\.ts|md|json)$|^LICENSE$/.test(path))).toEqual([]);
});

test("publint has nothing to say", () => {
  expectSuccess(runTool("publint/src/cli.js", "run", consumer.tarball, "--strict"));
});

test("the types are right for every entry point", () => {
  const args = ["--profile", "esm-only", "--no-definitely-typed", consumer.tarball];
  expectSuccess(runTool("@arethetypeswrong/cli/dist/index.js", ...args));
});

test("the command line starts and knows its version", () => {
  const { stdout } = expectSuccess(consumer.node("node_modules/.bin/capstan", "--version"));
  expect(stdout.trim()).toBe(manifest.version);
});

describe.each(entryPoints)("$name", ({ name, types }) => {
  test("can be imported", () => {
    const script = `const all = await import("${name}"); process.stdout.write(typeof all);`;
    const { stdout, stderr } = expectSuccess(
      consumer.node("--input-type=module", "--eval", script),
    );
    expect({ stdout, stderr }).toEqual({ stdout: "object", stderr: "" });
  });

  test("can be required, because no module awaits at its top level", () => {
    expectSuccess(consumer.node("--input-type=commonjs", "--eval", `require("${name}")`));
  });

  test("says Uint8Array, never Buffer, in its public types", () => {
    const findings = buffersInExportedTypes(declarationsFrom(types));
    expect(findings.map(({ path, line }) => `${path}:${line}`)).toEqual([]);
  });

  test.each(resolutions)("has sound declarations under %s", (resolution) => {
    consumer.write("entry.ts", `export * as all from "${name}";\n`);
    expect(consumer.typeErrors(resolution, ["entry.ts"])).toEqual([]);
  });
});

describe("runnable blocks of pages", () => {
  test("there are", () => {
    expect(new Set(blocks.map(({ page }) => page)).size).toBe(2);
  });

  test.each(blocks)("$page: the block at line $line runs", (block) => {
    const { page, language, code, line, prints } = block;
    const file = `${page.replaceAll(/\W+/g, "-")}-line-${line}.${language}`;
    consumer.write(file, code);
    const loader = `file://${repositoryRoot}node_modules/tsx/dist/esm/index.mjs`;
    const loaders = language === "ts" ? ["--import", loader] : [];
    const { stdout } = expectSuccess(consumer.node(...loaders, file));
    const printed = stdout.split("\n");
    expect(printed.filter((text) => prints.includes(text.trimEnd()))).toEqual(prints);
  });

  test.each(blocks.flatMap((block) => resolutions.map((resolution) => ({ ...block, resolution }))))(
    "$page: the block at line $line compiles under $resolution",
    ({ resolution, page, ...block }) => {
      const file = `${page.replaceAll(/\W+/g, "-")}-run-${block.line}.${block.language}`;
      consumer.write(file, block.code);
      expect(consumer.typeErrors(resolution, [file])).toEqual([]);
    },
  );
});

test.each(resolutions)(
  "every sample of the README and of docs/ compiles under %s",
  (resolution) => {
    const pages = ["README.md", ...listFiles("docs").filter((path) => path.endsWith(".md"))];
    const files = pages
      .flatMap((page) => docSamples(page, read(page)))
      .map(({ page, line, code }) => {
        const file = `${page.replaceAll(/\W+/g, "-")}-line-${line}.ts`;
        consumer.write(file, programOf(code, "./surroundings.js"));
        return file;
      });
    consumer.write("surroundings.ts", SURROUNDINGS);
    expect(files.length).toBeGreaterThan(10);
    expect(consumer.typeErrors(resolution, files)).toEqual([]);
  },
);

describe("samples of pages", () => {
  test("are all blocks of TypeScript, by their page and their line", () => {
    const page = [
      "# Page",
      "```ts",
      "a();",
      "```",
      "```sh",
      "ls",
      "```",
      "```ts runnable",
      "b();",
      "```",
    ];
    expect(docSamples("p.md", page.join("\n"))).toEqual([
      { page: "p.md", line: 3, code: "a();\n" },
      { page: "p.md", line: 9, code: "b();\n" },
    ]);
  });

  test("are given what they name and do not make, and a part of a configuration its whole", () => {
    const sample = 'const notes = store.keyspace("carts");\n';
    expect(programOf(sample, "./s.js")).toMatch(/^import { store } from ".\/s.js";\n/);
    expect(programOf("const a = 1;\n", "./s.js")).not.toContain("./s.js");
    expect(programOf('storage: { type: "memory" } // here\n', "./s.js")).toContain(
      'defineConfig({\nstorage: { type: "memory" } // here\n})',
    );
  });
});

describe("runnable blocks", () => {
  test("are found by their fence, with what they say that they print", () => {
    const page = [
      "# Page",
      "```js runnable",
      "console.log(1 + 1); // → 2",
      "```",
      "```ts",
      "const notRun = true;",
      "```",
      "```ts runnable",
      "const a: number = 1;",
      "```",
    ].join("\n");
    expect(runnableBlocks(page)).toEqual([
      { language: "js", code: "console.log(1 + 1); // → 2\n", line: 3, prints: ["2"] },
      { language: "ts", code: "const a: number = 1;\n", line: 9, prints: [] },
    ]);
  });
});

/** The installed declarations that can be reached from one of them. */
function declarationsFrom(entry: string): SourceFile[] {
  const found = new Map<string, SourceFile>();
  const queue = [posix.join("node_modules/capstan", entry)];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (found.has(path)) continue;
    const file = parseFile(path, consumer.read(path));
    found.set(path, file);
    for (const { target } of file.imports) {
      if (target !== undefined) queue.push(target.replace(/(\.d)?\.ts$/, ".d.ts"));
    }
  }
  return [...found.values()];
}

function read(path: string): string {
  return readFileSync(repositoryRoot + path, "utf8");
}
