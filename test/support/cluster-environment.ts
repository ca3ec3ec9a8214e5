import type { TimerHandle } from "../../src/core/contracts/environment.ts";
import { VirtualEnvironment, type VirtualEnvironmentOptions } from "./virtual-environment.ts";

/** The environment of one start of one node: what it set in motion can be stopped, or held up. */
export class NodeEnvironment extends VirtualEnvironment {
  #state: "running" | "paused" | "dead" = "running";
  #heldUp: (() => void)[] = [];

  constructor(options: VirtualEnvironmentOptions) {
    super(options);
  }

  override setTimer(delayMs: number, callback: () => void): TimerHandle {
    return super.setTimer(delayMs, () => this.#run(callback));
  }

  override defer(callback: () => void): void {
    super.defer(() => this.#run(callback));
  }

  override soon(callback: () => void): void {
    super.soon(() => this.#run(callback));
  }

  /** The process is gone: nothing of it ever runs again. */
  die(): void {
    this.#state = "dead";
    this.#heldUp = [];
  }

  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  /** What was due meanwhile runs now, late, in its order. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const heldUp = this.#heldUp;
    this.#heldUp = [];
    for (const callback of heldUp) super.defer(() => this.#run(callback));
  }

  #run(callback: () => void): void {
    if (this.#state === "running") callback();
    else if (this.#state === "paused") this.#heldUp.push(callback);
  }
}
