import type { Generation } from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import type { Generations } from "../../batch-check.ts";
import { MAX_GENERATION } from "./record-format.ts";

/** A shard that was never written has this as its (empty) current generation. */
export const FIRST_GENERATION: Generation = 1;

interface ShardGenerations {
  current: Generation;
  /** Greatest number given out, current, or still in the file. */
  newest: Generation;
  /** Given out since the last switch. */
  readonly beside: Set<Generation>;
}

/** The generations of one shard as they were at one moment. */
export interface GenerationPicture {
  readonly current: Generation;
  /** Whether it was the current one, or given out since the last switch. */
  readonly isKnown: (generation: Generation) => boolean;
}

/** Which generations each shard has, as committed. */
export class GenerationTable implements Generations {
  readonly #shards = new Map<ShardId, ShardGenerations>();

  /** Found in the file at opening. */
  load(shard: ShardId, generation: Generation, isCurrent: boolean): void {
    const known = this.#of(shard);
    known.newest = Math.max(known.newest, generation);
    if (isCurrent) known.current = generation;
  }

  shards(): readonly ShardId[] {
    return [...this.#shards.keys()];
  }

  currentOf(shard: ShardId): Generation {
    return this.#shards.get(shard)?.current ?? FIRST_GENERATION;
  }

  isKnown(shard: ShardId, generation: Generation): boolean {
    const known = this.#shards.get(shard);
    if (known === undefined) return generation === FIRST_GENERATION;
    return generation === known.current || known.beside.has(generation);
  }

  picture(shard: ShardId): GenerationPicture {
    const current = this.currentOf(shard);
    const beside = new Set(this.#shards.get(shard)?.beside);
    const isKnown = (generation: Generation) => generation === current || beside.has(generation);
    return { current, isKnown };
  }

  give(shard: ShardId): Generation {
    const known = this.#of(shard);
    if (known.newest >= MAX_GENERATION) throw new RangeError("no generation number is left");
    known.newest += 1;
    known.beside.add(known.newest);
    return known.newest;
  }

  /** Something is written to the shard. */
  note(shard: ShardId): void {
    this.#of(shard);
  }

  switchTo(shard: ShardId, generation: Generation): void {
    const known = this.#of(shard);
    known.current = generation;
    known.beside.clear();
  }

  #of(shard: ShardId): ShardGenerations {
    let known = this.#shards.get(shard);
    if (known === undefined) {
      known = { current: FIRST_GENERATION, newest: FIRST_GENERATION, beside: new Set() };
      this.#shards.set(shard, known);
    }
    return known;
  }
}
