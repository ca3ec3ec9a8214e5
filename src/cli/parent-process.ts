/**
 * Calls back when the process that started this one is gone: a node of `capstan cluster` does not
 * outlive it. A node that was started by hand has no channel to a parent, and goes on.
 */
export function endOfParent(callback: () => void): { forget(): void } {
  if (process.channel === undefined) return { forget: () => undefined };
  if (!process.connected) callback();
  process.once("disconnect", callback);
  return { forget: () => process.off("disconnect", callback) };
}
