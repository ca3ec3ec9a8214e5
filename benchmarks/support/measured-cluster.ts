import type { ChildProcess } from "node:child_process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type EmbeddedKeyspace, openStore } from "capstan";
import { startChild, stopChild } from "./child-process.ts";
import { freePorts } from "./free-ports.ts";
import {
  closedLoop,
  type LoopResult,
  type Measurement,
  measurementOf,
  pacedLoop,
  type StartOperation,
} from "./measurement.ts";

const NODES: readonly string[] = Object.freeze(["n1", "n2", "n3"]);
const KEY_COUNT = 10_000;
/** Made beforehand: a program that reads has its keys already, and to make one costs a tenth of a read. */
const KEYS: readonly string[] = Object.freeze(
  Array.from({ length: KEY_COUNT }, (_, index) => `key-${index}`),
);
/** With key, stamp and framing about the floor's record. */
const DEFAULT_VALUE_BYTES = 100;
const LEADER_POLL_MS = 50;
const NOW_READS_PER_TURN = 1_000;
const READY_TIMEOUT_MS = 30_000;
const DEFAULT_KEYSPACE = "default";
/** Of the puts that fill the keyspace before anything is measured. */
const FILLING_IN_FLIGHT = 64;

export interface ClusterOptions {
  readonly nodes: 1 | 3;
  readonly transport:
    | { readonly type: "tcp" }
    | { readonly type: "nats"; readonly servers: string };
  readonly storage: { readonly type: "memory" } | { readonly type: "disk"; readonly path: string };
  /** Default: `default`, tunable. */
  readonly keyspaces?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Of the values that are put. Default 100. */
  readonly valueBytes?: number;
}

export interface RowOptions {
  readonly operation: "put" | "get";
  readonly consistency: "one" | "quorum" | "all" | "strong" | "lease";
  readonly inFlight: number;
  readonly seconds: number;
  readonly keyspace?: string;
  /** Begin so many a second, whatever is in flight. Without it: whenever another one has ended. */
  readonly opsPerSecond?: number;
}

/**
 * A store of three processes, or of this one alone; the load runs embedded in the first node. A
 * put is a whole put: checked, encoded, stamped, stored on every node, with a receipt.
 */
export class MeasuredCluster {
  readonly #store: Awaited<ReturnType<typeof openPlain>>;
  readonly #others: readonly ChildProcess[];
  readonly #value: string;
  /** Faults by row and code: a row with faults is a row about something else. */
  readonly #faults = new Map<string, number>();

  private constructor(
    store: Awaited<ReturnType<typeof openPlain>>,
    others: readonly ChildProcess[],
    valueBytes: number,
  ) {
    this.#store = store;
    this.#others = others;
    this.#value = "v".repeat(valueBytes);
  }

