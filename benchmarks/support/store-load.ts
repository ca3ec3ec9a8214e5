import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type EmbeddedKeyspace, openStore } from "capstan";
import { Latencies, type LatencyCounts } from "./latencies.ts";
import { closedLoop, pacedLoop, type StartOperation } from "./load-loop.ts";
import type { Slice } from "./slice.ts";

const KEY_COUNT = 10_000;
/** Made beforehand: a program that reads has its keys already, and to make one costs a tenth of a read. */
const KEYS: readonly string[] = Object.freeze(
  Array.from({ length: KEY_COUNT }, (_, index) => `key-${index}`),
);
/** Of the puts that fill the keyspace before anything is measured. */
const FILLING_IN_FLIGHT = 64;
const NOW_READS_PER_TURN = 1_000;
const READY_TIMEOUT_MS = 30_000;

/** What a row does, in one keyspace. */
export interface LoadOptions {
  readonly operation: "put" | "get" | "getNow";
  readonly consistency: "one" | "quorum" | "all" | "strong" | "lease";
  /** 1 for `getNow`, which is never under way. */
  readonly inFlight: number;
  readonly keyspace: string;
  /** Begin so many a second, whatever is in flight. Without it: whenever another one has ended. */
  readonly opsPerSecond?: number;
}

export type StoreQuestion =
  | { readonly ask: "ready"; readonly level: "all" | undefined }
  | { readonly ask: "fill"; readonly keyspace: string; readonly consistency: "all" | "strong" }
  | { readonly ask: "leads"; readonly keyspace: string }
  | { readonly ask: "load"; readonly load: LoadOptions; readonly durationMs: number }
  | { readonly ask: "close" };

/** A slice, as it goes from one process to another. */
export interface LoadReport {
  readonly operations: number;
  readonly elapsedMs: number;
  readonly counts: LatencyCounts;
  /** By code. A slice with faults is one of something else. */
  readonly faults: Readonly<Record<string, number>>;
}

export function reportOf(slice: Slice, faults: Readonly<Record<string, number>> = {}): LoadReport {
  const { operations, elapsedMs, latencies } = slice;
  return { operations, elapsedMs, counts: latencies.counts(), faults };
}

export function sliceOf({ operations, elapsedMs, counts }: LoadReport): Slice {
  return { operations, elapsedMs, latencies: Latencies.of(counts) };
}

type PlainStore = Awaited<ReturnType<typeof openPlainStore>>;

/** The configuration is JSON: nothing is known of its keyspaces here. */
export function openPlainStore(configuration: string, node: string) {
  const parsed: Parameters<typeof openStore>[0] = JSON.parse(configuration);
  return openStore(parsed, { node });
}

/**
 * The load on a store, in the process of one of its nodes. A put is a whole put: checked, encoded,
 * stamped, stored on every node, with a receipt.
 */
export class StoreLoad {
  readonly #store: PlainStore;
  readonly #value: string;
  #next = 0;

  constructor(store: PlainStore, valueBytes: number) {
    this.#store = store;
    this.#value = "v".repeat(valueBytes);
  }

  answer(question: StoreQuestion): unknown {
    switch (question.ask) {
      case "ready": {
        const { level } = question;
        return this.#store.ready({ ...(level && { level }), timeoutMs: READY_TIMEOUT_MS });
      }
      case "fill":
        return this.#fill(question.keyspace, question.consistency);
      case "leads":
        return this.#leads(question.keyspace);
      case "load":
        return this.#load(question.load, question.durationMs);
      case "close":
        return this.#store.close();
    }
  }

  async #load(load: LoadOptions, durationMs: number): Promise<LoadReport> {
    if (load.operation === "getNow") return this.#readNow(load.keyspace, durationMs);
    const faults: Record<string, number> = {};
    const start = this.#starter(load, faults);
    const { inFlight, opsPerSecond } = load;
    const slice =
      opsPerSecond === undefined
        ? await closedLoop(inFlight, durationMs, start)
        : await pacedLoop(opsPerSecond, durationMs, start);
    return reportOf(slice, faults);
  }

  #starter(
    { operation, consistency, keyspace: name }: LoadOptions,
    faults: Record<string, number>,
  ): StartOperation {
    const keyspace = this.#keyspace(name);
    const failed = (error: { readonly code?: string }) => {
      const code = error.code ?? String(error);
      faults[code] = (faults[code] ?? 0) + 1;
    };
    return (done) => {
      const key = keyOf(this.#next++);
      const call: Promise<unknown> =
        operation === "put"
          ? keyspace.put(key, this.#value, { consistency })
          : keyspace.get(key, { consistency });
      call.then(done, (error) => {
        failed(error);
        done();
      });
    };
  }

  /**
   * Synchronous reads, one after the other, with turns of the event loop in between, or the lease
   * would run out. Where there is none, a read that asks is awaited, as a caller would; its time
   * is in the figure. There is no latency to speak of but their number.
   */
  async #readNow(name: string, durationMs: number): Promise<LoadReport> {
    const keyspace = this.#keyspace(name);
    const latencies = new Latencies();
    const endMs = performance.now() + durationMs;
    let misses = 0;
    let operations = 0;
    let elapsedMs = 0;
    while (performance.now() < endMs) {
      const startMs = performance.now();
      for (let i = 0; i < NOW_READS_PER_TURN; i++) {
        const read = keyspace.getNow(keyOf(this.#next++), { consistency: "lease" });
        if (read !== undefined) continue;
        misses++;
        await keyspace.get(keyOf(this.#next), { consistency: "lease" });
      }
      const spentMs = performance.now() - startMs;
      operations += NOW_READS_PER_TURN;
      elapsedMs += spentMs;
      latencies.record((spentMs / NOW_READS_PER_TURN) * 1_000_000, NOW_READS_PER_TURN);
      await nextTurn();
    }
    if (misses > 0) process.stderr.write(`getNow in ${name}: ${misses} reads found no lease\n`);
    return reportOf({ operations, elapsedMs, latencies });
  }

  /** Every key of the load is there afterwards. */
  async #fill(name: string, consistency: "all" | "strong"): Promise<void> {
    const keyspace = this.#keyspace(name);
    for (let at = 0; at < KEY_COUNT; at += FILLING_IN_FLIGHT) {
      const keys = Array.from(
        { length: Math.min(FILLING_IN_FLIGHT, KEY_COUNT - at) },
        (_, i) => at + i,
      );
      await Promise.all(keys.map((i) => keyspace.put(keyOf(i), this.#value, { consistency })));
    }
  }

  /** Whether this node leads the first shard of a raft keyspace. */
  #leads(name: string): boolean {
    const { shards } = this.#keyspace(name).describe() as {
      readonly shards: readonly { readonly role?: string }[];
    };
    return shards[0]?.role === "leader";
  }

  #keyspace(name: string): EmbeddedKeyspace {
    return this.#store.keyspace(name) as EmbeddedKeyspace;
  }
}

function keyOf(index: number): string {
  return KEYS[(index * 7_919) % KEY_COUNT] as string;
}
