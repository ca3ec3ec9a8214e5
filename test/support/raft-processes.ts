import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { shardIndexForKey } from "../../src/core/model/hash.ts";
import { freePorts, type Running, startCapstan, temporaryFolder } from "./processes.ts";

export const SHARDS = 3;
export const KEYSPACE = "accounts";
const NODES = ["n1", "n2", "n3"] as const;
const CONFIGURATION = "capstan.config.json";

/** What one node has said of one shard's leadership. */
export interface Standing {
  readonly role: string;
  readonly term: number;
  readonly leader: string | undefined;
  /** By the wall clock. */
  readonly atMs: number;
}

/** Three nodes on disk with the keyspace `accounts` (raft), each a process of its own. */
export class RaftProcesses {
  readonly urls: Readonly<Record<string, string>>;
  readonly #folder: { readonly path: string; remove(): void };
  readonly #running = new Map<string, Running>();
  readonly #all: Running[] = [];

  private constructor(firstPort: number, transport: Readonly<Record<string, unknown>>) {
    this.#folder = temporaryFolder();
    const addresses = NODES.map((id, index) => {
      const http = `127.0.0.1:${firstPort + index}`;
      const peer = `127.0.0.1:${firstPort + NODES.length + index}`;
      return [id, transport.type === "tcp" ? { http, peer } : { http }] as const;
    });
    this.urls = Object.fromEntries(addresses.map(([id, { http }]) => [id, `http://${http}`]));
    const configuration = {
      cluster: { name: "failover", nodes: Object.fromEntries(addresses) },
      transport,
      storage: { type: "disk", path: join(this.#folder.path, "data") },
      keyspaces: { [KEYSPACE]: { strategy: "raft", replicas: NODES.length, shards: SHARDS } },
    };
    writeFileSync(join(this.#folder.path, CONFIGURATION), JSON.stringify(configuration));
  }

  /** Settles when all nodes serve. */
  static async open(transport: Readonly<Record<string, unknown>>): Promise<RaftProcesses> {
    const cluster = new RaftProcesses(await freePorts(2 * NODES.length), transport);
    try {
      for (const id of NODES) cluster.#start(id);
      await Promise.all(NODES.map((id) => cluster.#serves(id)));
      return cluster;
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** What a node has on its disk. */
  dataOf(id: string): string {
    return join(this.#folder.path, "data", id);
  }

  url(id: string): string {
    const url = this.urls[id];
    if (url === undefined) throw new Error(`there is no node ${id}`);
    return url;
  }

  /** Who leads the shard, if all nodes that run say the same. */
  leaderOf(shard: number): string | undefined {
    const standings = [...this.#running.values()].map((each) => standingsOf(each, shard).at(-1));
    const [first] = standings;
    const agree = standings.every(
      (each) => each?.leader === first?.leader && each?.term === first?.term,
    );
    const leader = agree ? first?.leader : undefined;
    return leader !== undefined && this.#running.has(leader) ? leader : undefined;
  }

  /** When somebody who runs now came to lead the shard, by the wall clock; undefined: not since then. */
  ledSince(shard: number, fromMs: number): number | undefined {
    const times = [...this.#running.values()]
      .flatMap((running) => standingsOf(running, shard))
      .filter(({ role, atMs }) => role === "leader" && atMs >= fromMs)
      .map(({ atMs }) => atMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** SIGKILL. Nothing of it runs any more, and its output is forgotten, when it settles. */
  async kill(id: string): Promise<void> {
    const running = this.#running.get(id);
    if (running === undefined) throw new Error(`${id} does not run`);
    this.#running.delete(id);
    running.signal("SIGKILL");
    await running.ended;
  }

  /** Settles when the node serves again. */
  async restart(id: string): Promise<void> {
    this.#start(id);
    await this.#serves(id);
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map((running) => running.end()));
    this.#folder.remove();
  }

  #start(id: string): void {
    const words = [
      "start",
      "--config",
      CONFIGURATION,
      "--node",
      id,
      "--json-logs",
      "--log-level",
      "debug",
    ];
    const running = startCapstan(words, { directory: this.#folder.path });
    this.#running.set(id, running);
    this.#all.push(running);
  }

  async #serves(id: string): Promise<void> {
    await this.#running.get(id)?.says(/serves at the levels of its keyspaces/);
  }
}

/** A key that starts so and lies in the shard. */
export function keyInShard(prefix: string, shard: number): string {
  for (let number = 0; ; number += 1) {
    const key = `${prefix}/${number}`;
    const bytes = new TextEncoder().encode(key);
    if (shardIndexForKey(bytes, "whole", SHARDS) === shard) return key;
  }
}

function standingsOf({ stdout }: Running, shard: number): Standing[] {
  const standings: Standing[] = [];
  for (const line of stdout.split("\n").slice(0, -1)) {
    if (!line.includes('"raft-standing"')) continue;
    const said = JSON.parse(line);
    if (said.shard !== shard) continue;
    standings.push({ role: said.role, term: said.term, leader: said.leader, atMs: said.time });
  }
  return standings;
}
