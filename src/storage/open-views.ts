import type { Environment, TimerHandle } from "../core/contracts/environment.ts";

/** A view that ends by its age. */
export interface AgingView {
  readonly expiresAtMs: number;
  close(): void;
}

/** The views of one store that are open. One timer for all, and none while there are none. */
export class OpenViews<View extends AgingView> {
  readonly #environment: Environment;
  readonly #maxAgeMs: number;
  readonly #views = new Set<View>();
  #expiry: TimerHandle | undefined;

  constructor(environment: Environment, maxAgeMs: number) {
    this.#environment = environment;
    this.#maxAgeMs = maxAgeMs;
  }

  nowMs(): number {
    return this.#environment.monotonicMs();
  }

  /** Of a view that is opened now. */
  nextExpiryMs(): number {
    return this.nowMs() + this.#maxAgeMs;
  }

  /** Makes a view that ends when it should, and calls `forget` when it is closed. */
  open(make: (expiresAtMs: number) => View): View {
    const view = make(this.nextExpiryMs());
    this.#views.add(view);
    this.#expiry ??= this.#environment.setTimer(this.#maxAgeMs, this.#closeExpired);
    return view;
  }

  forget(view: View): void {
    this.#views.delete(view);
    // One that stays would keep the process alive for views that are closed.
    if (this.#views.size > 0 || this.#expiry === undefined) return;
    this.#environment.clearTimer(this.#expiry);
    this.#expiry = undefined;
  }

  closeAll(): void {
    for (const view of [...this.#views]) view.close();
  }

  readonly #closeExpired = (): void => {
    this.#expiry = undefined;
    const nowMs = this.nowMs();
    for (const view of [...this.#views]) {
      if (view.expiresAtMs <= nowMs) view.close();
    }
    if (this.#views.size === 0) return;
    const nextMs = Math.min(...[...this.#views].map(({ expiresAtMs }) => expiresAtMs));
    this.#expiry = this.#environment.setTimer(nextMs - nowMs, this.#closeExpired);
  };
}
