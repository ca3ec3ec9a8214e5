/**
 * When a copy counts: `memory` once it is in memory, `os` once it is written (synced lazily),
 * `fsync` once it is on stable storage.
 */
export type Durability = "memory" | "os" | "fsync";

export const DURABILITIES: readonly Durability[] = Object.freeze(["memory", "os", "fsync"]);
