/** Buckets of a power of two: the middle of one is at most 0.4 % from what it stands for. */
const BUCKET_BITS = 7;
const BUCKETS_OF_A_POWER = 2 ** BUCKET_BITS;
const BUCKETS = (32 - BUCKET_BITS + 1) * BUCKETS_OF_A_POWER;
/** 4.3 s; what took longer counts as this. */
const LONGEST_NS = 2 ** 32 - 1;

/** Bucket and count, of those that are not empty: what goes from one process to another. */
export type LatencyCounts = readonly (readonly [bucket: number, count: number])[];

/**
 * Counts of latencies, which can be added up. To record one takes a few nanoseconds, of which the
 * fastest rows have some hundred for a whole operation.
 */
export class Latencies {
  readonly #counts = new Float64Array(BUCKETS);

  static of(counts: LatencyCounts): Latencies {
    const latencies = new Latencies();
    for (const [bucket, count] of counts) latencies.#counts[bucket] = count;
    return latencies;
  }

  record(ns: number, times = 1): void {
    const bucket = bucketOf(ns);
    this.#counts[bucket] = (this.#counts[bucket] as number) + times;
  }

  add(other: Latencies): void {
    for (const [bucket, count] of other.#counts.entries()) {
      this.#counts[bucket] = (this.#counts[bucket] as number) + count;
    }
  }

  counts(): LatencyCounts {
    const counts: [number, number][] = [];
    for (const [bucket, count] of this.#counts.entries())
      if (count > 0) counts.push([bucket, count]);
    return counts;
  }

  /** That many of a hundred took no longer, in microseconds; 0 where nothing was recorded. */
  percentileUs(percent: number): number {
    let total = 0;
    for (const count of this.#counts) total += count;
    const wanted = Math.max(1, Math.ceil((total * percent) / 100));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= wanted) return middleNs(bucket) / 1_000;
    }
    return 0;
  }
}

function bucketOf(ns: number): number {
  const whole = Math.min(Math.max(0, Math.round(ns)), LONGEST_NS);
  const power = 31 - Math.clz32(whole);
  if (power < BUCKET_BITS) return whole;
  const shift = power - BUCKET_BITS;
  return (shift + 1) * BUCKETS_OF_A_POWER + ((whole >>> shift) & (BUCKETS_OF_A_POWER - 1));
}

function middleNs(bucket: number): number {
  if (bucket < BUCKETS_OF_A_POWER) return bucket;
  const shift = Math.floor(bucket / BUCKETS_OF_A_POWER) - 1;
  const widthNs = 2 ** shift;
  return (BUCKETS_OF_A_POWER + (bucket % BUCKETS_OF_A_POWER)) * widthNs + (widthNs - 1) / 2;
}
