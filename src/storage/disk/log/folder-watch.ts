import type { Environment, TimerHandle } from "../../../core/contracts/environment.ts";
import type { Disk } from "../disk.ts";
import { errorCode } from "../disk-calls.ts";

export interface FolderWatchOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly environment: Environment;
  readonly everyMs: number;
  /** Name of a file that has to be there now; undefined while there is none. */
  readonly expected: () => string | undefined;
  /** Told once. */
  readonly onGone: (what: string) => void;
}

/**
 * Looks from time to time whether the log's folder is still what it was. A file that was removed can be
 * written and synced for as long as it is open, so that nothing else fails before the next one is
 * made, and all that was acknowledged until then would be gone with the process.
 */
export class FolderWatch {
  readonly #options: FolderWatchOptions;
  #timer: TimerHandle | undefined;
  #isStopped = false;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== undefined) this.#options.environment.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const { environment, everyMs } = this.#options;
    this.#timer = environment.setTimer(everyMs, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    const { disk, directory, expected, onGone } = this.#options;
    const name = expected();
    disk.list(directory, (error, names) => {
      if (this.#isStopped) return;
      // What else keeps the folder from being read says nothing of what is in it.
      const isThere = error === undefined || errorCode(error) !== "ENOENT";
      const isWhole = names === undefined || name === undefined || names.includes(name);
      // The file may have been given back, and removed, while the folder was read.
      if (isThere && (isWhole || name !== expected())) return this.#wait();
      this.stop();
      onGone(isThere ? `its file ${name} is gone` : "it is gone");
    });
  }
}
