import type { Environment, TimerHandle } from "../contracts/environment.ts";
import type { Observer } from "../contracts/observer.ts";
import type { StoreEvents } from "./store-events.ts";
import type { UnmetPeers } from "./unmet-peers.ts";

/** A cluster that is started node by node is not yet worth a word. */
const FIRST_WORD_MS = 5_000;
const NEXT_WORD_MS = 30_000;

export interface JoiningWatchOptions {
  readonly node: string;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly events: StoreEvents;
  readonly isJoining: () => boolean;
  readonly unmet: () => UnmetPeers;
}

/** Says of a node that stays in `joining` what it waits for, until it is stopped. */
export class JoiningWatch {
  readonly #options: JoiningWatchOptions;
  readonly #startMs: number;
  #timer: TimerHandle | undefined;

  constructor(options: JoiningWatchOptions) {
    this.#options = options;
    this.#startMs = options.environment.monotonicMs();
    this.#arm(FIRST_WORD_MS);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    this.#options.environment.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#options.environment.setTimer(delayMs, () => {
      this.#timer = undefined;
      if (!this.#options.isJoining()) return;
      this.#say();
      this.#arm(NEXT_WORD_MS);
    });
  }

  #say(): void {
    const { node, environment, observer, events, unmet } = this.#options;
    const joiningMs = Math.round(environment.monotonicMs() - this.#startMs);
    const { peers, causes, text } = unmet();
    const reason = text === "" ? "its keyspaces cannot serve at their own levels yet" : text;
    observer.log("warn", `node ${node} is still joining: ${reason}`, { joiningMs });
    events.emit({ type: "still-joining", joiningMs, reason, peers, causes });
  }
}
