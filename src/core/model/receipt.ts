import type { Level } from "./levels.ts";

/** How many of a key's replicas took part, at the moment of the answer. */
export interface ReceiptReplicas {
  /** Replicas that the map names for the key's shard. */
  readonly total: number;
  /** Replicas whose answer counted. */
  readonly answered: number;
  /** Of those, how many hold the state durably, as the keyspace's durability demands. */
  readonly durable: number;
  /** Copies on nodes that only stand in for a replica; they never count towards a level. */
  readonly standIns: number;
}

/** What a result says about how it was obtained. Never weaker than what was asked without saying so. */
export interface Receipt {
  /** The word that the caller used, or the keyspace's default. */
  readonly asked: Level;
  /** The strategy's own word for what was reached. */
  readonly achieved: Level;
  /** True if the asked level was met. */
  readonly consistent: boolean;
  readonly replicas: ReceiptReplicas;
  /** True while replicas of the key are known not to hold this state yet. */
  readonly pendingSync: boolean;
  /** Replicas that answered with something older and are being sent this state. */
  readonly repaired: number;
  /** Set where a level was not met but the partition policy allows less. */
  readonly warning?: string;
  readonly epoch: number;
  readonly durationMs: number;
}
