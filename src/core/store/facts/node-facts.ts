import type { Environment } from "../../contracts/environment.ts";
import type { Observer } from "../../contracts/observer.ts";
import { CapstanError } from "../../model/errors.ts";
import type { ConflictFact, Fact, ReplicationFact } from "../../model/facts.ts";
import { hash32 } from "../../model/hash.ts";
import { decodeKey, encodeKey } from "../../model/keys.ts";
import type { ConflictRow, FactPage, FactQuery, ReplicationRow } from "../api.ts";
import type { Notice } from "../store-events.ts";
import { FactEvents } from "./fact-events.ts";
import { FactTable, type KeptFact } from "./fact-table.ts";

/** Few, because every write has one: what is kept long is what the collector pays for. */
const KEPT_REPLICATIONS = 1_024;
const KEPT_CONFLICTS = 4_096;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const FIELDS: readonly string[] = Object.freeze(["keyspace", "key", "before", "limit"]);

export interface NodeFactsOptions {
  readonly node: string;
  readonly keyspaces: readonly string[];
  readonly environment: Environment;
  readonly observer: Observer;
  readonly emit: (notice: Notice) => void;
}

/** What this node knows of where writes went and which versions met, since it was started. */
export class NodeFacts {
  readonly #options: NodeFactsOptions;
  readonly #events: FactEvents;
  readonly #replications = new FactTable<ReplicationFact>(KEPT_REPLICATIONS);
  readonly #conflicts = new FactTable<ConflictFact>(KEPT_CONFLICTS);

  constructor(options: NodeFactsOptions) {
    this.#options = options;
    this.#events = new FactEvents(options.emit);
  }

  record(keyspace: string, fact: Fact): void {
    const atMs = this.#options.environment.wallMs();
    if (fact.type === "replication") {
      this.#replications.add(keyspace, atMs, fact);
      this.#events.onReplication(keyspace, fact, atMs);
      return;
    }
    const { observer } = this.#options;
    const { resolution, discarded } = fact;
    this.#conflicts.add(keyspace, atMs, fact);
    observer.count("capstan_conflicts", 1, { keyspace, resolution });
    if (discarded > 0) observer.count("capstan_writes_discarded", discarded, { keyspace });
    this.#events.onConflict(keyspace, fact, atMs);
  }

  async replications(query?: FactQuery): Promise<FactPage<ReplicationRow>> {
    return pageOf(this.#replications, this.#filterOf(query), (kept) => this.#replicationRow(kept));
  }

  async conflicts(query?: FactQuery): Promise<FactPage<ConflictRow>> {
    return pageOf(this.#conflicts, this.#filterOf(query), (kept) => this.#conflictRow(kept));
  }

  #replicationRow({ id, atMs, keyspace, fact }: KeptFact<ReplicationFact>): ReplicationRow {
    const { shardIndex: shard, key, operation, version, writes, sequences, replicatedTo } = fact;
    return {
      ...{ id, atMs, keyspace, shard, writes },
      ...(key !== undefined && nameOf(key)),
      ...(operation !== undefined && { operation }),
      ...(version !== undefined && { version }),
      ...(sequences !== undefined && { sequences }),
      sourceNode: this.#options.node,
      replicatedTo: [...replicatedTo].sort(),
    };
  }

  #conflictRow({ id, atMs, keyspace, fact }: KeptFact<ConflictFact>): ConflictRow {
    const { shardIndex: shard, key, versions, resolution, resolvedVersion, discarded } = fact;
    return {
      ...{ id, atMs, keyspace, shard, ...nameOf(key), versions, resolution },
      ...(resolvedVersion !== undefined && { resolvedVersion }),
      discarded,
      node: this.#options.node,
    };
  }

  #filterOf(query: FactQuery = {}) {
    const wrong = Object.keys(query).find((name) => !FIELDS.includes(name));
    if (wrong !== undefined) {
      const there = FIELDS.join(", ");
      throw invalid(
        `there is no field ${JSON.stringify(wrong)} in a query of facts; there are: ${there}`,
      );
    }
    const { keyspace, key, before, limit = DEFAULT_LIMIT } = query;
    const { keyspaces } = this.#options;
    if (keyspace !== undefined && !keyspaces.includes(keyspace)) {
      throw new CapstanError(
        "UNKNOWN_KEYSPACE",
        `no keyspace ${JSON.stringify(keyspace)} is declared; there are: ${keyspaces.join(", ")}`,
        { allowed: keyspaces },
      );
    }
    checkCount("limit", limit, MAX_LIMIT);
    if (before !== undefined) checkCount("before", before, Number.MAX_SAFE_INTEGER);
    return { keyspace, key: key === undefined ? undefined : encodeKey(key), before, limit };
  }
}

function pageOf<F extends { readonly key?: Uint8Array }, Row>(
  table: FactTable<F>,
  filter: Parameters<FactTable<F>["select"]>[0],
  rowOf: (kept: KeptFact<F>) => Row,
): FactPage<Row> {
  return { rows: table.select(filter).map(rowOf), total: table.total };
}

function nameOf(key: Uint8Array): { readonly key: string; readonly keyHash: string } {
  return { key: decodeKey(key), keyHash: hash32(key).toString(16).padStart(8, "0") };
}

function checkCount(name: string, value: unknown, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most) return;
  throw invalid(`${name} has to be a whole number from 1 to ${most}, not ${String(value)}`);
}

function invalid(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}
