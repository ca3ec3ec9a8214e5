import type { ChildProcess } from "node:child_process";
import { openStore } from "capstan";
import { startChild, stopChild } from "./child-process.ts";
import { freePorts } from "./free-ports.ts";
import { closedLoop, type Measurement, measurementOf, type StartOperation } from "./measurement.ts";

const NODES: readonly string[] = Object.freeze(["n1", "n2", "n3"]);
const KEYS = 10_000;
/** With key, stamp and framing about the floor's record. */
const VALUE = "v".repeat(100);
const READY_TIMEOUT_MS = 30_000;
/** Of the puts that fill the keyspace before anything is measured. */
const FILLING_IN_FLIGHT = 64;

export interface ClusterOptions {
  readonly nodes: 1 | 3;
  readonly transport:
    | { readonly type: "tcp" }
    | { readonly type: "nats"; readonly servers: string };
  readonly storage: { readonly type: "memory" } | { readonly type: "disk"; readonly path: string };
}

export interface RowOptions {
  readonly operation: "put" | "get";
  readonly consistency: "one" | "quorum";
  readonly inFlight: number;
  readonly seconds: number;
}

/**
 * A store of three processes, or of this one alone; the load runs embedded in the first node. A
 * put is a whole put: checked, encoded, stamped, stored on every node, with a receipt.
 */
export class MeasuredCluster {
  readonly #store: Awaited<ReturnType<typeof openPlain>>;
  readonly #others: readonly ChildProcess[];
  /** Faults by row and code: a row with faults is a row about something else. */
  readonly #faults = new Map<string, number>();

  private constructor(
    store: Awaited<ReturnType<typeof openPlain>>,
    others: readonly ChildProcess[],
  ) {
    this.#store = store;
    this.#others = others;
  }

  static async open({ nodes, transport, storage }: ClusterOptions): Promise<MeasuredCluster> {
    const ids = NODES.slice(0, nodes);
    const ports = await freePorts(nodes);
    const addressed = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${ports[at]}`]));
    const configuration = {
      cluster: { name: "benchmark", nodes: transport.type === "tcp" ? addressed : ids },
      transport,
      storage,
      keyspaces: { default: { strategy: "tunable", replicas: nodes } },
    };
    const script = new URL("./store-process.ts", import.meta.url);
    const text = JSON.stringify(configuration);
    const others = await Promise.all(ids.slice(1).map((id) => startChild(script, [id, text])));
    const store = await openPlain(configuration, ids[0] as string);
    await store.ready({ level: "all", timeoutMs: READY_TIMEOUT_MS });
    const cluster = new MeasuredCluster(
      store,
      others.map(({ child }) => child),
    );
    await cluster.#fill();
    return cluster;
  }

  async measure(
    name: string,
    { operation, consistency, inFlight, seconds }: RowOptions,
    floor?: Parameters<typeof measurementOf>[3],
  ): Promise<Measurement> {
    const keyspace = this.#store.keyspace("default");
    const failed = (error: { readonly code?: string }) => {
      const what = `${name}, ${inFlight} in flight: ${error.code ?? String(error)}`;
      this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1);
    };
    const start: StartOperation = (index, done) => {
      const key = keyOf(index);
      const call: Promise<unknown> =
        operation === "put"
          ? keyspace.put(key, VALUE, { consistency })
          : keyspace.get(key, { consistency });
      call.then(done, (error) => {
        failed(error);
        done();
      });
    };
    return measurementOf(name, inFlight, await closedLoop(inFlight, seconds, start), floor);
  }

  /** Says what failed; a run with faults fails. */
  async close(): Promise<void> {
    await this.#store.close();
    await Promise.all(this.#others.map((child) => stopChild(child)));
    for (const [what, count] of this.#faults) process.stderr.write(`FAULTS ${what} × ${count}\n`);
    if (this.#faults.size > 0) process.exitCode = 1;
  }

  async #fill(): Promise<void> {
    const keyspace = this.#store.keyspace("default");
    for (let at = 0; at < KEYS; at += FILLING_IN_FLIGHT) {
      const keys = Array.from({ length: Math.min(FILLING_IN_FLIGHT, KEYS - at) }, (_, i) => at + i);
      await Promise.all(keys.map((i) => keyspace.put(keyOf(i), VALUE, { consistency: "all" })));
    }
  }
}

function openPlain(configuration: Readonly<Record<string, unknown>>, node: string) {
  return openStore(configuration as Parameters<typeof openStore>[0], { node });
}

function keyOf(index: number): string {
  return `key-${(index * 7_919) % KEYS}`;
}
