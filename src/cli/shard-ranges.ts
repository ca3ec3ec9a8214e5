/** `0-3, 7` of the numbers of shards in rising order. */
export function shardRanges(shards: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const shard of shards) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === shard - 1) range[1] = shard;
    else ranges.push([shard, shard]);
  }
  return ranges
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
    .join(", ");
}
