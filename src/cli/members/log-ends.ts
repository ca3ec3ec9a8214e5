import type { Health } from "../read-health.ts";
import type { PlannedShards } from "./recovery-plan.ts";

/** Where the log of one node's copy of a shard ends. */
export interface CopyEnd {
  readonly node: string;
  readonly shard: number;
  readonly term: number;
  readonly index: number;
}

/** Of the shards of a plan, as their nodes say, of each shard the latest first. */
export function copyEndsOf(
  { keyspace, shards }: PlannedShards,
  healths: readonly Health[],
): readonly CopyEnd[] {
  const ends = healths.flatMap(({ node, keyspaces }) =>
    keyspaces
      .filter(({ name }) => name === keyspace)
      .flatMap(({ unserved = [] }) => unserved)
      .flatMap(({ log_ends = [] }) => log_ends)
      .map(({ shard, term, index }) => ({ node, shard, term, index })),
  );
  const seen = new Set<string>();
  return ends
    .filter(({ node, shard }) => {
      const name = `${node} ${shard}`;
      // A shard stands in one entry for each reason.
      const isNew = shards.includes(shard) && !seen.has(name);
      seen.add(name);
      return isNew;
    })
    .sort((a, b) => a.shard - b.shard || laterFirst(a, b));
}

/** What an operator has to know before one copy is gone on with: which is the latest. */
export function copyEndLines(ends: readonly CopyEnd[], asked: string): readonly string[] {
  const shards = [...new Set(ends.map(({ shard }) => shard))];
  return shards.map((shard) => {
    const copies = ends.filter((each) => each.shard === shard);
    const [latest] = copies as [CopyEnd, ...CopyEnd[]];
    const equals = copies.filter((each) => laterFirst(latest, each) === 0).map(({ node }) => node);
    const logs = copies
      .map(({ node, term, index }) => `${node}'s at term ${term}, index ${index}`)
      .join("; ");
    const head = `  shard ${shard}: logs end: ${logs}`;
    if (copies.length === 1 && latest.node === asked) return head;
    if (equals.includes(asked)) {
      return `${head}: ${asked}'s is as late as any, recover it here`;
    }
    return `${head}: recover it at ${latest.node}, whose log is the latest`;
  });
}

/** As an election has it: the greater term of the last entry, then the longer log. */
function laterFirst(a: CopyEnd, b: CopyEnd): number {
  return b.term - a.term || b.index - a.index;
}
