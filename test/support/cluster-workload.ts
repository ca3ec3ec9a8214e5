import { createHash } from "node:crypto";
import { isCapstanError } from "../../src/core/model/errors.ts";
import type { Level } from "../../src/core/model/levels.ts";
import type { Outcome } from "../../src/core/model/outcome.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
} from "../../src/verification/index.ts";
import { type Cluster, type ClusterNode, NodeKilledError } from "./cluster.ts";
import { SeededRandom } from "./seeded-random.ts";

export interface WorkloadOptions {
  readonly clients: number;
  readonly keys: number;
  readonly operations: number;
  readonly level: Level;
  readonly seed: number;
  readonly keyspace?: string;
  /** Default one half. */
  readonly writeShare?: number;
  /** Longest pause of a client between two operations; default none. */
  readonly thinkMs?: number;
}

export interface Acknowledgement {
  readonly key: string;
  readonly value: string;
  readonly version: string;
}

/** What became of the operations, by code; `ok` for those that succeeded. */
export type Tally = Record<string, number>;

export interface WorkloadReport {
  readonly history: readonly KeyValueOperation[];
  readonly acknowledged: readonly Acknowledgement[];
  readonly tally: Tally;
  /** Of every operation's call and answer, in order. */
  readonly trace: string;
}

/**
 * Clients that read and write a few keys, each through one node, one operation at a time, with
 * values that are written once. A client whose node is gone goes on with the next one.
 */
export class Workload {
  readonly #cluster: Cluster;
  readonly #options: WorkloadOptions;
  readonly #recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>();
  readonly #acknowledged: Acknowledgement[] = [];
  readonly #tally: Tally = {};
  readonly #trace = createHash("sha256");
  #begun = 0;

  constructor(cluster: Cluster, options: WorkloadOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  get begun(): number {
    return this.#begun;
  }

  async run(): Promise<WorkloadReport> {
    const { clients } = this.#options;
    await Promise.all(Array.from({ length: clients }, (_, index) => this.#client(index)));
    return {
      history: this.#recorder.operations(),
      acknowledged: this.#acknowledged,
      tally: this.#tally,
      trace: this.#trace.digest("hex"),
    };
  }

  async #client(index: number): Promise<void> {
    const { seed, operations, keys, writeShare = 0.5, thinkMs = 0 } = this.#options;
    const random = new SeededRandom(seed, `client-${index}`);
    while (this.#begun < operations) {
      // All of them may be down at once.
      while (this.#cluster.runningIds().length === 0) await this.#pause(5);
      const number = this.#begun++;
      const key = `key-${random.uint32() % keys}`;
      if (random.fraction() < writeShare) await this.#write(index, key, `v${number}`);
      else await this.#read(index, key);
      if (thinkMs > 0) await this.#pause(random.fraction() * thinkMs);
    }
  }

  async #write(client: number, key: string, value: string): Promise<void> {
    const { level } = this.#options;
    const input = { type: "put", key, value } as const;
    const call = this.#recorder.call({ client: `c${client}`, level, input });
    try {
      const { store, died } = this.#node(client);
      const keyspace = store.keyspace(this.#options.keyspace ?? "default");
      const written = keyspace.put(key, value, { consistency: level });
      const { version } = await Promise.race([written, died]);
      this.#note(client, key, value, "ok");
      this.#acknowledged.push({ key, value, version });
      call.applied({ version });
    } catch (error) {
      call.ended(this.#noteFault(client, key, error));
    }
  }

  async #read(client: number, key: string): Promise<void> {
    const { level } = this.#options;
    const input = { type: "get", key } as const;
    const call = this.#recorder.call({ client: `c${client}`, level, input });
    try {
      const { store, died } = this.#node(client);
      const keyspace = store.keyspace(this.#options.keyspace ?? "default");
      const read = keyspace.get(key, { consistency: level });
      const result = await Promise.race([read, died]);
      const value = result.found && !result.conflict ? (result.value as string) : undefined;
      this.#note(client, key, value ?? "-", "ok");
      call.applied(result.version === undefined ? { value } : { value, version: result.version });
    } catch (error) {
      this.#noteFault(client, key, error);
      call.notApplied();
    }
  }

  #node(client: number): ClusterNode {
    const running = this.#cluster.runningIds();
    return this.#cluster.node(running[client % running.length] as string);
  }

  #noteFault(client: number, key: string, error: unknown): Outcome {
    if (error instanceof NodeKilledError) {
      this.#note(client, key, "unknown", "killed");
      return "unknown";
    }
    if (!isCapstanError(error)) throw error;
    this.#note(client, key, error.outcome, error.code);
    return error.outcome;
  }

  #note(client: number, key: string, what: string, code: string): void {
    const name = code === "SUPERSEDED" ? `${code}/${what}` : code;
    this.#tally[name] = (this.#tally[name] ?? 0) + 1;
    this.#trace.update(`${this.#cluster.time.nowMs} ${client} ${key} ${what} ${code}\n`);
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#cluster.time.setTimer(durationMs, resolve);
    });
  }
}
