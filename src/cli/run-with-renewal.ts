import type { Logger } from "pino";
import { isCapstanError } from "../core/model/errors.ts";

/** How one life of a node ended. */
export interface NodeEnd {
  readonly exitCode: number;
  /** It found that its data must not be gone on with: the next life begins without it. */
  readonly disowned: boolean;
}

/**
 * Runs a node, and once more if its data turned out to be an older copy, or to be unreadable where
 * it says whose it is: by then it is set aside, and the second life learns from the peers. A second
 * time it is somebody's affair: what sets data aside again and again must not do so unseen.
 */
export async function runWithRenewal(live: () => Promise<NodeEnd>, log: Logger): Promise<number> {
  const first = await liveOrDisown(live);
  if (!first.disowned) return first.exitCode;
  log.warn("starting anew, without the data that was set aside: it is learned from the peers");
  return (await live()).exitCode;
}

async function liveOrDisown(live: () => Promise<NodeEnd>): Promise<NodeEnd> {
  try {
    return await live();
  } catch (error) {
    // Found while it opened: nothing of it was up.
    if (isCapstanError(error) && error.code === "DATA_DISOWNED") {
      return { exitCode: 0, disowned: true };
    }
    throw error;
  }
}