  static async open(options: ClusterOptions): Promise<MeasuredCluster> {
    const { nodes, transport, storage, valueBytes = DEFAULT_VALUE_BYTES } = options;
    const { keyspaces = { [DEFAULT_KEYSPACE]: { strategy: "tunable" } } } = options;
    const ids = NODES.slice(0, nodes);
    const ports = await freePorts(nodes);
    const addressed = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${ports[at]}`]));
    const configuration = {
      cluster: { name: "benchmark", nodes: transport.type === "tcp" ? addressed : ids },
      transport,
      storage,
      keyspaces: Object.fromEntries(
        Object.entries(keyspaces).map(([name, keyspace]) => [
          name,
          { replicas: nodes, ...keyspace },
        ]),
      ),
    };
    const script = new URL("./store-process.ts", import.meta.url);
    const text = JSON.stringify(configuration);
    const others = await Promise.all(ids.slice(1).map((id) => startChild(script, [id, text])));
    const store = await openPlain(configuration, ids[0] as string);
    const hasAll = Object.values(keyspaces).some(({ strategy }) => strategy !== "raft");
    await store.ready({ ...(hasAll && { level: "all" }), timeoutMs: READY_TIMEOUT_MS });
    const children = others.map(({ child }) => child);
    const cluster = new MeasuredCluster(store, children, valueBytes);
    if (DEFAULT_KEYSPACE in keyspaces) await cluster.fill(DEFAULT_KEYSPACE, "all");
    return cluster;
  }

  async measure(
    name: string,
    { operation, consistency, inFlight, seconds, keyspace: keyspaceName, opsPerSecond }: RowOptions,
    floor?: Parameters<typeof measurementOf>[3],
  ): Promise<Measurement> {
    const keyspace = this.#keyspace(keyspaceName);
    const failed = (error: { readonly code?: string }) => {
      const what = `${name}, ${inFlight} in flight: ${error.code ?? String(error)}`;
      this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1);
    };
    const start: StartOperation = (index, done) => {
      const key = keyOf(index);
      const call: Promise<unknown> =
        operation === "put"
          ? keyspace.put(key, this.#value, { consistency })
          : keyspace.get(key, { consistency });
      call.then(done, (error) => {
        failed(error);
        done();
      });
    };
    const result =
      opsPerSecond === undefined
        ? await closedLoop(inFlight, seconds, start)
        : await pacedLoop(opsPerSecond, seconds, start);
    return measurementOf(name, inFlight, result, floor);
  }

  /**
   * Synchronous reads, one after the other, with turns of the event loop in between, or the lease
   * would run out. Where there is none, a read that asks is awaited, as a caller would; its time
   * is in the figure. There is no latency to speak of but their number.
   */
  async measureNow(name: string, seconds: number, keyspaceName: string): Promise<Measurement> {
    const keyspace = this.#keyspace(keyspaceName);
    let reads = 0;
    let misses = 0;
    const run = async (durationMs: number): Promise<LoopResult> => {
      const endMs = performance.now() + durationMs;
      let spentMs = 0;
      const first = reads;
      while (performance.now() < endMs) {
        const startMs = performance.now();
        for (let i = 0; i < NOW_READS_PER_TURN; i++) {
          const read = keyspace.getNow(keyOf(reads++), { consistency: "lease" });
          if (read !== undefined) continue;
          misses++;
          await keyspace.get(keyOf(reads), { consistency: "lease" });
        }
        spentMs += performance.now() - startMs;
        await nextTurn();
      }
      const opsPerSecond = Math.round(((reads - first) / spentMs) * 1_000);
      const eachUs = Math.round(10_000_000 / opsPerSecond) / 10;
      return { opsPerSecond, p50Us: eachUs, p99Us: eachUs };
    };
    await run(seconds * 500);
    misses = 0;
    const result = await run(seconds * 1_000);
    if (misses > 0) process.stderr.write(`${name}: ${misses} reads found no lease\n`);
    return measurementOf(name, 1, result);
  }

  /** Says what failed; a run with faults fails. */
  async close(): Promise<void> {
    await this.#store.close();
    await Promise.all(this.#others.map((child) => stopChild(child)));
    for (const [what, count] of this.#faults) process.stderr.write(`FAULTS ${what} × ${count}\n`);
    if (this.#faults.size > 0) process.exitCode = 1;
  }

  /** Every key of the load is there afterwards. */
  async fill(name: string, consistency: "all" | "strong"): Promise<void> {
    const keyspace = this.#keyspace(name);
    for (let at = 0; at < KEY_COUNT; at += FILLING_IN_FLIGHT) {
      const keys = Array.from(
        { length: Math.min(FILLING_IN_FLIGHT, KEY_COUNT - at) },
        (_, i) => at + i,
      );
      await Promise.all(keys.map((i) => keyspace.put(keyOf(i), this.#value, { consistency })));
    }
  }

  /** The first of these raft keyspaces whose only shard this process leads. */
  async led(names: readonly string[]): Promise<string> {
    const endMs = performance.now() + READY_TIMEOUT_MS;
    while (performance.now() < endMs) {
      const found = names.find((name) => {
        const { shards } = this.#keyspace(name).describe() as {
          readonly shards: readonly { readonly role?: string }[];
        };
        return shards[0]?.role === "leader";
      });
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, LEADER_POLL_MS));
    }
    throw new Error(`this process leads none of ${names.join(", ")}`);
  }

  #keyspace(name = DEFAULT_KEYSPACE): EmbeddedKeyspace {
    return this.#store.keyspace(name) as EmbeddedKeyspace;
  }
}

function openPlain(configuration: Readonly<Record<string, unknown>>, node: string) {
  return openStore(configuration as Parameters<typeof openStore>[0], { node });
}

function keyOf(index: number): string {
  return KEYS[(index * 7_919) % KEY_COUNT] as string;
}
