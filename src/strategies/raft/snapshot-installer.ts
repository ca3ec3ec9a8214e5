import type { Effects } from "../../core/contracts/machine.ts";
import type { LogSequence } from "../../core/model/ids.ts";
import type { RaftMessage } from "./client-messages.ts";
import type { AppliedPoint, SnapshotState, StatePicture } from "./consensus-types.ts";
import { putChunk, ShardPicture } from "./state-picture.ts";

type Fx = Effects<RaftMessage>;

/**
 * A shard's state in snapshots, given and taken. What is taken is built beside the current state,
 * while that goes on, and takes its place in one commit. The step that switches reads nothing any
 * more; the next one that the host lets the replica have finds the new state.
 */
export class SnapshotInstaller implements SnapshotState {
  readonly #effects: () => Fx;
  #hasSwitched = false;
  /** What was begun is to be given up, unless something else is begun in its place. */
  #isDropDue = false;
  /** This step has put something into what was begun. */
  #hasBuilt = false;

  constructor(effects: () => Fx) {
    this.#effects = effects;
  }

  /** The replica's memory is about the state before the switch. */
  get hasSwitched(): boolean {
    return this.#hasSwitched;
  }

  /** True once after a switch: then the replica takes up what the state says now. */
  takeSwitched(): boolean {
    const hasSwitched = this.#hasSwitched;
    this.#hasSwitched = false;
    return hasSwitched;
  }

  openPicture(): StatePicture | undefined {
    return this.#hasSwitched ? undefined : ShardPicture.maybeOpen(this.#effects());
  }

  beginInstall(): void {
    this.#isDropDue = false;
    this.#effects().beginNext();
  }

  installChunk(chunk: Uint8Array): void {
    const effects = this.#effects();
    this.#hasBuilt = true;
    putChunk(chunk, (key, value) => effects.putNext(key, value));
  }

  finishInstall(point: AppliedPoint): void {
    const effects = this.#effects();
    effects.switchToNext();
    effects.applied(point.index as LogSequence);
    this.#hasSwitched = true;
  }

  /** Takes effect at the end of the step: another picture may take the place of this one before. */
  abortInstall(): void {
    this.#isDropDue = true;
  }

  /** The step has done all that it does. One that has built gives nothing up: the next one does. */
  endStep(): void {
    if (this.#isDropDue && !this.#hasBuilt) {
      this.#isDropDue = false;
      this.#effects().dropNext();
    }
    this.#hasBuilt = false;
  }
}
