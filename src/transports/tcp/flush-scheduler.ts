import type { Environment, TimerHandle } from "../../core/contracts/environment.ts";

/** What is flushed: a session with one peer. */
export interface Flushable {
  /** True if bytes still wait for the kernel. */
  flush(): boolean;
  /** True if bytes still wait; a session that waited too long has ended itself. */
  checkProgress(nowMs: number): boolean;
}

const CHECKS_PER_TIMEOUT = 4;

/**
 * Flushes every session that was written to, once, when the turn is over; and looks after those
 * whose bytes the kernel did not take. No timer runs while nothing waits.
 */
export class FlushScheduler {
  readonly #environment: Environment;
  readonly #stallTimeoutMs: number;
  readonly #flush = (): void => this.flush();
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  readonly #waiting = new Set<Flushable>();
  #timer: TimerHandle | undefined;

  constructor(environment: Environment, stallTimeoutMs: number) {
    this.#environment = environment;
    this.#stallTimeoutMs = stallTimeoutMs;
  }

  /** Called once per session and flush. */
  add(session: Flushable): void {
    if (this.#dirty.push(session) === 1) this.#environment.defer(this.#flush);
  }

  flush(): void {
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    for (let at = 0; at < dirty.length; at += 1) {
      const session = dirty[at] as Flushable;
      if (session.flush()) this.watch(session);
    }
    dirty.length = 0;
    this.#spare = dirty;
  }

  /** Sees to it that a session whose bytes do not leave is ended. */
  watch(session: Flushable): void {
    this.#waiting.add(session);
    this.#timer ??= this.#environment.setTimer(this.#stallTimeoutMs / CHECKS_PER_TIMEOUT, () =>
      this.#check(),
    );
  }

  stop(): void {
    if (this.#timer !== undefined) this.#environment.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #check(): void {
    this.#timer = undefined;
    const nowMs = this.#environment.monotonicMs();
    for (const session of [...this.#waiting]) {
      this.#waiting.delete(session);
      if (session.checkProgress(nowMs)) this.watch(session);
    }
  }
}
