/** A write whose caller was told that it is done. */
export interface AcknowledgedWrite<Version> {
  readonly key: string;
  /** What it made. */
  readonly version: Version;
  /** Place or time of the answer, in the same measure as the wipes'. */
  readonly acknowledgedAt: number;
  /** The nodes that held it durably at that moment. */
  readonly holders: readonly string[];
}

/** A node lost what it held, or came back from an older copy of it. */
export interface WipedCopy {
  readonly node: string;
  readonly at: number;
}

export interface LostWritesFacts<Version> {
  readonly acknowledged: readonly AcknowledgedWrite<Version>[];
  readonly wiped: readonly WipedCopy[];
  /** What a read of each key finds at the end: none, one, or several side by side. */
  readonly finals: ReadonlyMap<string, readonly Version[]>;
  /** Whether `found` is the write, or has replaced it in the strategy's own order. */
  readonly covers: (found: Version, written: Version) => boolean;
}

export interface LostWrite<Version> {
  readonly write: AcknowledgedWrite<Version>;
  /** What is there instead. */
  readonly found: readonly Version[];
}

export interface LostWritesResult<Version> {
  readonly verdict: "legal" | "illegal";
  /** Writes that had to be there. */
  readonly judged: number;
  /** Writes all of whose holders were wiped afterwards: nothing was promised about them. */
  readonly excused: number;
  readonly violations: readonly LostWrite<Version>[];
}

/**
 * The acknowledged writes that a final read of their key does not know of. A write counts while
 * fewer copies were wiped than held it durably when it was acknowledged.
 *
 * @throws Error if there is no final read of an acknowledged write's key.
 */
export function checkLostWrites<Version>(
  facts: LostWritesFacts<Version>,
): LostWritesResult<Version> {
  const { acknowledged, wiped, finals, covers } = facts;
  const violations: LostWrite<Version>[] = [];
  let excused = 0;
  for (const write of acknowledged) {
    const found = finals.get(write.key);
    if (found === undefined) {
      throw new Error(`no final read of ${JSON.stringify(write.key)} was made`);
    }
    if (!isPromised(write, wiped)) excused += 1;
    else if (!found.some((each) => covers(each, write.version))) violations.push({ write, found });
  }
  return {
    verdict: violations.length === 0 ? "legal" : "illegal",
    judged: acknowledged.length - excused,
    excused,
    violations,
  };
}

/** Whether somebody who held the write when it was acknowledged has not been wiped since. */
export function isPromised<Version>(
  { holders, acknowledgedAt }: AcknowledgedWrite<Version>,
  wiped: readonly WipedCopy[],
): boolean {
  const gone = new Set(wiped.filter(({ at }) => at >= acknowledgedAt).map(({ node }) => node));
  return holders.some((holder) => !gone.has(holder));
}
