import {
  checkLinearizable,
  checkLostWrites,
  checkRegularRegister,
  type KeyValueOperation,
  OPEN_ENDED,
  type RegularViolation,
  registerModel,
  stampOrder,
} from "../../../verification/index.ts";
import type { CheckReport, Circumstances, Violation } from "../strategy-scenario.ts";
import type { LossOfNode } from "../topology.ts";
import { regularAcrossSwitches, type SwitchedMaps } from "./across-switches.ts";
import { isFloorVersion } from "./floor-version.ts";
import { ALL_GROUPS, groupOf, type KeyGroup, LOCAL_GROUPS } from "./groups.ts";

/** A write that was answered as done. */
export interface Acknowledged {
  readonly key: string;
  readonly version: string;
  readonly atMs: number;
  /** Nodes that held it, or something newer, in their state at that moment. */
  readonly holders: readonly string[];
}

/** What the judgement of one keyspace is given. */
export interface Evidence extends Circumstances {
  readonly history: readonly KeyValueOperation[];
  readonly acknowledged: readonly Acknowledged[];
  /** Values of writes that were said to have had no effect. */
  readonly refused: ReadonlySet<string>;
  /** Places in the history of writes that took their stamp themselves, and lost to a newer one. */
  readonly superseded: readonly number[];
  /** Versions that a read of all replicas found in the end, per key. */
  readonly finals: ReadonlyMap<string, string | undefined>;
  /** Whether the key is promised what levels of datacenters promise. */
  readonly isHeldToLocal: (key: string) => boolean;
  /** By places in the history: the epoch of the map by which it was answered. */
  readonly epochs: ReadonlyMap<number, number>;
  /** Epochs of the switches of the key's shard. */
  readonly switchesOf: (key: string) => readonly number[];
  readonly losses: readonly LossOfNode[];
  /** What has lasted for longer than this may be settled without it. */
  readonly reapAfterMs: number;
}

/** More than one wall clock of a seed is ever behind another. */
const CLOCKS_APART_MS = 6_000;

/** Judges what clients were told. */
export function checkEvidence(evidence: Evidence): CheckReport {
  const violations: Violation[] = refusedAndSeen(evidence);
  if (evidence.copyHasCounted) return { violations, checked: 0, unknown: 0 };
  let checked = 0;
  let unknown = 0;
  for (const [group, part] of byGroup(evidence.history)) {
    checked += part.length;
    if (group.promised === "linearizable") {
      const result = checkLinearizable(registerModel, part);
      if (result.verdict === "unknown") unknown += 1;
      if (result.verdict === "illegal") {
        const { keys, counterexample } = result;
        violations.push({
          check: "linearizability",
          message: `${keys.join(", ")}: ${describe(counterexample)}`,
        });
      }
    } else if (group.promised === "regular" && isHeldTo(group, evidence)) {
      const [first, ...others] = notRegular(group, part, evidence);
      if (first !== undefined) {
        const { read, key, reason } = first;
        violations.push({
          check: `regular/${group.name}`,
          message: `${key}: a read found ${JSON.stringify(read.output)}, which was ${reason}; and ${others.length} more`,
        });
      }
    }
  }
  violations.push(
    ...goingBack(evidence),
    ...lostWrites(evidence),
    ...needlesslySuperseded(evidence),
  );
  return { violations, checked, unknown };
}

function notRegular(
  group: KeyGroup,
  part: readonly KeyValueOperation[],
  evidence: Evidence,
): readonly RegularViolation[] {
  // No keyspace of a seed has `one` for its own level: see docs/dynamo.md, moving a shard.
  if (group.read === "one") return regularAcrossSwitches(part, switchedMaps(evidence));
  if (!LOCAL_GROUPS.includes(group)) return checkRegularRegister(part).violations;
  const held = part.filter(({ input }) => "key" in input && evidence.isHeldToLocal(input.key));
  return checkRegularRegister(held).violations;
}

/**
 * Per group of keys: reads that reached their level, and all writes. A write that did not reach its
 * level may be seen, and nothing is demanded of when.
 */
function byGroup(
  history: readonly KeyValueOperation[],
): ReadonlyMap<KeyGroup, readonly KeyValueOperation[]> {
  const parts = new Map(ALL_GROUPS.map((group): [KeyGroup, KeyValueOperation[]] => [group, []]));
  const groups = new Map<string, KeyGroup>();
  for (const operation of history) {
    const { input, achieved, outcome } = operation;
    if (input.type === "batch") continue;
    const group = groups.get(input.key) ?? groupOf(input.key);
    groups.set(input.key, group);
    const part = parts.get(group) as KeyValueOperation[];
    if (outcome !== "applied") part.push(operation);
    else if (input.type === "get") {
      if (achieved === group.read) part.push(operation);
    } else if (achieved === group.write) part.push(operation);
    else part.push({ ...operation, outcome: "unknown", returnedAt: OPEN_ENDED });
  }
  return parts;
}

function switchedMaps({ history, epochs, switchesOf }: Evidence): SwitchedMaps {
  // Parts of the history have copies of it.
  const byCall = new Map([...epochs].map(([place, epoch]) => [history[place]?.calledAt, epoch]));
  return { epochOf: ({ calledAt }) => byCall.get(calledAt), switchesOf };
}

/**
 * A node that starts from an old copy of its data answers at `one` from it until a peer tells it.
 */
function isHeldTo({ read }: KeyGroup, { losses }: Evidence): boolean {
  return read !== "one" || !losses.some(({ how }) => how === "old-copy");
}

