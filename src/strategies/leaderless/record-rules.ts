import type { MachineChange } from "../../core/contracts/machine-change.ts";
import type { Stamp } from "../../core/model/stamp.ts";
import type { SettlingRules } from "./settling/settling-rules.ts";

/**
 * How what a replica holds of a key stands to what comes in.
 *
 * - `included`: the held record says all that the incoming one says, and more.
 * - `equal`: they are the same bytes.
 * - `succeeded`: the incoming record says all that the held one says, and more.
 * - `apart`: each says something that the other does not.
 */
export type Relation = "included" | "equal" | "succeeded" | "apart";

/**
 * What a strategy keeps under a key. The replica knows of records only what is here, so that
 * writes, repair, hints, rebuilding and replay are one and the same merge for every strategy.
 *
 * Laws, by bytes: `merge` is commutative, associative and idempotent, and `relation` agrees with
 * it: the merge of `included` and `equal` is the held record, that of `succeeded` the incoming one.
 */
export interface RecordRules {
  /** @throws MalformedBytesError for bytes that are no record of these rules. */
  check(record: Uint8Array): void;
  relation(held: Uint8Array, incoming: Uint8Array): Relation;
  /** Only asked where the relation is `apart`. `key` is there where a replica merges what it keeps. */
  merge(held: Uint8Array, incoming: Uint8Array, key?: Uint8Array): Uint8Array;
  /** Greatest stamp that the record carries, for the node's clock and for refusals. */
  stampOf(record: Uint8Array): Stamp;
  /** What tells this record from others of its key, without its values. `check` accepts it. */
  summaryOf(record: Uint8Array): Uint8Array;
  /** Nothing of the key is alive; the record only keeps older versions from coming back. */
  isTombstone(record: Uint8Array): boolean;
  /**
   * When the first of what is alive in the record expires, in milliseconds of wall time; undefined
   * if nothing does.
   */
  expiryOf(record: Uint8Array): number | undefined;
  /**
   * The record as it is at that wall time: itself, or with what has expired taken for deleted. A
   * function of the record's own bytes, so that every node makes the same of it, and one that is
   * above it: the merge of a record with what it has come to is what it has come to.
   */
  expire(record: Uint8Array, wallMs: number): Uint8Array;
  /** Which moment the record tells to be over, where it says when what it held has expired. */
  expiredAtOf?(record: Uint8Array): number | undefined;
  /** What a floor in time does to records. */
  readonly settling: SettlingRules;
  /** What watchers are told when a key comes to hold the record. Left out: there are no watchers. */
  changeOf?(key: Uint8Array, record: Uint8Array): MachineChange;
}

/** What is to be held once both are known; `held` itself where the incoming brings nothing. */
export function mergedOf(
  rules: RecordRules,
  held: Uint8Array | undefined,
  incoming: Uint8Array,
  key?: Uint8Array,
): Uint8Array {
  if (held === undefined) return incoming;
  switch (rules.relation(held, incoming)) {
    case "included":
    case "equal":
      return held;
    case "succeeded":
      return incoming;
    case "apart":
      return rules.merge(held, incoming, key);
  }
}
