import { describe, expect, test } from "vitest";
import { expectedRow } from "./architecture/error-registry.ts";
import { staleExceptions, withoutExceptions } from "./architecture/exceptions.ts";
import { type House, parseFile } from "./architecture/project.ts";
import { RULES } from "./architecture/rules.ts";
import { longFiles } from "./architecture/sizes.ts";

// A rule that cannot fail protects nothing: each one meets small sources that break it, and their
// well-behaved twins, which it has to leave alone.

interface Sample {
  readonly shows: string;
  /** From path to text. */
  readonly files?: Readonly<Record<string, string>>;
  readonly house?: Partial<House>;
  /** `path:line` and a part of the message of each finding, in order; none for a good sample. */
  readonly expected: readonly (readonly [place: string, message: string])[];
}

const raft = "src/strategies/raft/log.ts";
const store = "src/core/store/store.ts";
const model = "src/core/model/codec.ts";

const samples: Readonly<Record<string, readonly Sample[]>> = {
  "every file parses": [
    {
      shows: "a syntax error",
      files: { [model]: "export const = 1;" },
      expected: [[`${model}:1`, ""]],
    },
  ],

  "imports follow the arrows of the architecture": [
    {
      shows: "the core that reaches outwards, by any way to import",
      files: {
        [model]: [
          'import type { Strategy } from "../contracts/strategy.ts";',
          'export { lww } from "../../resolvers/lww.ts";',
          'export * from "../store/store.ts";',
          'export type Log = import("../../storage/disk/log.ts").Log;',
          'export const later = () => import("../../http/index.ts");',
          'export const worker = new URL("../../storage/disk/worker.ts", import.meta.url);',
        ].join("\n"),
      },
      expected: [
        [`${model}:1`, "may not import src/core/contracts/strategy.ts; it may import itself"],
        [`${model}:2`, "may not import src/resolvers/lww.ts"],
        [`${model}:3`, "may not import src/core/store/store.ts"],
        [`${model}:4`, "may not import src/storage/disk/log.ts"],
        [`${model}:5`, "may not import src/http/index.ts"],
        [`${model}:6`, "may not import src/storage/disk/worker.ts"],
      ],
    },
    {
      shows: "the contracts, which may import the model and nothing else",
      files: {
        "src/core/contracts/strategy.ts":
          'import "../model/ids.ts";\nimport "../store/store.ts";\nimport "rxjs";',
      },
      expected: [
        ["src/core/contracts/strategy.ts:2", "may not import src/core/store/store.ts"],
        ["src/core/contracts/strategy.ts:3", 'the package "rxjs"; it may import zod'],
      ],
    },
    {
      shows: "packages and Node modules that a room does not list",
      files: {
        [model]: 'import "sorted-btree";\nimport "node:crypto";\nimport "node:fs";\nimport "net";',
        [raft]: 'import "rxjs/operators";\nimport "sorted-btree";',
        [store]: 'import "rxjs";\nimport "inversify";\nimport "@fastify/swagger/x";',
        "src/http/index.ts": 'import "inversify";\nimport "@fastify/swagger";',
      },
      expected: [
        [`${model}:1`, 'the package "sorted-btree"'],
        [`${model}:3`, 'does no I/O and may not import "node:fs"'],
        [`${model}:4`, 'does no I/O and may not import "net"'],
        [`${raft}:1`, 'the package "rxjs"'],
        [`${store}:3`, 'the package "@fastify/swagger"'],
        ["src/http/index.ts:1", 'the package "inversify"'],
      ],
    },
    {
      shows: "plug-ins that import each other, save those that stand on leaderless",
      files: {
        [raft]: 'import "./votes.ts";\nimport "../leaderless/hints.ts";\nimport "../shared.ts";',
        "src/strategies/shared.ts": 'import "./raft/log.ts";\nimport "../core/model/ids.ts";',
        "src/strategies/dynamo/coordinator.ts":
          'import "../leaderless/hints.ts";\nimport "../shared.ts";\nimport "../tunable/levels.ts";',
        "src/transports/tcp/tcp.ts":
          'import "../chunks.ts";\nimport "../memory/hub.ts";\nimport "../../storage/memory/log.ts";',
      },
      expected: [
        [`${raft}:2`, "may not import src/strategies/leaderless/hints.ts"],
        ["src/strategies/shared.ts:1", "may not import src/strategies/raft/log.ts"],
        ["src/strategies/dynamo/coordinator.ts:3", "may not import src/strategies/tunable/levels"],
        ["src/transports/tcp/tcp.ts:2", "may not import src/transports/memory/hub.ts"],
        ["src/transports/tcp/tcp.ts:3", "may not import src/storage/memory/log.ts"],
      ],
    },
    {
      shows: "plug-ins that are bound anywhere but in src/built-ins.ts",
      files: {
        [store]: 'import "../../strategies/raft/log.ts";',
        "src/built-ins.ts": 'import "./strategies/raft/log.ts";\nimport "inversify";',
        "src/open-store.ts": 'import "./built-ins.ts";\nimport "./strategies/raft/log.ts";',
        "src/simulation/world.ts": 'import "../strategies/raft/log.ts";',
        "src/conformance/log-store.ts": 'import "../storage/memory/log.ts";\nimport "vitest";',
      },
      expected: [
        [`${store}:1`, "may not import src/strategies/raft/log.ts"],
        ["src/open-store.ts:2", "may not import src/strategies/raft/log.ts"],
        ["src/simulation/world.ts:1", "may not import src/strategies/raft/log.ts"],
        ["src/conformance/log-store.ts:1", "may not import src/storage/memory/log.ts"],
        ["src/conformance/log-store.ts:2", 'may not import the package "vitest"'],
      ],
    },
    {
      shows: "the client, which may know types of the store and no code of it",
      files: {
        "src/client/index.ts": [
          'import type { Keyspace } from "../core/store/keyspace.ts";',
          'import { type Keyspace as K } from "../core/store/keyspace.ts";',
          'import { openKeyspace } from "../core/store/keyspace.ts";',
          'export { CapstanError } from "../core/model/errors.ts";',
        ].join("\n"),
      },
      expected: [["src/client/index.ts:3", 'only types of src/core/store/keyspace.ts; write "imp']],
    },
    {
      shows: "examples, which use the package as its users do",
      files: { "examples/carts.ts": 'import "capstan/client";\nimport "../src/index.ts";' },
      expected: [["examples/carts.ts:2", "may not import src/index.ts"]],
    },
    {
      shows: "a file that lies in no room",
      files: { "src/helpers/misc.ts": "" },
      expected: [["src/helpers/misc.ts:1", "lies in no room"]],
    },
  ],

  "relative imports name the source file": [
    {
      shows: "a specifier that only the build, or only a bundler, would understand",
      files: { [model]: 'import "./ids.js";\nimport "./bytes";\nimport "./levels.ts";' },
      expected: [
        [`${model}:1`, '"./ids.js"'],
        [`${model}:2`, '"./bytes"'],
      ],
    },
  ],

  "nothing reads the real clock": [
    {
      shows: "clocks",
      files: {
        [store]: [
          "const a = Date.now();",
          "const b = new Date();",
          "const c = Date();",
          "const d = performance.now();",
          "const e = process.hrtime.bigint();",
          "const f = globalThis.Date.now;",
          "const { now } = Date;",
          'import { performance as p } from "node:perf_hooks";',
          'const g = process["uptime"]();',
        ].join("\n"),
      },
      expected: [
        [`${store}:8`, '"node:perf_hooks" is banned here; use monotonicMs() or wallMs()'],
        [`${store}:1`, "Date.now is banned here; use monotonicMs() or wallMs()"],
        [`${store}:4`, "performance is banned"],
        [`${store}:5`, "process.hrtime is banned"],
        [`${store}:6`, "Date.now is banned"],
        [`${store}:7`, "Date.now is banned"],
        [`${store}:8`, "performance is banned"],
        [`${store}:9`, "process.uptime is banned"],
        [`${store}:2`, "use new Date(wallMs())"],
        [`${store}:3`, "use new Date(wallMs())"],
      ],
    },
    {
      shows: "timers",
      files: {
        "src/transports/tcp/tcp.ts": [
          "setTimeout(() => {}, 1);",
          "const later = { setInterval };",
          "globalThis.setImmediate(run);",
          "queueMicrotask(run);",
          "process.nextTick(run);",
          "const signal = AbortSignal.timeout(5);",
          "clearTimeout(later);",
          'import { setTimeout as sleep } from "node:timers/promises";',
        ].join("\n"),
      },
      expected: [
        ["src/transports/tcp/tcp.ts:8", '"node:timers/promises" is banned here; use setTimer()'],
        ["src/transports/tcp/tcp.ts:1", "setTimeout is banned here; use setTimer()"],
        ["src/transports/tcp/tcp.ts:2", "setInterval is banned"],
        ["src/transports/tcp/tcp.ts:3", "setImmediate is banned here; use soon()"],
        ["src/transports/tcp/tcp.ts:4", "queueMicrotask is banned here; use defer()"],
        ["src/transports/tcp/tcp.ts:5", "process.nextTick is banned here; use defer()"],
        ["src/transports/tcp/tcp.ts:6", "AbortSignal.timeout is banned"],
        ["src/transports/tcp/tcp.ts:7", "clearTimeout is banned here; use clearTimer()"],
        ["src/transports/tcp/tcp.ts:8", "setTimeout is banned"],
      ],
    },
    {
      shows: "names that only look alike, and the one file that wraps the real ones",
      files: {
        [store]:
          "socket.setTimeout(5);\nconst a = new Date(stamp.wallMs);\nconst b = { setTimeout: 5 };\nb.setTimeout;",
        "src/core/store/system-environment.ts": "export const now = () => Date.now();",
        "benchmarks/smoke.ts": "const start = performance.now();",
      },
      expected: [],
    },
  ],

  "nothing draws real randomness": [
    {
      shows: "every source of chance",
      files: {
        [store]: [
          "const a = Math.random();",
          "const { random } = Math;",
          'import { randomBytes as bytes, createHash } from "node:crypto";',
          "const b = crypto.randomUUID();",
          "const c = globalThis.crypto.getRandomValues(array);",
          "const d = createHash(environment.random('ids').bytes(8));",
        ].join("\n"),
      },
      expected: [
        [`${store}:1`, "Math.random is banned here; use random(stream)"],
        [`${store}:2`, "Math.random is banned"],
        [`${store}:3`, "randomBytes is banned"],
        [`${store}:4`, "randomUUID is banned"],
        [`${store}:5`, "getRandomValues is banned"],
      ],
    },
  ],

  "silent machines are silent": [
    {
      shows: "waiting, promises, emitters and surroundings",
      files: {
        [raft]: [
          "async function step() { await done; }",
          "const reply = () => Promise.resolve(1);",
          "class Votes extends EventEmitter {}",
          'import { Subject } from "rxjs/internal/Subject";',
          'import { once } from "node:events";',
          "const id = process.env.ID;",
          "export type Later = Promise<void>;",
        ].join("\n"),
      },
      expected: [
        [`${raft}:4`, '"rxjs/internal/Subject" is banned'],
        [`${raft}:5`, '"node:events" is banned'],
        [`${raft}:2`, "Promise is banned here; use an event"],
        [`${raft}:3`, "EventEmitter is banned"],
        [`${raft}:6`, "process is banned"],
        [`${raft}:7`, "Promise is banned"],
        [`${raft}:1`, "an async function is banned"],
        [`${raft}:1`, "await is banned"],
      ],
    },
    {
      shows: "promises where they belong",
      files: {
        [store]: "export async function close(): Promise<void> { await done; }",
        [raft]: "message.process();\nexport const emitter = { Promise: 1 };",
      },
      expected: [],
    },
  ],

  "only the command line prints": [
    {
      shows: "console outside and inside of the command line",
      files: {
        [store]: "console.log(1);\nobserver.console(2);",
        "src/cli/main.ts": "console.log(1);",
      },
      expected: [[`${store}:1`, "console is banned here; use the log of the Observer contract"]],
    },
  ],

  "order does not depend on the locale": [
    {
      shows: "a comparison that differs from machine to machine",
      files: { [model]: "names.sort((a, b) => a.localeCompare(b));" },
      expected: [[`${model}:1`, "localeCompare is banned here; use < and >"]],
    },
  ],

  "no signal is put together of others": [
    {
      shows: "AbortSignal.any, however it is called",
      files: {
        [store]: [
          "const a = AbortSignal.any([one, other]);",
          "const { any } = AbortSignal;",
          "const b = globalThis.AbortSignal.any([one]);",
          "const c = Promise.any([one]);",
        ].join("\n"),
        "src/cli/main.ts": "AbortSignal.any([one, other]);",
      },
      expected: [
        [`${store}:1`, "AbortSignal.any is banned here; use a listener on each signal"],
        [`${store}:2`, "AbortSignal.any is banned"],
        [`${store}:3`, "AbortSignal.any is banned"],
        ["src/cli/main.ts:1", "AbortSignal.any is banned"],
      ],
    },
    {
      shows: "signals where one stands for itself, and tests that may do as they like",
      files: {
        [store]: "const a = new AbortController().signal;\nconst b = AbortSignal.abort();",
        "test/unit/some.test.ts": "AbortSignal.any([one, other]);",
      },
      expected: [],
    },
  ],

  "there is no default export": [
    {
      shows: "every way to export without a name",
      files: {
        [model]: "export default 1;",
        [raft]: 'const a = 1;\nexport { a as default };\nexport { default } from "./b.ts";',
      },
      expected: [
        [`${model}:1`, "export it by name"],
        [`${raft}:2`, "export it by name"],
        [`${raft}:3`, "export it by name"],
      ],
    },
  ],

  "modules hold no state": [
    {
      shows: "variables and collections that can change",
      files: {
        [store]: [
          "let counter = 0;",
          "export const stores = new Map();",
          "const names: string[] = [];",
          "const table = {};",
          "const bare = Object.create(null);",
          "const frozen = Object.freeze(new Set());",
          "const scratch = new Uint8Array(64);",
          "const pool = Buffer.allocUnsafe(64);",
          "const writer = new ByteWriter();",
          "class Store { static open = 0; static readonly all = new Set(); }",
        ].join("\n"),
      },
      expected: [
        [`${store}:1`, "module-level let counter"],
        [`${store}:2`, "module-level stores can change"],
        [`${store}:3`, "module-level names can change"],
        [`${store}:4`, "module-level table can change"],
        [`${store}:5`, "module-level bare can change"],
        [`${store}:6`, "module-level frozen can change"],
        [`${store}:7`, "module-level scratch can change"],
        [`${store}:8`, "module-level pool can change"],
        [`${store}:9`, "module-level writer can change"],
        [`${store}:10`, "static open is not readonly"],
        [`${store}:10`, "static all can change"],
      ],
    },
    {
      shows: "constants",
      files: {
        [store]: [
          "declare let provided: number;",
          "export const LEVELS: readonly string[] = Object.freeze(['one']);",
          "const WORDS = ['a', 'b'] as const;",
          "const CODES: ReadonlyMap<string, number> = new Map([['a', 1]]);",
          "const DEFAULTS = Object.freeze({ a: 1 });",
          "const EMPTY = new Uint8Array(0);",
          "const MAGIC = new Uint8Array([1, 2]);",
          "const encoder = new TextEncoder();",
          "const handlers = { put: onPut, get: onGet };",
          "function make() { let counter = 0; return new Map(); }",
          "class Store { readonly #all = new Map(); static readonly limit = 3; }",
        ].join("\n"),
      },
      expected: [],
    },
  ],

  "exported types say Uint8Array": [
    {
      shows: "Buffer in what others see",
      files: {
        [model]: [
          "export function encode(): Buffer { return x as Buffer; }",
          "export interface Frame { readonly bytes: Buffer | undefined }",
          "export class Reader { #buffer: Buffer; private b: Buffer; constructor(b: Buffer) {} }",
          "function decode(b: Buffer): void {}",
          "export { decode };",
          "export const size = (b: NodeJS.Buffer) => b.length;",
        ].join("\n"),
      },
      expected: [
        [`${model}:1`, "say Uint8Array"],
        [`${model}:2`, "say Uint8Array"],
        [`${model}:3`, "say Uint8Array"],
        [`${model}:4`, "say Uint8Array"],
        [`${model}:6`, "say Uint8Array"],
      ],
    },
    {
      shows: "Buffer that nobody else sees",
      files: {
        [model]: "function local(b: Buffer) {}\nexport const f = (): void => { g<Buffer>() };",
      },
      expected: [],
    },
  ],

  "files are not too long": [
    {
      shows: "501 lines, and 500",
      files: { [model]: "\n".repeat(501), [raft]: "\n".repeat(500) },
      expected: [[`${model}:501`, "501 lines, above 500"]],
    },
  ],

  "functions are not too long": [
    {
      shows: "71 lines, and 70",
      files: {
        [model]: `class A {\n  encode() {${"\n".repeat(70)}}\n}`,
        [raft]: `export const step = () => {${"\n".repeat(70)}};`,
        [store]: `function open() {${"\n".repeat(69)}}`,
      },
      expected: [
        [`${model}:2`, "encode has 71 lines, above 70"],
        [`${raft}:1`, "step has 71 lines, above 70"],
      ],
    },
  ],

  "every file is reached": [
    {
      shows: "an island of two, beside what is published and what is tested",
      files: {
        "src/index.ts": 'export * from "./core/model/codec.ts";',
        [model]: 'import type {} from "./ids.ts";',
        "src/core/model/ids.ts": "",
        [raft]: 'import "./votes.ts";',
        "src/strategies/raft/votes.ts": 'import "./log.ts";',
        [store]: "",
      },
      house: {
        roots: {
          paths: ["src/index.ts"],
          readers: [parseFile("test/unit/store.test.ts", `import "../../${store}";`)],
        },
      },
      expected: [
        [`${raft}:1`, "nobody imports this file"],
        ["src/strategies/raft/votes.ts:1", "nobody imports this file"],
      ],
    },
  ],

  "docs/errors.md is the registry of errors": [
    {
      shows: "a row that is missing, one that differs, and one too many",
      house: {
        registry: {
          LOST: { outcome: "unknown", retry: "never", httpStatus: 500, summary: "It is lost." },
          LATE: { outcome: "unknown", retry: "never", httpStatus: 504, summary: "It is late." },
          FULL: { outcome: "not-applied", retry: "safe", httpStatus: 429, summary: "It is full." },
        },
        errorsPage: [
          "| `LATE` | unknown | safe | 504 | It is late. |",
          "| `FULL` | not-applied | safe | 429 | It is full. |",
          "| `GONE` | unknown | never | 500 | It is gone. |",
        ].join("\n"),
      },
      expected: [
        ["docs/errors.md:1", "add\n  | `LOST` | unknown | never | 500 | It is lost. |"],
        ["docs/errors.md:1", "has to be\n  | `LATE` | unknown | never | 504 | It is late. |"],
        ["docs/errors.md:3", "GONE is not in src/core/model/errors.ts"],
      ],
    },
  ],

  "every code of the registry is raised": [
    {
      shows: "a code that only the registry knows",
      files: {
        "src/core/model/errors.ts": 'const a = "LOST";',
        [store]: 'throw new CapstanError("LATE", "late");',
      },
      house: {
        registry: {
          LOST: { outcome: "unknown", retry: "never", httpStatus: 500, summary: "It is lost." },
          LATE: { outcome: "unknown", retry: "never", httpStatus: 504, summary: "It is late." },
        },
      },
      expected: [["src/core/model/errors.ts:1", "LOST is raised nowhere"]],
    },
  ],
};

