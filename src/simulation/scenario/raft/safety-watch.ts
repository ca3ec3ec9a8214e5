import { raftBooksOf, raftGroupOf, raftTermOf } from "../../../built-ins.ts";
import type { LogReadResult, StateBatch } from "../../../core/contracts/storage.ts";
import { hash32From } from "../../../core/model/hash.ts";
import {
  keyspaceHashOf,
  type LogSequence,
  type ShardId,
  shardIdOf,
  shardIndexOf,
} from "../../../core/model/ids.ts";
import type { StoreEvent } from "../../../core/store/api.ts";
import type { LogNews } from "../../watched-log.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";
import { RaftSafety } from "./raft-safety.ts";

/** Of one log, at the end. */
const MAX_READ_BYTES = 256 * 1024;
const READ_MS = 60_000;

/** Tells `RaftSafety` what the logs, the states and the events of all nodes say of a keyspace. */
export class SafetyWatch {
  readonly #scene: KeyspaceScene;
  readonly #safety = new RaftSafety({ groupOf: raftGroupOf });
  readonly #isOn: boolean;
  readonly #diverged: Violation[] = [];

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    // A lone replica whose store is lost begins the shard anew, in the first term.
    this.#isOn = scene.keyspace.keyspace.replicas > 1;
  }

  get violations(): readonly Violation[] {
    return [...this.#safety.violations, ...this.#diverged];
  }

  onEvent(node: string, { type, keyspace, shard, role, term }: StoreEvent): void {
    const { plan, world } = this.#scene;
    if (!this.#isOn || keyspace !== plan.name) return;
    if (type === "raft-diverged") {
      const message = `${node}: its leader lacks what is committed there, in shard ${shard}`;
      this.#diverged.push({ check: "leader-completeness", message });
    }
    if (type !== "raft-standing" || role !== "leader") return;
    this.#safety.leads(node, world.node(node).starts, Number(shard), Number(term));
  }

  onLog(node: string, news: LogNews): void {
    if (!this.#isOn) return;
    if (news.type === "opened") {
      const { storeId, last, lastSequence } = news;
      const { hash } = this.#scene.keyspace.keyspace;
      this.#safety.opened(node, storeId, last, (shard) => lastSequence(shardIdOf(hash, shard)));
    } else if (news.type === "appended") {
      const { shard, sequence: index, payload } = news.record;
      if (!this.#isOurs(shard)) return;
      const { position } = news;
      this.#safety.appended(node, shardIndexOf(shard), { position, ...entryOf(index, payload) });
    } else if (this.#isOurs(news.shard)) {
      const { type, shard, last, position } = news;
      this.#safety.cut(node, shardIndexOf(shard), type, last, position);
    }
  }

  onCommit(node: string, { mutations }: StateBatch): void {
    if (!this.#isOn) return;
    for (const mutation of mutations) {
      if (mutation.type !== "put" || mutation.space !== "data") continue;
      const { shard, key, value } = mutation;
      const books = this.#isOurs(shard) ? raftBooksOf(key, value) : undefined;
      if (books === undefined) continue;
      const { appliedIndex, appliedTerm } = books;
      // What is applied does not say in which term it was committed: a look at the replica will.
      const by = Number.POSITIVE_INFINITY;
      this.#safety.committed(node, shardIndexOf(shard), appliedIndex, appliedTerm, by);
    }
  }

  /** The replica is in that term. */
  onCommitIndex(node: string, shard: number, index: number, term: number): void {
    if (this.#isOn) this.#safety.committedUpTo(node, shard, index, term);
  }

  /**
   * Compares what the logs really hold, as far back as they go; not that of a node which has failed,
   * as it closes its log. Runs the world.
   */
  async readLogs(): Promise<void> {
    if (!this.#isOn) return;
    const { world, keyspace } = this.#scene;
    const { hash, shards } = keyspace.keyspace;
    const reading = world.running().flatMap((node) =>
      Array.from({ length: shards }, async (_, shardIndex) => {
        const { id, disk } = node;
        const shard = shardIdOf(hash, shardIndex);
        const read = async (from: number) => {
          const { log } = disk.storage ?? {};
          if (log === undefined || node.life?.hasFailed !== false) return;
          return new Promise<LogReadResult>((done) =>
            log.read(shard, from as LogSequence, MAX_READ_BYTES, done),
          );
        };
        let result = await read(1);
        if (result?.type === "compacted") result = await read(result.first);
        if (result?.type !== "records") return;
        for (const { sequence, payload } of result.records) {
          this.#safety.found(id, shardIndex, entryOf(sequence, payload));
        }
      }),
    );
    await world.driver.until(Promise.all(reading), READ_MS);
  }

  #isOurs(shard: ShardId): boolean {
    return keyspaceHashOf(shard) === this.#scene.keyspace.keyspace.hash;
  }
}

function entryOf(index: number, record: Uint8Array) {
  return { index, term: raftTermOf(record), hash: hash32From(record, 0) };
}