function lostWrites({ acknowledged, finals, losses, history }: Evidence): Violation[] {
  const byVersion = new Map(acknowledged.map((each) => [each.version, each]));
  // A floor is above all that is gone: something has to have deleted the write.
  const isDeleted = (version: string): boolean => {
    const key = byVersion.get(version)?.key;
    return history.some(({ input, output, outcome }) => {
      if (input.type !== "delete" || input.key !== key || outcome === "not-applied") return false;
      return output?.version === undefined || stampOrder(output.version, version) >= 0;
    });
  };
  const result = checkLostWrites({
    acknowledged: acknowledged.map(({ key, version, atMs, holders }) => ({
      ...{ key, version, holders },
      acknowledgedAt: atMs,
    })),
    wiped: losses,
    finals: new Map([...finals].map(([key, found]) => [key, found === undefined ? [] : [found]])),
    covers: (found, written) =>
      stampOrder(found, written) >= 0 && (!isFloorVersion(found) || isDeleted(written)),
  });
  return result.violations.map(({ write, found }) => ({
    check: "lost-write",
    message:
      `${write.key}: version ${write.version} was acknowledged at ${write.acknowledgedAt.toFixed(1)} ms, ` +
      `held by ${write.holders.join(", ")}; in the end there is ${found[0] ?? "nothing"}`,
  }));
}

/** A `strong` read that found an older version than another had found that ended before it began. */
function goingBack({ history }: Evidence): Violation[] {
  const reads = new Map<string, KeyValueOperation[]>();
  for (const operation of history) {
    const { input, achieved, outcome } = operation;
    if (input.type !== "get" || achieved !== "strong" || outcome !== "applied") continue;
    const ofKey = reads.get(input.key);
    if (ofKey === undefined) reads.set(input.key, [operation]);
    else ofKey.push(operation);
  }
  return [...reads].flatMap(([key, ofKey]): Violation[] => {
    const ended = [...ofKey].sort((a, b) => a.returnedAt - b.returnedAt);
    let newest: KeyValueOperation | undefined;
    let at = 0;
    for (const read of ofKey) {
      for (; (ended[at]?.returnedAt ?? OPEN_ENDED) < read.calledAt; at += 1) {
        const before = ended[at] as KeyValueOperation;
        if (newest === undefined || order(before, newest) > 0) newest = before;
      }
      if (newest === undefined || order(read, newest) >= 0) continue;
      if (isGoneFor(newest) && read.output?.value === undefined) continue;
      const message = `${key}: a read found ${shown(newest)} at ${newest.returnedAtMs} ms, and another, begun at ${read.calledAtMs} ms, ${shown(read)}`;
      return [{ check: "read-went-back", message }];
    }
    return [];
  });
}

function order({ output: a }: KeyValueOperation, { output: b }: KeyValueOperation): number {
  if (a?.version === undefined || b?.version === undefined) {
    return Number(a?.version !== undefined) - Number(b?.version !== undefined);
  }
  return stampOrder(a.version, b.version);
}

/** A replica that has not adopted the floor yet, or still holds the tombstone, says less than that. */
function isGoneFor({ output }: KeyValueOperation): boolean {
  return output?.value === undefined && isFloorVersion(output?.version);
}

function shown({ output }: KeyValueOperation): string {
  return output?.version === undefined ? "nothing" : `${String(output.value)} (${output.version})`;
}

/**
 * A `strong` write learns the greatest stamp before it takes its own: nothing is newer but what was
 * written at the same time, or may still be under way. Not so one that came with an id: the id is its
 * stamp, by the clock of a node that need not have heard of the write before.
 */
function needlesslySuperseded({ history, superseded, reapAfterMs }: Evidence): Violation[] {
  return superseded.flatMap((place): Violation[] => {
    const write = history[place] as KeyValueOperation;
    const { input, calledAt, returnedAt } = write;
    if (input.type === "batch" || groupOf(input.key).write !== "strong") return [];
    // Some replica may have promised to begin nothing any more at the time of its stamp.
    const { calledAtMs = 0, returnedAtMs = OPEN_ENDED } = write;
    if (returnedAtMs - calledAtMs + CLOCKS_APART_MS > reapAfterMs) return [];
    const hasRival = history.some((other) => {
      if (other === write || other.input.type === "get" || other.input.type === "batch")
        return false;
      if (other.input.key !== input.key || other.outcome === "not-applied") return false;
      const isDone = other.outcome === "applied" && other.achieved === "strong";
      return other.calledAt < returnedAt && (!isDone || other.returnedAt > calledAt);
    });
    if (hasRival) return [];
    const message = `${input.key}: a write by ${write.client} at ${write.calledAtMs} ms was superseded, with no other write beside it`;
    return [{ check: "superseded-alone", message }];
  });
}

function refusedAndSeen({ history, refused }: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const { input, output } of history) {
    const value = output?.value;
    if (input.type !== "get" || typeof value !== "string" || !refused.has(value)) continue;
    const message = `${input.key}: a read found ${value}, whose write was said not to be applied`;
    violations.push({ check: "outcome", message });
  }
  return violations;
}

function describe(counterexample: unknown): string {
  const { operations } = counterexample as { operations?: readonly KeyValueOperation[] };
  if (operations === undefined) return JSON.stringify(counterexample);
  return operations
    .map(({ client, input, output, outcome, calledAt, returnedAt }) => {
      const value = input.type === "put" ? input.value : output?.value;
      return `[${calledAt}–${returnedAt}] ${client} ${input.type} ${String(value ?? "-")} ${outcome}`;
    })
    .join("; ");
}
