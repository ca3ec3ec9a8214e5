import { drawPlan, type FaultKind, MAX_AHEAD_MS, type ScenarioPlan } from "../scenario/plan.ts";
import type { KeyspacePlan } from "../scenario/strategy-scenario.ts";
import type { Subject } from "./subject.ts";

/** What a clock of the user's own bound cannot take, and what one node alone cannot suffer. */
const CLOCK_FAULTS: readonly FaultKind[] = Object.freeze(["clock-step", "clock-rate"]);

/**
 * Faults that are not for a user's configuration: an old copy of a disk that was put back voids
 * promises for as long as nobody can know of it (docs/storage.md).
 */
const NEVER: readonly FaultKind[] = Object.freeze(["old-copy"]);

/** Whether any two clocks of a run stay within the configuration's own bound. */
export function clocksMayDiffer({ resolved }: Subject): boolean {
  return resolved.clock.maxSkewMs > 2 * MAX_AHEAD_MS;
}

/** What a seed draws for a keyspace: the world around it, and what its clients do. */
export interface RunPlan extends ScenarioPlan {
  readonly keysPerGroup: number;
  readonly writeShare: number;
}

/** What the seed draws, with everything that the configuration decides in its place. */
export function drawRun(seed: number, subject: Subject): RunPlan {
  const drawn = drawPlan(seed);
  const { nodes, resolved, storage } = subject;
  const skewed = clocksMayDiffer(subject);
  const faults = drawn.faults.filter(
    (kind) => !NEVER.includes(kind) && (skewed || !CLOCK_FAULTS.includes(kind)),
  );
  const { keysPerGroup, writeShare } = drawn.keyspaces[0] as KeyspacePlan;
  return {
    ...{ ...drawn, storage, keysPerGroup, writeShare },
    nodes: nodes.length,
    // The configuration has its own.
    keyspaces: [],
    connections: subject.connections,
    heartbeatMs: resolved.detector.heartbeatIntervalMs,
    suspectMs: resolved.detector.suspectAfterMs,
    faults: faults.length === 0 ? ["kill"] : faults,
    aheadMs: nodes.map((_, at) => (skewed ? aheadOf(drawn, at) : 0)),
  };
}

/** The seed has drawn clocks for as many nodes as it would have had. */
function aheadOf({ aheadMs }: ScenarioPlan, at: number): number {
  return aheadMs[at % aheadMs.length] ?? 0;
}
