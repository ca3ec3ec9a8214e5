import type { Surroundings } from "./surroundings.ts";

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

const PARENT_CHECK_MS = 500;

/**
 * Calls back when the shell is gone in which a package manager runs this process: told to end, the
 * package manager ends its shell, which passes nothing on. Outside of one, a process
 * may well be meant to outlive its parent (`nohup`).
 */
export function endOfPackageManager(
  { environment, env }: Pick<Surroundings, "environment" | "env">,
  callback: () => void,
): { forget(): void } {
  if (env.npm_lifecycle_event === undefined) return { forget: () => undefined };
  const parent = process.ppid;
  const check = (): void => {
    if (process.ppid !== parent) callback();
    else timer = environment.setTimer(PARENT_CHECK_MS, check);
  };
  let timer = environment.setTimer(PARENT_CHECK_MS, check);
  return { forget: () => environment.clearTimer(timer) };
}
