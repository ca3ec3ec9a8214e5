/** What a node says whose disk was damaged. */
const DAMAGE_ERRORS = /part of the log is missing|log is damaged|storage is damaged/;

/**
 * What a node says when its disk fails or its data is an old copy. That another process has its node
 * id is nothing that a fault explains: of a machine there is one process at a time.
 */
const EXPLAINED_ERRORS =
  /EIO|ENOSPC|log has failed|own records in the log are damaged|storage failed|older copy|STORE_FAILED/;

/** Whether the faults of a run explain what a node has logged as an error. */
export function isExplained(message: string, wasDamaged: boolean): boolean {
  return EXPLAINED_ERRORS.test(message) || (wasDamaged && DAMAGE_ERRORS.test(message));
}
