import { ContextTokens, contextOfRecord, decodeDottedRecord } from "../../../built-ins.ts";
import { shardIdOf } from "../../../core/model/ids.ts";
import { decodeValue } from "../../../core/model/values.ts";
import type { SimNode } from "../../sim-node.ts";
import type { SimWorld } from "../../sim-world.ts";
import { nameIn } from "../large-values.ts";
import type { ShownVersion } from "../leaderless/session-keys.ts";
import type { KeyspaceTopology } from "../topology.ts";
import type { NamedEvent } from "./ghost-writes.ts";

type Named = ReturnType<typeof decodeDottedRecord>["siblings"][number];

export type CausalContext = ReturnType<typeof contextOfRecord>;
export type SeenIn = ReturnType<ContextTokens["parse"]>;

/** What nodes hold of a dynamo keyspace, and what its versions say. */
export class DynamoCopies {
  readonly #world: SimWorld;
  readonly #keyspace: KeyspaceTopology;
  readonly #tokens: ContextTokens;
  /** By key and version: in the end each is compared with many others. */
  readonly #seen = new Map<string, SeenIn>();
  /** By key and value: the versions that were committed anywhere; every value is written once. */
  readonly #named = new Map<string, Named>();

  constructor(world: SimWorld, keyspace: KeyspaceTopology) {
    this.#world = world;
    this.#keyspace = keyspace;
    const { name, hash } = keyspace.keyspace;
    this.#tokens = new ContextTokens(name, hash, undefined);
  }

  /** Whether all events that `written` knows are known to `found` too. */
  covers(key: string, found: string, written: string): boolean {
    return this.contextOf(key, found).includes(this.contextOf(key, written));
  }

  /** Whether `found` knows the newest event of `written` by its name, and not by a floor alone. */
  names(key: string, found: string, written: string): boolean {
    const [newest] = this.contextOf(key, written).entries.toSorted((a, b) => b.time - a.time);
    if (newest === undefined) return false;
    return this.contextOf(key, found).counterOf(newest.actor) >= newest.counter;
  }

  /** Whether the version names no event: replicas that hold nothing answer with their floor. */
  isFloor(key: string, version: string): boolean {
    return this.contextOf(key, version).entries.length === 0;
  }

  /** A copy is about to hold this. */
  noteNames(key: string, record: Uint8Array): void {
    for (const sibling of decodeDottedRecord(record).siblings) {
      const { value } = sibling;
      if (value !== undefined) this.#named.set(`${key}\n${decodeValue(value)}`, sibling);
    }
  }

  /**
   * Whether a read shows less than what had been seen: an event that was named is not known to it;
   * a version that was alive is not, nor shown; or one is shown that had been replaced. How far the
   * bases reach says nothing by itself: each replica has its own floor.
   */
  isLess(key: string, found: ShownVersion | undefined, seen: ShownVersion): boolean {
    const known = found && this.contextOf(key, found.version);
    const had = this.contextOf(key, seen.version);
    const isKnown = (dot: Named["dot"], time: number) => known?.covers(dot, time) === true;
    if (had.entries.some((entry) => !isKnown(entry, entry.time))) return true;
    const shown = found?.values ?? [];
    const named = (value: string) => this.#named.get(`${key}\n${value}`);
    const isLost = (value: string) => {
      const version = named(value);
      return version !== undefined && !isKnown(version.dot, version.time);
    };
    const isBack = (value: string) => {
      const version = named(value);
      return version !== undefined && had.covers(version.dot, version.time);
    };
    const { values, isAll } = seen;
    if (values.some((value) => !shown.includes(value) && isLost(value))) return true;
    return isAll && shown.some((value) => !values.includes(value) && isBack(value));
  }

  /** Running nodes, those that stand in among them, whose copy knows all that the version knows. */
  holdersOf(key: string, version: string): readonly string[] {
    const wanted = this.contextOf(key, version);
    return this.#world
      .running()
      .filter((node) => {
        const record = this.recordAt(node, key);
        return record !== undefined && contextOfRecord(record).includes(wanted);
      })
      .map(({ id }) => id);
  }

  recordAt(node: SimNode, key: string): Uint8Array | undefined {
    const shard = shardIdOf(this.#keyspace.keyspace.hash, this.#keyspace.shardOf(key));
    try {
      return node.disk.storage?.state.get(shard, "data", Buffer.from(key, "utf8"));
    } catch {
      // A state that is closed or damaged holds nothing that anybody could be given.
      return undefined;
    }
  }

  /** The store that the node has now. */
  storeIdOf(id: string): string {
    const { disk, starts } = this.#world.node(id);
    // What is kept in memory alone ends with its start.
    return disk.storeId ?? `start ${starts}`;
  }

  replicasOf(key: string): readonly string[] {
    return this.#keyspace.newestOf(this.#keyspace.shardOf(key));
  }

  decidersOf(key: string): readonly (readonly string[])[] {
    return this.#keyspace.decidersOf(this.#keyspace.shardOf(key));
  }

  wasMoved(key: string): boolean {
    return this.#keyspace.wasMoved(this.#keyspace.shardOf(key));
  }

  /** What the version says that is known. */
  contextOf(key: string, version: string): CausalContext {
    return this.seenIn(key, version).context;
  }

  /** What a client has seen that has the version. */
  seenIn(key: string, version: string): SeenIn {
    const name = `${key}\n${version}`;
    const known = this.#seen.get(name);
    if (known !== undefined) return known;
    const seen = this.#tokens.parse(Buffer.from(key, "utf8"), version);
    this.#seen.set(name, seen);
    return seen;
  }
}

/** The same with the events of their writes. */
export function eventsIn(
  record: Uint8Array,
): readonly (readonly [id: string, event: NamedEvent])[] {
  return decodeDottedRecord(record).siblings.flatMap(({ dot, time, value }) =>
    value === undefined ? [] : [[nameIn(String(decodeValue(value))), { ...dot, time }] as const],
  );
}

/** Values of the versions that stand side by side in a record. */
export function valuesIn(record: Uint8Array): readonly string[] {
  return decodeDottedRecord(record)
    .siblings.filter(({ value }) => value !== undefined)
    .map(({ value }) => nameIn(String(decodeValue(value as Uint8Array))));
}
