/** Wants to hear that a caller's signal has aborted. */
export interface AbortListener {
  onAbort(): void;
}

interface Shared {
  readonly listeners: Set<AbortListener>;
  readonly stop: () => void;
}

/**
 * One listener on each signal, whatever the number of calls that share it: Node 20 takes more than
 * ten listeners on one signal for a leak, and says so on the user's standard error.
 */
export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, Shared>();

  add(signal: AbortSignal, listener: AbortListener): void {
    const shared = this.#bySignal.get(signal) ?? this.#listenTo(signal);
    shared.listeners.add(listener);
  }

  /** The last to go takes the listener off the signal. */
  remove(signal: AbortSignal, listener: AbortListener): void {
    const shared = this.#bySignal.get(signal);
    if (shared === undefined || !shared.listeners.delete(listener)) return;
    if (shared.listeners.size > 0) return;
    this.#bySignal.delete(signal);
    shared.stop();
  }

  #listenTo(signal: AbortSignal): Shared {
    const listeners = new Set<AbortListener>();
    const onAbort = (): void => {
      for (const listener of [...listeners]) listener.onAbort();
    };
    signal.addEventListener("abort", onAbort);
    const shared = { listeners, stop: () => signal.removeEventListener("abort", onAbort) };
    this.#bySignal.set(signal, shared);
    return shared;
  }
}
