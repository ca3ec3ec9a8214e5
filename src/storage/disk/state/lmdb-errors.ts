/** LMDB's own codes, from `lmdb.h`; those of the system are positive. */
const LEAST = -30_799;
const GREATEST = -30_779;
/** Something is used up, and nothing is wrong with the file: map, databases, readers, slots. */
const EXHAUSTED: readonly number[] = Object.freeze([-30_792, -30_791, -30_790, -30_789, -30_785]);

/** Whether an error of LMDB, or of what reads through it, says that the file is damaged. */
export function saysDamage(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  // Sizes that cannot be, found on a damaged page, are errors of JavaScript without a code.
  if (typeof code !== "number") return code === undefined;
  return code >= LEAST && code <= GREATEST && !EXHAUSTED.includes(code);
}
