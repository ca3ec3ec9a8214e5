import { raftBooksOf, raftRevisionOf } from "../../../built-ins.ts";
import type { StateBatch } from "../../../core/contracts/storage.ts";
import { type LogSequence, type ShardId, shardIdOf } from "../../../core/model/ids.ts";
import { majorityOf } from "../../../core/model/quorum.ts";
import { asBuffer } from "../../../storage/disk/log/as-buffer.ts";
import type { StateDisk } from "../../persistent-memory-state.ts";
import { isRecordStable, type SoughtRecord } from "../../stable-record.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";
import type { RaftWrite } from "./raft-model.ts";

/** What is known when a client asks for a write. */
export interface AskedWrite {
  readonly shardIndex: number;
  readonly atMs: number;
  /** Which sets of nodes may decide, as the topology has them. */
  readonly sets: readonly (readonly string[])[];
}

interface ShardDescription {
  readonly shard: number;
  readonly commitIndex: number;
  readonly configurationIndex: number;
  readonly deciders: readonly (readonly string[])[];
}

/**
 * The durable-quorum rule (extended paper §5.1 and §5.3: a server answers once its log is on stable
 * storage, and an entry is committed once a majority has it): whenever a client is told that a write
 * is applied, its entry lies at that moment synced on the disks of a majority of the voters in
 * force; of both majorities, while the configuration is joint.
 *
 * What lies there is read off the simulated disks: the synced bytes of the log, or else the synced
 * commits of a state that has the entry. A node that has lost what it had since the client asked,
 * or was ever damaged, is taken for one that has held it.
 */
export class DurableQuorum {
  readonly violations: Violation[] = [];
  /** Writes that were looked at. */
  judged = 0;
  readonly #scene: KeyspaceScene;
  readonly #isOn: boolean;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    const { durability } = scene.keyspace.keyspace;
    const isOnDisk = scene.world.nodes.every(({ disk }) => disk.persists);
    this.#isOn = isOnDisk && durability === "fsync";
  }

  /** Called before a store is asked; undefined where nothing is promised. */
  asked(key: string): AskedWrite | undefined {
    if (!this.#isOn) return undefined;
    const { keyspace, world } = this.#scene;
    const shardIndex = keyspace.shardOf(key);
    return { shardIndex, atMs: world.time.nowMs, sets: keyspace.decidersOf(shardIndex) };
  }

  /** Called when the client has been told, before anything else happens in the world. */
  told(asked: AskedWrite | undefined, version: string, writes: readonly RaftWrite[]): void {
    if (asked === undefined) return;
    const { revision } = raftRevisionOf(version) ?? {};
    if (revision === undefined) throw new Error(`${version} is no version of a raft keyspace`);
    this.judged += 1;
    const holds = this.#holding(asked, revision, writes);
    const sets = this.#setsInForce(asked, revision);
    const missing = sets.find((nodes) => !isHeldByMajority(nodes, holds));
    if (missing === undefined) return;
    const who = missing.map((id) => `${id} ${holds(id) ? "has" : "has not"}`).join(", ");
    const names = writes.map(({ key, value }) => `${key}=${value}`).join(" ");
    const place = `entry ${revision} of shard ${asked.shardIndex}`;
    const message = `${names} is applied, ${place}, and no majority has synced it: ${who}`;
    this.violations.push({ check: "durable-quorum", message });
  }

  /** Whether a node has what was written: each is looked at once, and only if it has to be. */
  #holding(
    { shardIndex, atMs }: AskedWrite,
    revision: number,
    writes: readonly RaftWrite[],
  ): (id: string) => boolean {
    const { world, topology, keyspace } = this.#scene;
    const shard = shardIdOf(keyspace.keyspace.hash, shardIndex);
    const values = writes.flatMap(({ value }) => (value === undefined ? [] : [value]));
    const sought: SoughtRecord = {
      shard,
      sequence: revision as LogSequence,
      isIt: (payload) => values.every((value) => asBuffer(payload).includes(value)),
    };
    const look = (id: string): boolean => {
      if (topology.wasDamaged(id)) return true;
      if (topology.losses.some(({ node, at }) => node === id && at >= atMs)) return true;
      const { files, state } = world.node(id).disk;
      return isRecordStable(files, sought) || syncedIndex(state, shard) >= revision;
    };
    const seen = new Map<string, boolean>();
    return (id) => {
      const holds = seen.get(id) ?? look(id);
      seen.set(id, holds);
      return holds;
    };
  }

  /** Sets of which each has to have a majority. */
  #setsInForce({ shardIndex, sets }: AskedWrite, revision: number): readonly (readonly string[])[] {
    // Nobody has moved it since: those are the voters, whatever the store says.
    if (sets.length === 1 && this.#scene.keyspace.decidersOf(shardIndex) === sets) return sets;
    // A replica that has committed the entry, and has no later configuration, has the one under
    // which that was done (Log Matching). One that was in force only later may not have counted.
    // A store begun anew is given the log from its start, and the configuration of birth lies before
    // that: until it meets another one, there or with a picture, it knows of no voters at all.
    const knowing = this.#describe(shardIndex).find(
      ({ commitIndex, configurationIndex, deciders }) =>
        commitIndex >= revision &&
        configurationIndex <= revision &&
        deciders.every((nodes) => nodes.length > 0),
    );
    return knowing?.deciders ?? [];
  }

  #describe(shardIndex: number): readonly ShardDescription[] {
    const { world, plan } = this.#scene;
    return world.running().flatMap(({ life }) => {
      const description = life?.store?.keyspace(plan.name).describe();
      const shards = (description?.shards ?? []) as readonly ShardDescription[];
      return shards.filter(({ shard }) => shard === shardIndex);
    });
  }
}

function isHeldByMajority(nodes: readonly string[], holds: (id: string) => boolean): boolean {
  let left = majorityOf(nodes.length);
  return nodes.some((id) => {
    if (holds(id)) left -= 1;
    return left === 0;
  });
}

/** Up to which entry the synced commits of a state have applied the shard's log. */
function syncedIndex({ batches, synced }: StateDisk, shard: ShardId): number {
  const current = new Set<number | undefined>([undefined]);
  for (let at = synced - 1; at >= 0; at -= 1) {
    const { mutations } = batches[at] as StateBatch;
    for (const mutation of mutations) {
      if (mutation.shard === shard && mutation.type === "switch-generation") {
        current.add(mutation.generation);
      }
    }
    for (const mutation of mutations) {
      if (mutation.shard !== shard || mutation.type !== "put") continue;
      // Of a generation that nobody has switched to nothing counts.
      if (!current.has(mutation.generation)) continue;
      const books = raftBooksOf(mutation.key, mutation.value);
      if (books !== undefined) return books.appliedIndex;
    }
  }
  return 0;
}
