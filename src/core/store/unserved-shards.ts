import type { Engine } from "../contracts/strategy.ts";
import type { Level } from "../model/levels.ts";
import type { LogEnd, ShardLack, UnservedShards } from "../model/shard-lack.ts";

type Side = "read" | "write";

type Mutable = UnservedShards & {
  readonly shards: number[];
  logEnds?: (LogEnd & { readonly shard: number })[];
};

interface Gathered extends ShardLack {
  readonly reads: Level[];
  readonly writes: Level[];
}

/** What the shards of a keyspace do not serve now, as far as this node knows: alike ones together. */
export function unservedShards(engine: Engine, shardCount: number): readonly UnservedShards[] {
  const alike = new Map<string, Mutable>();
  for (let shard = 0; shard < shardCount; shard++) {
    for (const { reason, missing, isHeld, reads, writes, logEnd } of lacksOf(engine, shard)) {
      const key = JSON.stringify([reason, missing, isHeld, reads, writes]);
      const known: Mutable = alike.get(key) ?? {
        ...{ shards: [], reason, missing, isHeld, reads, writes },
      };
      alike.set(key, known);
      known.shards.push(shard);
      if (logEnd === undefined) continue;
      known.logEnds ??= [];
      known.logEnds.push({ shard, ...logEnd });
    }
  }
  return [...alike.values()];
}

function lacksOf(engine: Engine, shard: number): Iterable<Gathered> {
  const gathered = new Map<string, Gathered>();
  const { readLevels, writeLevels } = engine.capabilities;
  const gather = (level: Level, side: Side): void => {
    const lack = lackOf(engine, shard, level, side);
    if (lack === undefined) return;
    const { reason, isHeld, logEnd } = lack;
    // In one order, whichever of them each shard names first.
    const missing = [...lack.missing].sort();
    const key = `${reason} ${missing.join(" ")}`;
    const known = gathered.get(key) ?? { reason, missing, isHeld, logEnd, reads: [], writes: [] };
    gathered.set(key, known);
    (side === "read" ? known.reads : known.writes).push(level);
  };
  for (const level of readLevels) gather(level, "read");
  for (const level of writeLevels) gather(level, "write");
  return gathered.values();
}

function lackOf(engine: Engine, shard: number, level: Level, side: Side): ShardLack | undefined {
  if (engine.lackOf !== undefined) return engine.lackOf(shard, level, side);
  return engine.isReady(level) ? undefined : { reason: "not-ready", missing: [], isHeld: false };
}
