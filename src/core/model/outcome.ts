/**
 * What is known about a write when its call ends.
 *
 * - `applied`: it took effect.
 * - `not-applied`: it took no effect and never will: it was refused before any copy was appended
 *   here or left this node, or every recipient refused it.
 * - `unknown`: anything else. A copy may be anywhere, now or later.
 */
export type Outcome = "applied" | "not-applied" | "unknown";

/**
 * What a caller may do about a fault.
 *
 * - `never`: the same call will fail again; change it.
 * - `safe`: nothing happened; the same call may be made again at once or later.
 * - `same-operation-id`: only with the operation id that the fault carries, else the write may
 *   happen twice.
 */
export type RetryAdvice = "never" | "safe" | "same-operation-id";
