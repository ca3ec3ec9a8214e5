import type { Environment } from "../contracts/environment.ts";

/** Whether `promise` fulfils within so many ms. Rejects as it does; after that nobody waits for it. */
export async function settlesWithin(
  promise: Promise<unknown>,
  timeoutMs: number,
  environment: Environment,
): Promise<boolean> {
  let stop: () => void = () => undefined;
  const late = new Promise<false>((resolve) => {
    const timer = environment.setTimer(Math.max(0, timeoutMs), () => resolve(false));
    stop = () => environment.clearTimer(timer);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    stop();
  }
}
