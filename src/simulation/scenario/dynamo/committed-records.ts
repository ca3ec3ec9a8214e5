import type { StateBatch, StateStore } from "../../../core/contracts/storage.ts";
import { keyspaceHashOf } from "../../../core/model/ids.ts";

/** A copy of a key, as a commit is about to make it. */
export interface CommittedRecord {
  readonly key: string;
  readonly record: Uint8Array;
  /** What the copy is until then. Asked for at once, or not at all: the next step changes it. */
  held(): Uint8Array | undefined;
}

/** The records of a keyspace that a batch commits, in order: several steps may be in one batch. */
export function* committedRecords(
  keyspaceHash: number,
  state: StateStore,
  { mutations }: StateBatch,
): Generator<CommittedRecord, undefined> {
  const latest = new Map<string, Uint8Array | undefined>();
  for (const mutation of mutations) {
    if (mutation.type !== "put" && mutation.type !== "delete") continue;
    if (mutation.space !== "data" || keyspaceHashOf(mutation.shard) !== keyspaceHash) continue;
    const key = Buffer.from(mutation.key).toString("utf8");
    if (mutation.type === "delete") latest.set(key, undefined);
    if (mutation.type === "delete" || mutation.generation !== undefined) continue;
    const { shard, value: record } = mutation;
    const held = () => (latest.has(key) ? latest.get(key) : state.get(shard, "data", mutation.key));
    yield { key, record, held };
    latest.set(key, record);
  }
}
