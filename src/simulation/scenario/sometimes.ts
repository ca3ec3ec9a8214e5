import type { SimWorld } from "../sim-world.ts";
import type { ClientCalls } from "./client-calls.ts";
import { LATE_READS_SOMETIMES } from "./late-reads.ts";
import { SLOW_LINKS_SOMETIMES } from "./slow-links.ts";
import { strategyScenario } from "./strategies.ts";
import type { KeyspaceRun } from "./strategy-scenario.ts";

/** How often rare states were reached, by name. */
export type Sometimes = Readonly<Record<string, number>>;

/** Events of a store that stand for a rare state, and what it is called. */
const BY_EVENT: Readonly<Record<string, string>> = Object.freeze({
  "rebuild-started": "a replica was rebuilt",
  "rebuild-finished": "a rebuild came to its end",
  "writes-may-be-lost": "a rebuild ended without enough sources",
  "shard-damaged": "a damaged shard was fenced",
  "shards-incomplete": "shards lacked their tail after a crash",
  "old-copy": "an old copy was recognised",
  "clock-skew": "clocks were too far apart",
});

const BY_CODE: Readonly<Record<string, string>> = Object.freeze({
  "OUTCOME_UNKNOWN/unknown": "a write ended unknown",
  "SUPERSEDED/applied": "a write was stored and already superseded",
  "SUPERSEDED/not-applied": "a write was refused by a newer version everywhere",
  "SUPERSEDED/unknown": "a retried write was superseded",
  "OVERLOADED/not-applied": "a full queue refused work",
});

/** What nodes say in their logs, likewise. */
const BY_MESSAGE: Readonly<Record<string, string>> = Object.freeze({
  "a torn end of the log is cut": "a torn tail was cut",
});

/** Names of counters that every long run has to reach, whatever strategies it draws. */
const COMMON_NAMES: readonly string[] = Object.freeze([
  ...Object.values(BY_EVENT).filter((name) => name !== "clocks were too far apart"),
  ...Object.values(BY_CODE),
  ...Object.values(BY_MESSAGE),
  ...LATE_READS_SOMETIMES,
  ...SLOW_LINKS_SOMETIMES,
]);

/** Names of all counters that have to be reached in a long run that draws these strategies. */
export function sometimesNames(strategies: readonly string[]): readonly string[] {
  const own = strategies.flatMap((strategy) => strategyScenario(strategy).sometimes);
  return [...new Set([...COMMON_NAMES, ...own])];
}

/** Counted over the lives of all nodes, and what clients were told. */
export function countSometimes(
  world: SimWorld,
  calls: ClientCalls,
  others: readonly Pick<KeyspaceRun, "sometimes">[],
): Sometimes {
  const counts: Record<string, number> = {};
  const add = (name: string | undefined, by = 1): void => {
    if (name !== undefined && by > 0) counts[name] = (counts[name] ?? 0) + by;
  };
  for (const [type, count] of world.eventCounts) add(BY_EVENT[type], count);
  for (const [message, count] of world.said) add(BY_MESSAGE[message], count);
  for (const [code, count] of Object.entries(calls.tally)) add(BY_CODE[code], count);
  for (const other of others) {
    for (const [name, count] of Object.entries(other.sometimes())) add(name, count);
  }
  return counts;
}
