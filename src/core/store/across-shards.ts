import { CapstanError } from "../model/errors.ts";
import { decodeKey } from "../model/keys.ts";
import type { Operation } from "../model/operations.ts";

/** Of each shard, in the message; `details.shards` has them all. */
const SHOWN_KEYS = 3;
const SHOWN_SHARDS = 4;

/** A batch's members do not lie in one shard: the fault names the keys of each. */
export function acrossShards(members: readonly Operation[]): CapstanError {
  const shards: Record<string, string[]> = {};
  for (const { shardIndex, key } of members) {
    const keys = shards[shardIndex] ?? [];
    shards[shardIndex] = keys;
    keys.push(decodeKey(key));
  }
  const all = Object.entries(shards);
  const shown = all.slice(0, SHOWN_SHARDS).map(([shard, keys]) => {
    const named = keys.slice(0, SHOWN_KEYS).map((key) => JSON.stringify(key));
    return `shard ${shard}: ${listed(named, keys.length)}`;
  });
  return new CapstanError(
    "INVALID_ARGUMENT",
    `the keys of a batch lie in more than one shard (${listed(shown, all.length, "; ")}); ` +
      "groupBy puts keys together",
    { details: { shards } },
  );
}

function listed(shown: readonly string[], of: number, separator = ", "): string {
  const rest = of - shown.length;
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(separator);
}
