import { setTimeout as pause } from "node:timers/promises";
import { AskedProcess, usedMsOf } from "./asked-process.ts";
import { freePorts } from "./free-ports.ts";
import { type LoadOptions, type LoadReport, type StoreQuestion, sliceOf } from "./store-load.ts";
import type { Entrant, Party } from "./turns.ts";

const NODES: readonly string[] = Object.freeze(["n1", "n2", "n3"]);
/** With key, stamp and framing about the floor's record. */
const DEFAULT_VALUE_BYTES = 100;
const DEFAULT_KEYSPACE = "default";
/** After so many operations most of their code is compiled; a slow machine is not waited for. */
const WARM_UP_OPERATIONS = 200_000;
const WARM_UP_MS = 2_500;
const WARM_UP_SLICE_MS = 250;
const WARM_UP_IN_FLIGHT = 64;
const LEADER_POLL_MS = 50;
const LEADER_TIMEOUT_MS = 30_000;

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

export interface RowOptions extends Omit<LoadOptions, "keyspace"> {
  readonly keyspace?: string;
}

/**
 * A store of three processes, or of one; the load runs embedded in one of them, which is the first
 * unless {@link moveToLeader} has found another. It rests while it is not asked for a slice.
 */
export class MeasuredCluster implements Party {
  readonly #nodes: readonly AskedProcess[];
  /** In whose process the load is. */
  #loaded: AskedProcess;
  readonly #faults = new Map<string, number>();

  private constructor(nodes: readonly AskedProcess[]) {
    this.#nodes = nodes;
    this.#loaded = nodes[0] as AskedProcess;
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
    const library = [import.meta.resolve("capstan")];
    const started = ids.map((id) =>
      AskedProcess.start(script, [id, text, String(valueBytes)], library),
    );
    const cluster = new MeasuredCluster(await Promise.all(started));
    const hasAll = Object.values(keyspaces).some(({ strategy }) => strategy !== "raft");
    await cluster.#ask({ ask: "ready", level: hasAll ? "all" : undefined });
    return cluster;
  }

  usedMs(): Promise<number> {
    return usedMsOf(this.#nodes);
  }

  /** A row of this cluster, for the turns. */
  entrant({ keyspace = DEFAULT_KEYSPACE, ...options }: RowOptions): Entrant {
    const load = { ...options, keyspace };
    return {
      party: this,
      slice: async (durationMs) => {
        const report = await this.#ask<LoadReport>({ ask: "load", load, durationMs });
        this.#count(load, report.faults);
        return sliceOf(report);
      },
    };
  }

  /** Every key of the load is there afterwards, and the code that puts and gets them is compiled. */
  async prepare(
    consistency: "all" | "strong",
    operations: readonly ("put" | "get")[],
    keyspace = DEFAULT_KEYSPACE,
  ): Promise<void> {
    await this.#ask({ ask: "fill", keyspace, consistency });
    for (const operation of operations) {
      const row = { operation, consistency, inFlight: WARM_UP_IN_FLIGHT, keyspace };
      await this.#warmUp(this.entrant(row), 1 / operations.length);
    }
  }

  /** From now on the load is in the process that leads the only shard of this raft keyspace. */
  async moveToLeader(keyspace: string): Promise<void> {
    const endMs = performance.now() + LEADER_TIMEOUT_MS;
    while (performance.now() < endMs) {
      for (const node of this.#nodes) {
        const question: StoreQuestion = { ask: "leads", keyspace };
        if (!(await node.ask<boolean>(question))) continue;
        this.#loaded = node;
        return;
      }
      await pause(LEADER_POLL_MS);
    }
    throw new Error(`no process leads the shard of ${keyspace}`);
  }

  /** Says what failed; a run with faults fails. */
  async close(): Promise<void> {
    await this.#ask({ ask: "close" });
    await Promise.all(this.#nodes.map((node) => node.stop()));
    for (const [what, count] of this.#faults) process.stderr.write(`FAULTS ${what} × ${count}\n`);
    if (this.#faults.size > 0) process.exitCode = 1;
  }

  async #warmUp(entrant: Entrant, part: number): Promise<void> {
    let operations = 0;
    for (let ms = 0; ms < WARM_UP_MS * part; ms += WARM_UP_SLICE_MS) {
      operations += (await entrant.slice(WARM_UP_SLICE_MS)).operations;
      if (operations >= WARM_UP_OPERATIONS * part) return;
    }
  }

  #ask<Answer>(question: StoreQuestion): Promise<Answer> {
    return this.#loaded.ask<Answer>(question);
  }

  #count(load: LoadOptions, faults: LoadReport["faults"]): void {
    const { operation, consistency, keyspace, inFlight } = load;
    for (const [code, count] of Object.entries(faults)) {
      const what = `${operation} ${consistency} in ${keyspace}, ${inFlight} in flight: ${code}`;
      this.#faults.set(what, (this.#faults.get(what) ?? 0) + count);
    }
  }
}
