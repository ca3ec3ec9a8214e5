import type { Paint } from "./paint.ts";
import type { Health, Unserved } from "./read-health.ts";
import { shardRanges } from "./shard-ranges.ts";

type KeyspaceHealth = Health["keyspaces"][number];

const REASONS: Readonly<Record<string, string>> = Object.freeze({
  "quorum-lost":
    "so many replicas have lost their stores that those left cannot decide (`capstan members recover " +
    "--help` says how to go on with what is left)",
  "too-few-replicas": "too few replicas are there",
  "no-leader": "enough replicas are there, and none leads (an election takes about a second)",
  "not-ready": "the node that was asked is not ready",
});

/** Whether a call that names no level fails in one of the keyspace's shards. */
export function isUnserved({ unserved = [], ...keyspace }: KeyspaceHealth): boolean {
  return unserved.some(
    ({ reason, reads, writes }) =>
      reason !== "lowered" &&
      (reads.includes(keyspace.read_default) || writes.includes(keyspace.write_default)),
  );
}

/** One line for each set of shards of which the node that was asked says that they do not serve. */
export function unservedLines(health: Health, paint: Paint): readonly string[] {
  return health.keyspaces.flatMap((keyspace) =>
    (keyspace.unserved ?? []).map((each) => {
      const isGrave = isUnserved({ ...keyspace, unserved: [each] });
      const shards = shardsText(each, keyspace);
      const head = paint(isGrave ? "red" : "yellow", `${keyspace.name}: ${shards}`);
      return `${head} ${verbOf(each)} ${levelsText(each)}: ${reasonOf(each)}${missingText(each, health)}${toldText(each)}`;
    }),
  );
}

function shardsText({ shards }: Unserved, keyspace: KeyspaceHealth): string {
  const count = keyspace.shards;
  if (shards.length === count) return count === 1 ? "its shard" : `all ${count} shards`;
  const many = shards.length === 1 ? "shard" : "shards";
  return `${many} ${shardRanges(shards)} of ${count}`;
}

function verbOf({ reason, shards }: Unserved): string {
  if (reason === "lowered") return shards.length === 1 ? "does not reach" : "do not reach";
  return shards.length === 1 ? "does not serve" : "do not serve";
}

function levelsText({ reads, writes }: Unserved): string {
  const both = reads.join(", ");
  if (both === writes.join(", ")) return `reads and writes at ${both}`;
  const sides = [
    ...(reads.length === 0 ? [] : [`reads at ${reads.join(", ")}`]),
    ...(writes.length === 0 ? [] : [`writes at ${writes.join(", ")}`]),
  ];
  return sides.join("; ");
}

function reasonOf({ reason }: Unserved): string {
  if (reason !== "lowered") return REASONS[reason] ?? reason;
  return "too few replicas are there; operations succeed with those (`consistent: false`)";
}

function missingText({ missing, reason }: Unserved, health: Health): string {
  if (missing.length === 0) return "";
  return `; without ${describeMissing(missing, health, reason === "quorum-lost")}`;
}

function toldText({ told_by: node }: Unserved): string {
  return node === undefined ? "" : ` (as ${node} says)`;
}

/**
 * With when each was last heard of: since then, at the earliest, shards do without it. `isLost`: of those
 * that are there it is their stores that are lost; else they learn what they lack.
 */
export function describeMissing(
  missing: readonly string[],
  health: Health,
  isLost: boolean,
): string {
  const names = missing.map((name) => {
    const node = health.nodes.find((each) => each.node === name);
    if (name === health.node) return `${name} (its copy is being rebuilt)`;
    if (node?.status === "active") {
      return `${name} (its ${isLost ? "store is lost" : "copy is being rebuilt"})`;
    }
    return `${name} (last heard: ${heard(node?.silent_ms)})`;
  });
  return names.join(", ");
}

/** How long ago a node was last heard. */
export function heard(silentMs: number | undefined): string {
  if (silentMs === undefined) return "never";
  return silentMs < 1_000
    ? `${Math.round(silentMs)} ms ago`
    : `${Math.round(silentMs / 1_000)} s ago`;
}