for (const rule of RULES) {
  describe(rule.name, () => {
    test("has a sample that breaks it", () => {
      expect(samples[rule.name]?.some(({ expected }) => expected.length > 0)).toBe(true);
    });

    for (const { shows, files, house, expected } of samples[rule.name] ?? []) {
      test(shows, () => {
        const findings = rule.findings(houseOf(files, house));
        expect(findings.map(({ path, line }) => `${path}:${line}`)).toEqual(
          expected.map(([place]) => place),
        );
        for (const [index, [, message]] of expected.entries()) {
          expect(findings[index]?.message).toContain(message);
        }
      });
    }
  });
}

test("no sample is left of a rule that is gone", () => {
  expect(Object.keys(samples).sort()).toEqual(RULES.map(({ name }) => name).sort());
});

describe("exceptions", () => {
  const finding = { path: model, line: 7, message: "encode has 90 lines, above 70" };
  const exception = {
    rule: "functions are not too long",
    path: model,
    finding: "encode has",
    reason: "one table",
  };

  test("cover the finding that they name and no other", () => {
    expect(withoutExceptions(exception.rule, [finding], [exception])).toEqual([]);
    expect(withoutExceptions("another rule", [finding], [exception])).toEqual([finding]);
    const other = { ...finding, message: "decode has 90 lines, above 70" };
    expect(withoutExceptions(exception.rule, [other], [exception])).toEqual([other]);
  });

  test("are stale when nothing is left to cover", () => {
    expect(staleExceptions(() => [finding], [exception])).toEqual([]);
    expect(staleExceptions(() => [], [exception])).toEqual([exception]);
    expect(staleExceptions(() => undefined, [exception])).toEqual([exception]);
  });
});

test("long files are listed longest first", () => {
  const files = [parseFile(model, "\n".repeat(3)), parseFile(raft, "\n".repeat(4))];
  expect(longFiles(files, 2).map(({ path }) => path)).toEqual([raft, model]);
});

test("the due row of the errors page is a row of a Markdown table", () => {
  const row = { outcome: "unknown", retry: "never", httpStatus: 500, summary: "It is lost." };
  expect(expectedRow("LOST", row)).toBe("| `LOST` | unknown | never | 500 | It is lost. |");
});

function houseOf(files: Readonly<Record<string, string>> = {}, house: Partial<House> = {}): House {
  return {
    files: Object.entries(files).map(([path, text]) => parseFile(path, text)),
    roots: { paths: [], readers: [] },
    registry: {},
    errorsPage: "",
    ...house,
  };
}
