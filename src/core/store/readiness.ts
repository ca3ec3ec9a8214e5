import type { Environment, TimerHandle } from "../contracts/environment.ts";
import type { Engine } from "../contracts/strategy.ts";
import { CapstanError } from "../model/errors.ts";
import type { Level } from "../model/levels.ts";
import type { ReadyOptions } from "./api.ts";
import { OPTIONS_OF, parseOptions } from "./call-options.ts";
import { CallTimer } from "./call-timer.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { listenToAbort } from "./listen-to-abort.ts";
import type { DefaultLevels } from "./operation-maker.ts";
import { refuseAborted, toFault } from "./pending-call.ts";
import type { UnmetPeers } from "./unmet-peers.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
/** Notices trigger a check at once; this bounds the wait for what nobody gives notice of. */
const RECHECK_MS = 25;

export interface ReadinessKeyspace {
  readonly name: string;
  readonly engine: Engine;
  readonly defaults: DefaultLevels;
}

interface Waiter {
  readonly level: Level | undefined;
  readonly settle: (fault: CapstanError | undefined) => void;
}

/** Who waits for the store to be able to serve, and whether it can. */
export class Readiness {
  readonly #keyspaces: readonly ReadinessKeyspace[];
  readonly #lifecycle: Lifecycle;
  readonly #environment: Environment;
  readonly #maxTimeoutMs: number;
  readonly #unmet: () => UnmetPeers;
  readonly #comesLater: (keyspace: string) => boolean;
  readonly #awaitsWord: () => boolean;
  readonly #waiters = new Set<Waiter>();
  #recheck: TimerHandle | undefined;

  constructor(
    keyspaces: readonly ReadinessKeyspace[],
    lifecycle: Lifecycle,
    environment: Environment,
    maxTimeoutMs: number,
    unmet: () => UnmetPeers,
    comesLater: (keyspace: string) => boolean = () => false,
    awaitsWord: () => boolean = () => false,
  ) {
    this.#keyspaces = keyspaces;
    this.#lifecycle = lifecycle;
    this.#environment = environment;
    this.#maxTimeoutMs = maxTimeoutMs;
    this.#unmet = unmet;
    this.#comesLater = comesLater;
    this.#awaitsWord = awaitsWord;
  }

  wait(options: ReadyOptions | undefined): Promise<void> {
    try {
      const settings = parseOptions(options, OPTIONS_OF.ready, this.#maxTimeoutMs);
      refuseAborted(settings.signal);
      this.#checkLevel(settings.level);
      const timeoutMs = settings.timeoutMs ?? Math.min(DEFAULT_TIMEOUT_MS, this.#maxTimeoutMs);
      return this.#join(settings.level, timeoutMs, settings.signal);
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  /** Something happened that may have changed the answer. */
  check(): void {
    if (this.#waiters.size === 0) return;
    const refusal = this.#refusal();
    for (const waiter of [...this.#waiters]) {
      if (refusal !== undefined || this.missing(waiter.level).length === 0) waiter.settle(refusal);
    }
  }

  /**
   * The keyspaces that could not serve now: at the level where they offer it, else at their own. Not
   * those that cannot because they are not in the configuration of a peer that is there: to wait for
   * them here would be to wait for the next node to be restarted. While a peer is about to say which of
   * its replicas are being rebuilt, nobody knows of any.
   */
  missing(level: Level | undefined): string[] {
    const awaitsWord = this.#awaitsWord();
    return this.#keyspaces
      .filter(({ engine, defaults }) => {
        if (awaitsWord) return true;
        const { readLevels, writeLevels } = engine.capabilities;
        const isOffered =
          level !== undefined && (readLevels.includes(level) || writeLevels.includes(level));
        return isOffered
          ? !engine.isReady(level)
          : !(engine.isReady(defaults.read) && engine.isReady(defaults.write));
      })
      .map(({ name }) => name)
      .filter((name) => !this.#comesLater(name));
  }

  #join(
    level: Level | undefined,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = {
        handleEvent: () =>
          waiter.settle(
            new CapstanError("ABORTED", "ready was aborted", { cause: signal?.reason }),
          ),
      };
      const timer = new CallTimer(this.#environment, timeoutMs, () =>
        waiter.settle(this.#unavailable(level, timeoutMs)),
      );
      const waiter: Waiter = {
        level,
        settle: (fault) => {
          if (!this.#waiters.delete(waiter)) return;
          timer.stop();
          signal?.removeEventListener("abort", onAbort);
          if (fault === undefined) resolve();
          else reject(fault);
        },
      };
      if (signal !== undefined) listenToAbort(signal, onAbort);
      this.#waiters.add(waiter);
      this.check();
      this.#arm();
    });
  }

  #arm(): void {
    if (this.#recheck !== undefined || this.#waiters.size === 0) return;
    this.#recheck = this.#environment.setTimer(RECHECK_MS, () => {
      this.#recheck = undefined;
      this.check();
      this.#arm();
    });
  }

  #refusal(): CapstanError | undefined {
    return this.#lifecycle.isAccepting ? undefined : this.#lifecycle.refusal();
  }

  #unavailable(level: Level | undefined, timeoutMs: number): CapstanError {
    const missing = this.missing(level);
    const what = level === undefined ? "at their own levels" : `at "${level}"`;
    const { peers, causes, text } = this.#unmet();
    const why = text === "" ? "" : `; ${text}`;
    return new CapstanError(
      "UNAVAILABLE",
      `after ${timeoutMs} ms these keyspaces cannot serve ${what} yet: ${missing.join(", ")}${why}`,
      { details: { keyspaces: missing, peers, causes } },
    );
  }

  #checkLevel(level: Level | undefined): void {
    if (level === undefined) return;
    const offered = new Set(
      this.#keyspaces.flatMap(({ engine: { capabilities } }) => [
        ...capabilities.readLevels,
        ...capabilities.writeLevels,
      ]),
    );
    if (offered.has(level)) return;
    const allowed = [...offered];
    throw new CapstanError(
      "INVALID_LEVEL",
      `no keyspace offers the level ${JSON.stringify(level)}; there are: ${allowed.join(", ")}`,
      { allowed, details: { level } },
    );
  }
}
