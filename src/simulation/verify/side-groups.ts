import type { HistoryCheck } from "../../core/contracts/strategy.ts";
import { nameOfValue } from "../../verification/register-values.ts";
import type { KeyspaceTopology } from "../scenario/topology.ts";
import type { KeyGroup } from "./clients.ts";
import { type LevelPair, nameOfPair, promisedChecks } from "./promised-checks.ts";
import type { Subject } from "./subject.ts";

const KEYS_WITH_CONDITIONS = 2;
const KEYS_OF_BATCHES = 3;
/** As many writes as a run has at most, and more. */
const MOST_WRITES = 1_500;

/** Keys that are written on conditions, and keys that are written in batches, where that is offered. */
export function sideGroups(subject: Subject, topology: KeyspaceTopology): readonly KeyGroup[] {
  const groups: KeyGroup[] = [];
  if (takesConditions(subject) && valuesDiffer(subject)) {
    const pair = pairFor(subject, "conditional-writes");
    const prefix = `if/${nameOfPair(pair)}`;
    const keys = keysOf(prefix, KEYS_WITH_CONDITIONS);
    groups.push({ name: prefix, pair, workload: "conditions", keys, isAside: true });
  }
  const { use, description } = subject;
  if (description.batch !== undefined && (use === "register" || use === "siblings")) {
    const isWhole = description.batch === "all-or-nothing";
    const pair = pairFor(subject, isWhole ? "all-or-nothing" : "batch-per-key");
    const prefix = `batch/${nameOfPair(pair)}`;
    const keys = isWhole
      ? keysInOneShard(topology, prefix, KEYS_OF_BATCHES)
      : keysOf(prefix, KEYS_OF_BATCHES);
    groups.push({ name: prefix, pair, workload: "batches", keys, isAside: true });
  }
  return groups;
}

/** Whether conditions are offered, and what reads find is some client's value. */
export function takesConditions({ conditional, use }: Subject): boolean {
  return conditional && use === "register";
}

/** A condition is judged by the value that its version had: that has to tell the writes apart. */
export function valuesDiffer({ values }: Subject): boolean {
  const names = Array.from({ length: MOST_WRITES }, (_, at) => nameOfValue(values.valueAt(at + 1)));
  return new Set(names).size === MOST_WRITES;
}

/** The keyspace's own levels, unless only others promise it. */
function pairFor(
  { defaults, pairs, guarantees, replicas }: Subject,
  check: HistoryCheck,
): LevelPair {
  const promises = (pair: LevelPair) => promisedChecks(guarantees, pair, replicas).has(check);
  return promises(defaults) ? defaults : (pairs.find(promises) ?? defaults);
}

function keysOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}/${at + 1}`);
}

/** A batch of which all is done or nothing lies in one shard. */
function keysInOneShard(
  topology: KeyspaceTopology,
  prefix: string,
  count: number,
): readonly string[] {
  const keys = [`${prefix}/1`];
  const shard = topology.shardOf(keys[0] as string);
  for (let at = 2; keys.length < count; at += 1) {
    const key = `${prefix}/${at}`;
    if (topology.shardOf(key) === shard) keys.push(key);
  }
  return keys;
}
