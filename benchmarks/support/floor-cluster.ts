import { AskedProcess, usedMsOf } from "./asked-process.ts";
import { type LoadReport, sliceOf } from "./store-load.ts";
import type { Entrant, Party } from "./turns.ts";

const FOLLOWERS: readonly string[] = Object.freeze(["n2", "n3"]);
/** The loop is small: it is compiled long before. */
const WARM_UP_MS = 250;

export interface FloorOptions {
  /** Of the server; undefined: TCP. */
  readonly natsUrl?: string | undefined;
  /** Where the three keep their logs; undefined: nothing is written. */
  readonly folder?: string | undefined;
}

export interface LeaderOptions {
  readonly followers: readonly { readonly name: string; readonly port: number }[];
  readonly natsUrl?: string | undefined;
  readonly log?: string | undefined;
}

export interface FloorQuestion {
  readonly ask: "load";
  readonly inFlight: number;
  readonly durationMs: number;
}

/**
 * A leader and two followers, each a process of its own, and nothing that they could do without.
 * They rest while the leader is not asked for a slice.
 */
export class FloorCluster implements Party {
  readonly #leader: AskedProcess;
  readonly #followers: readonly AskedProcess[];

  private constructor(leader: AskedProcess, followers: readonly AskedProcess[]) {
    this.#leader = leader;
    this.#followers = followers;
  }

  /** It is warm afterwards. */
  static async open({ natsUrl, folder }: FloorOptions): Promise<FloorCluster> {
    const logOf = (node: string) =>
      folder === undefined ? undefined : `${folder}/floor-${node}.log`;
    const script = new URL("./floor-follower.ts", import.meta.url);
    const followers = await Promise.all(
      FOLLOWERS.map((name) => {
        const log = logOf(name);
        return AskedProcess.start(script, [
          natsUrl ?? "tcp",
          name,
          ...(log === undefined ? [] : [log]),
        ]);
      }),
    );
    const options: LeaderOptions = {
      followers: followers.map(({ hello }, at) => ({
        name: FOLLOWERS[at] as string,
        port: hello as number,
      })),
      natsUrl,
      log: logOf("n1"),
    };
    const leaderScript = new URL("./floor-process.ts", import.meta.url);
    const leader = await AskedProcess.start(leaderScript, [JSON.stringify(options)]);
    const cluster = new FloorCluster(leader, followers);
    for (const inFlight of [64, 1]) await cluster.entrant(inFlight).slice(WARM_UP_MS);
    return cluster;
  }

  usedMs(): Promise<number> {
    return usedMsOf([this.#leader, ...this.#followers]);
  }

  entrant(inFlight: number): Entrant {
    return {
      party: this,
      slice: async (durationMs) => {
        const question: FloorQuestion = { ask: "load", inFlight, durationMs };
        return sliceOf(await this.#leader.ask<LoadReport>(question));
      },
    };
  }

  async close(): Promise<void> {
    await this.#leader.stop();
    await Promise.all(this.#followers.map((follower) => follower.stop()));
  }
}
