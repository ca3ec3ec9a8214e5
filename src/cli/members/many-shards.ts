import type { Client } from "../../client/index.ts";
import { isCapstanError } from "../../core/model/errors.ts";
import type { ShardMembers, ShardQuery } from "../../core/store/api.ts";
import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { paintFor } from "../paint.ts";
import { faultFields, faultLine } from "../report-fault.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import { type CallLimits, type Deed, linesOf } from "./shard-task.ts";

/** So many shards are under way at once. */
const AT_ONCE = 4;

/** One after the other, a code that says more than those after it. */
const GRAVITY: readonly number[] = [EXIT.unknown, EXIT.notApplied, EXIT.usage];

/** What became of one shard. */
type ShardOutcome = ShardQuery &
  (
    | { readonly outcome: "done"; readonly members: ShardMembers }
    /** A majority of a shard that was to be recovered can be reached. */
    | { readonly outcome: "not-needed" }
    | { readonly outcome: "failed"; readonly error: unknown }
  );

/**
 * Does the same about each of several shards, also where it fails for some. Says at once what became
 * of each, and at last how many there were. Gives the exit code: that of the worst.
 */
export async function doForShards(
  client: Client,
  deed: Deed,
  shards: readonly ShardQuery[],
  limits: CallLimits,
  json: boolean,
  surroundings: Surroundings,
): Promise<number> {
  const queue = [...shards];
  const ended: ShardOutcome[] = [];
  const work = async (): Promise<void> => {
    while (queue.length > 0 && !limits.signal.aborted && !ended.some(isServerGone)) {
      const query = queue.shift() as ShardQuery;
      const outcome = await outcomeOf(client, deed, query, limits);
      ended.push(outcome);
      report(outcome, json, surroundings);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, shards.length) }, work));
  printLine(surroundings.stderr, totalsOf(ended, queue.length));
  if (limits.signal.aborted) return EXIT.interrupted;
  const codes = ended.map((each) =>
    each.outcome === "failed" ? exitCodeOf(each.error) : EXIT.done,
  );
  return GRAVITY.find((code) => codes.includes(code)) ?? Math.max(EXIT.done, ...codes);
}

async function outcomeOf(
  client: Client,
  deed: Deed,
  { keyspace, shard }: ShardQuery,
  limits: CallLimits,
): Promise<ShardOutcome> {
  try {
    const members = await deed(client, { keyspace, shard }, limits);
    return { keyspace, shard, outcome: "done", members };
  } catch (error) {
    const isPresent = isCapstanError(error) && error.code === "QUORUM_PRESENT";
    if (isPresent) return { keyspace, shard, outcome: "not-needed" };
    return { keyspace, shard, outcome: "failed", error };
  }
}

/** The others would fare no better. */
function isServerGone(ended: ShardOutcome): boolean {
  return (
    ended.outcome === "failed" &&
    isCapstanError(ended.error) &&
    ended.error.code === "UNREACHABLE_SERVER"
  );
}

function report(ended: ShardOutcome, json: boolean, { stdout, stderr, env }: Surroundings): void {
  const { keyspace, shard, outcome } = ended;
  if (json) {
    const what =
      outcome === "done"
        ? { members: ended.members }
        : outcome === "failed"
          ? { error: faultFields(ended.error) }
          : {};
    printLine(stdout, JSON.stringify({ keyspace, shard, outcome, ...what }));
  } else if (outcome === "done") {
    for (const line of linesOf(ended.members)) printLine(stdout, line);
  } else if (outcome === "not-needed") {
    const text = "left as it is, a majority of its replicas can be reached";
    printLine(stdout, `shard ${shard} of ${keyspace}: ${text}`);
  } else {
    const error = paintFor(stderr, env)("red", "error:");
    printLine(stderr, `${error} shard ${shard} of ${keyspace}: ${faultLine(ended.error)}`);
  }
}

function totalsOf(ended: readonly ShardOutcome[], notBegun: number): string {
  const count = (outcome: ShardOutcome["outcome"]): number =>
    ended.filter((each) => each.outcome === outcome).length;
  const unknown = ended.filter(
    (each) => each.outcome === "failed" && exitCodeOf(each.error) === EXIT.unknown,
  ).length;
  const refused = count("failed") - unknown;
  const parts = [
    `${count("done")} of ${ended.length + notBegun} shards done`,
    ...(count("not-needed") === 0 ? [] : [`${count("not-needed")} left as they are`]),
    ...(unknown === 0 ? [] : [`${unknown} of unknown outcome`]),
    ...(refused === 0 ? [] : [`${refused} failed`]),
    ...(notBegun === 0 ? [] : [`${notBegun} not begun`]),
  ];
  const isWhole = refused + unknown + notBegun === 0;
  return `${parts.join(", ")}${isWhole ? "" : ": the same command again goes on with the rest"}`;
}
