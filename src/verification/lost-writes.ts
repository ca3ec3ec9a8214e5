/** A write whose caller was told that it is done, and the version that it made. */
export interface AcknowledgedWrite<Version> {
  readonly key: string;
  readonly version: Version;
}

export interface LostWrite<Version> extends AcknowledgedWrite<Version> {
  /** What is there instead; undefined: nothing. */
  readonly found: Version | undefined;
}

/**
 * The acknowledged writes that a final read of their key does not know of: it finds nothing, or a
 * version that is older in the strategy's own order. A newer version has replaced the write, which
 * is no loss.
 */
export function findLostWrites<Version>(
  acknowledged: readonly AcknowledgedWrite<Version>[],
  finals: ReadonlyMap<string, Version | undefined>,
  compare: (a: Version, b: Version) => number,
): readonly LostWrite<Version>[] {
  const lost: LostWrite<Version>[] = [];
  for (const { key, version } of acknowledged) {
    if (!finals.has(key)) throw new Error(`no final read of ${JSON.stringify(key)} was made`);
    const found = finals.get(key);
    if (found === undefined || compare(found, version) < 0) lost.push({ key, version, found });
  }
  return lost;
}
