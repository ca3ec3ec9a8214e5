import { cpSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../src/client/index.ts";
import { eventually, freePorts, type Running, startCapstan, temporaryFolder } from "./processes.ts";

const NODES = ["n1", "n2", "n3"] as const;
export type Id = (typeof NODES)[number];

/** Of each process: where it serves, and under which names its data and its configuration lie. */
interface Place {
  readonly name: string;
  readonly ports: number;
}

/** Three nodes on disk, each a process of its own, of which some may be started twice. */
export class DoubledProcesses {
  readonly #folder = temporaryFolder();
  readonly #transport: Readonly<Record<string, unknown>>;
  readonly #firstPort: number;
  readonly #all: Running[] = [];
  readonly #running = new Map<string, Running>();

  private constructor(transport: Readonly<Record<string, unknown>>, firstPort: number) {
    this.#transport = transport;
    this.#firstPort = firstPort;
  }

  /** How many ports in a row it uses, some of them only later. */
  static readonly PORTS = 4 * NODES.length;

  /** Settles when all nodes serve. */
  static async open(
    transport: Readonly<Record<string, unknown>>,
    firstPort?: number,
  ): Promise<DoubledProcesses> {
    const first = firstPort ?? (await freePorts(DoubledProcesses.PORTS));
    const cluster = new DoubledProcesses(transport, first);
    try {
      for (const id of NODES) cluster.start(id);
      for (const id of NODES) await cluster.serves(id);
      return cluster;
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  /** All that any process has said. */
  get output(): string {
    return this.#all.map((running) => running.output).join("\n");
  }

  start(id: Id): Running {
    return this.#start(id, { name: "first", ports: this.#firstPort });
  }

  /** A copy of the node's data as it is now, to be started by `startCopy`. */
  copy(id: Id): void {
    // The lock is a socket, which ends with its process, and cannot be copied.
    const filter = (path: string): boolean => !statSync(path).isSocket();
    cpSync(this.#dataOf(id, "first"), this.#dataOf(id, "copy"), { recursive: true, filter });
  }

  /** Beside the first process of the node, at addresses of its own, which its peers do not know. */
  startCopy(id: Id): Running {
    return this.#start(id, { name: "copy", ports: this.#firstPort + 2 * NODES.length });
  }

  async kill(id: Id): Promise<void> {
    const running = this.#running.get(id);
    running?.signal("SIGKILL");
    await running?.ended;
  }

  /** Settles when a write and a read at a quorum go through it. */
  serves(id: Id): Promise<void> {
    return eventually(`${id} to serve`, () =>
      this.keyspace(id)
        .put(`probe-${id}`, 1, { consistency: "quorum", timeoutMs: 1_000 })
        .then(
          () => true,
          () => false,
        ),
    );
  }

  keyspace(id: Id, of: "first" | "copy" = "first") {
    const base = this.#firstPort + (of === "first" ? 0 : 2 * NODES.length);
    const url = `http://127.0.0.1:${base + NODES.indexOf(id)}`;
    return connect({ url }).keyspace("default");
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map((running) => running.end()));
    this.#folder.remove();
  }

  #dataOf(id: Id, name: string): string {
    return join(this.#folder.path, name, id);
  }

  #start(id: Id, { name, ports }: Place): Running {
    const addresses = NODES.map((node, at) => {
      const base = node === id ? ports : this.#firstPort;
      const http = `127.0.0.1:${base + at}`;
      const peer = `127.0.0.1:${base + NODES.length + at}`;
      return [node, this.#transport.type === "tcp" ? { http, peer } : { http }] as const;
    });
    const configuration = {
      cluster: { name: "doubled", nodes: Object.fromEntries(addresses) },
      transport: this.#transport,
      storage: { type: "disk", path: join(this.#folder.path, name) },
      keyspaces: { default: { strategy: "tunable", replicas: NODES.length, shards: 4 } },
    };
    const file = `${name}-${id}.json`;
    writeFileSync(join(this.#folder.path, file), JSON.stringify(configuration));
    const words = ["start", "--config", file, "--node", id, "--json-logs"];
    const running = startCapstan(words, { directory: this.#folder.path });
    this.#all.push(running);
    if (name === "first") this.#running.set(id, running);
    return running;
  }
}
