import { openStore } from "capstan";
import { engineConformance, strategyConformance } from "capstan/conformance";
import { isCapstanError } from "capstan/contracts";
import { describe, expect, test } from "vitest";
import {
  type Backend,
  BOUND,
  backendStrategy,
  DEADLINE_MS,
  type Stored,
} from "./backend-strategy.ts";

/** A backend in memory. Cut off, it takes every other write, and answers nothing. */
class MapBackend implements Backend {
  isCut = false;
  readonly #stored = new Map<string, Stored>();
  readonly #versions = new Map<string, string>();
  #written = 0;

  async get(key: string): Promise<Stored | undefined> {
    return this.#answer(this.#stored.get(key));
  }

  async write(key: string, value: Uint8Array | undefined, id: string): Promise<string> {
    this.#written += 1;
    if (this.isCut && this.#written % 2 === 0) return this.#answer("");
    const version = this.#versions.get(id) ?? `v${this.#written}`;
    this.#versions.set(id, version);
    if (value === undefined) this.#stored.delete(key);
    else this.#stored.set(key, { value, version });
    return this.#answer(version);
  }

  async range(from: string, to: string | undefined) {
    const keys = [...this.#stored.keys()].filter((key) => key >= from && (!to || key < to)).sort();
    return this.#answer(keys.map((key) => ({ key, ...(this.#stored.get(key) as Stored) })));
  }

  #answer<T>(answer: T): Promise<T> {
    return this.isCut ? new Promise(() => undefined) : Promise.resolve(answer);
  }
}

const timers = {
  setTimer: (delayMs: number, callback: () => void) => setTimeout(callback, delayMs),
  clearTimer: (timer: NodeJS.Timeout) => clearTimeout(timer),
};

const engines = engineConformance({
  clock: {
    monotonicMs: () => performance.now(),
    setTimer: (delayMs, callback) => ({ timer: setTimeout(callback, delayMs) }),
  },
  create: async () => {
    const backend = new MapBackend();
    const engine = await backendStrategy(backend, timers).openEngine({
      keyspace: "k",
      keyspaceHash: 1,
      settings: {},
      shardCount: 1,
      nowMs: () => performance.now(),
      recordFact: () => undefined,
    });
    return {
      engine,
      level: "strong",
      scanLevel: "strong",
      bound: BOUND,
      ownDeadlineMs: DEADLINE_MS,
      slackMs: 500,
      shardOf: () => 0,
      cut: () => {
        backend.isCut = true;
      },
      heal: async () => {
        backend.isCut = false;
      },
      dispose: () => engine.close({ drain: false, timeoutMs: 0 }),
    };
  },
});

const strategies = strategyConformance({
  strategy: backendStrategy(new MapBackend(), timers),
  refusedOptions: [],
});

describe.each([strategies, engines])("$name", ({ cases }) => {
  test.each(cases)("$name", ({ run }) => run());
});

test("a keyspace of it is used like any other", async () => {
  const strategy = backendStrategy(new MapBackend(), timers);
  await using store = await openStore({ keyspaces: { old: { strategy } } });
  const old = store.keyspace("old");
  await old.put("a", { n: 1 });
  await old.put("b", 2);
  const read = await old.get("a");
  expect(read.found && !read.conflict && read.value).toEqual({ n: 1 });
  const keys: string[] = [];
  for await (const { key } of old.scan()) keys.push(key);
  expect(keys).toEqual(["a", "b"]);
  await old.delete("a");
  expect(await old.has("a")).toBe(false);
});

test("what its backend does not answer is unknown", async () => {
  const backend = new MapBackend();
  const strategy = backendStrategy(backend, timers);
  await using store = await openStore({ keyspaces: { old: { strategy } } });
  backend.isCut = true;
  const fault = await store
    .keyspace("old")
    .put("a", 1, { timeoutMs: 50 })
    .catch((e: unknown) => e);
  expect(isCapstanError(fault) && fault.outcome).toBe("unknown");
});
