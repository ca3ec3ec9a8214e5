import type { ScenarioPlan } from "./plan.ts";

/** From so many on a keyspace has far more shards than keys. */
export const MANY_SHARDS = 64;

/** Twice what a shard writes in an election. */
const PENDING_BYTES = 512;
/** Twice what all of them say where each beats ten times a second, or asks for votes. */
const BYTES_PER_MS = 2;
/** Each fault wakes most of them: between two there is to be time to rest. */
const FAULT_PAUSE_MS = 3_000;

/**
 * Bounds and bandwidth of any machine that such a number of shards is put on: with the least that a
 * seed draws for a handful they would elect leaders for ever. Other plans stay as they are.
 */
export function withRoomForShards(plan: ScenarioPlan): ScenarioPlan {
  const shards = plan.keyspaces.reduce((sum, { configuration }) => {
    return sum + Number(configuration.shards ?? 0);
  }, 0);
  if (shards < MANY_SHARDS) return plan;
  const { network } = plan;
  return {
    ...plan,
    maxPendingBytes: Math.max(plan.maxPendingBytes, shards * PENDING_BYTES),
    network: { ...network, bytesPerMs: Math.max(network.bytesPerMs, shards * BYTES_PER_MS) },
    meanFaultPauseMs: Math.max(plan.meanFaultPauseMs, FAULT_PAUSE_MS),
  };
}
