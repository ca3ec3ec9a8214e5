/**
 * A version with its ghost history: the writes that it truly descends from, itself among them.
 * Only a simulation knows it; the store's own clocks claim it, and may be wrong.
 */
export interface GhostVersion {
  /** Of the write that made it. */
  readonly id: string;
  /** Ids of the writes that its writer had seen, and theirs, and so on. */
  readonly descendsFrom: ReadonlySet<string>;
}

/** A replica dropped a version because it took the others for newer. */
export interface GhostDrop {
  readonly key: string;
  readonly node: string;
  /** Place or time, for the report. */
  readonly at: number;
  readonly dropped: GhostVersion;
  readonly kept: readonly GhostVersion[];
}

/** What a replica holds of a key, side by side, at one moment. */
export interface GhostSiblings {
  readonly key: string;
  readonly node: string;
  readonly at: number;
  readonly versions: readonly GhostVersion[];
}

export interface FalseSiblings extends GhostSiblings {
  /** Known to the newer one: it should not be there any more. */
  readonly older: GhostVersion;
  readonly newer: GhostVersion;
}

export interface GhostResult<Violation> {
  readonly verdict: "legal" | "illegal";
  readonly judged: number;
  readonly violations: readonly Violation[];
}

/** No version goes unless one that stays descends from it. What is violated lost a write silently. */
export function checkFalseDominance(drops: readonly GhostDrop[]): GhostResult<GhostDrop> {
  const violations = drops.filter(
    ({ dropped, kept }) => !kept.some((version) => descends(version, dropped)),
  );
  return resultOf(drops.length, violations);
}

/** No two versions stand side by side of which one descends from the other. */
export function checkFalseSiblings(
  sightings: readonly GhostSiblings[],
): GhostResult<FalseSiblings> {
  const violations = sightings.flatMap((sighting): FalseSiblings[] => {
    for (const newer of sighting.versions) {
      const older = sighting.versions.find((other) => other !== newer && descends(newer, other));
      if (older !== undefined) return [{ ...sighting, older, newer }];
    }
    return [];
  });
  return resultOf(sightings.length, violations);
}

/** A write that holds a version is its own descendant, whether it says so or not. */
export function descends(version: GhostVersion, from: GhostVersion): boolean {
  return version.id === from.id || version.descendsFrom.has(from.id);
}

function resultOf<Violation>(
  judged: number,
  violations: readonly Violation[],
): GhostResult<Violation> {
  return { verdict: violations.length === 0 ? "legal" : "illegal", judged, violations };
}
