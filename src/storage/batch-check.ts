import {
  type Generation,
  MAX_STATE_KEY_BYTES,
  SPACES,
  type StateBatch,
  type StateMutation,
} from "../core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../core/model/ids.ts";

/** What a check must know of the store. */
export interface Generations {
  /** Whether the generation is the shard's current one, or was given out since the last switch. */
  isKnown(shard: ShardId, generation: Generation): boolean;
}

/** Throws for a batch that must not be applied, before anything of it is. */
export function checkBatch(
  batch: StateBatch,
  committed: LogPosition,
  generations: Generations,
): void {
  if (!(batch.position >= committed)) {
    throw new RangeError(`position ${batch.position} is below the committed ${committed}`);
  }
  let switched: Map<ShardId, Generation> | undefined;
  for (const mutation of batch.mutations) {
    checkShape(mutation);
    const { shard, generation } = mutation;
    if (generation !== undefined) {
      const only = switched?.get(shard);
      const known =
        only === undefined ? generations.isKnown(shard, generation) : only === generation;
      if (!known) throw new RangeError(`shard ${shard} has no generation ${generation}`);
      if (mutation.type === "switch-generation") {
        switched ??= new Map();
        switched.set(shard, generation);
      }
    }
  }
}

function checkShape(mutation: StateMutation): void {
  switch (mutation.type) {
    case "put":
      checkSpace(mutation.space);
      checkKey(mutation.key);
      checkBytes(mutation.value, "value");
      return;
    case "delete":
      checkSpace(mutation.space);
      checkKey(mutation.key);
      return;
    case "delete-range":
      checkSpace(mutation.space);
      if (mutation.from !== undefined) checkBytes(mutation.from, "from");
      if (mutation.to !== undefined) checkBytes(mutation.to, "to");
      return;
    case "switch-generation":
      if (mutation.generation === undefined) throw new TypeError("no generation to switch to");
      return;
    default:
      throw new TypeError(`unknown mutation ${String((mutation as { type: unknown }).type)}`);
  }
}

function checkSpace(space: unknown): void {
  if (!(SPACES as readonly unknown[]).includes(space)) {
    throw new TypeError(`unknown space ${String(space)}; there are ${SPACES.join(", ")}`);
  }
}

function checkKey(key: Uint8Array): void {
  checkBytes(key, "key");
  if (key.length > MAX_STATE_KEY_BYTES) {
    throw new RangeError(
      `a key of ${key.length} bytes; at most ${MAX_STATE_KEY_BYTES} are allowed`,
    );
  }
}

function checkBytes(bytes: unknown, what: string): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${what} is not a Uint8Array`);
}
