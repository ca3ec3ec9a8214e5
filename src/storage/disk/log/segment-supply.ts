import { join } from "node:path";
import type { Environment, TimerHandle } from "../../../core/contracts/environment.ts";
import type { Observer } from "../../../core/contracts/observer.ts";
import type { Disk, DiskCallback, DiskFile } from "../disk.ts";
import { Segment } from "./segment.ts";
import { encodeSegmentHeader, segmentName } from "./segment-format.ts";

/** That one is made as soon as the last one goes into use. */
const READY = 1;
/** Zeros that are written and synced at once: a sync of the log waits for no more than that. */
const SLICE_BYTES = 512 * 1024;

/** The process, or the system, has no descriptor to spare: others close theirs. */
const PASSING: readonly unknown[] = Object.freeze(["EMFILE", "ENFILE"]);
const PASSING_PAUSE_MS = 100;
const MAX_PASSING_MS = 10_000;

export interface SegmentSupplyOptions {
  readonly environment: Environment;
  readonly disk: Disk;
  readonly directory: string;
  readonly observer: Observer;
  readonly logId: number;
  readonly segmentBytes: number;
  readonly nextNumber: number;
  /** In use at opening. */
  readonly segments: readonly Segment[];
  readonly free: readonly Segment[];
}

/**
 * Has the next segment ready before it is needed: one that was used before, as it is, or a new file
 * full of zeros, so that no write of the log changes the size of a file. To make one early may
 * fail, for want of space above all, and is tried again when it is needed. For want of a descriptor it is
 * tried for a while: nothing is lost meanwhile, as a disk that does not answer is one that is slow.
 *
 * Segments come back in waves, several at once whenever the state has been written; between two
 * waves as many are needed again. So as many are kept, in use and free together, as were in use in
 * this wave or the last one, and the one that is ready: while a file is filled with zeros, the
 * syncs beside it are dear.
 */
export class SegmentSupply {
  readonly #options: SegmentSupplyOptions;
  readonly #free: Segment[];
  #nextNumber: number;
  /** Given out, and not given back. */
  #inUse: number;
  /** The most that were in use since segments began to be taken again, and before that. */
  #most: number;
  #mostBefore = 0;
  #isEbbing = false;
  #isPreparing = false;
  #retries = 0;
  /** Spent in vain on want of descriptors, since the last segment was made. */
  #passingMs = 0;
  #again: TimerHandle | undefined;
  #taker: DiskCallback<Segment> | undefined;
  #onStopped: (() => void) | undefined;

  constructor(options: SegmentSupplyOptions) {
    this.#options = options;
    this.#nextNumber = options.nextNumber;
    this.#free = [...options.free];
    this.#inUse = options.segments.length;
    this.#most = this.#inUse;
  }

  /** Gives a segment, at once or later; one call at a time. */
  take(done: DiskCallback<Segment>): void {
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#taken();
      return done(undefined, free);
    }
    this.#taker = done;
    this.#retries = this.#isPreparing ? 1 : 0;
    if (!this.#isPreparing) this.#make();
  }

  /** Sees to it that there is one to take. */
  prepare(): void {
    if (this.#free.length === 0 && !this.#isPreparing) this.#make();
  }

  /** Nothing in it is needed any more. */
  give(segment: Segment): void {
    this.#inUse -= 1;
    this.#isEbbing = true;
    const isOfSize = segment.bytes === this.#options.segmentBytes;
    if (isOfSize) this.#deliver(segment);
    else this.#discard(segment.file, () => undefined);
    const kept = Math.max(this.#most, this.#mostBefore) + READY - this.#inUse;
    for (const { file } of this.#free.splice(kept)) this.#discard(file, () => undefined);
  }

  /** Stops making one, if it is, and closes those that wait. */
  stop(done: () => void): void {
    if (this.#again !== undefined) {
      this.#options.environment.clearTimer(this.#again);
      this.#isPreparing = false;
    }
    const finish = (): void => closeAll(this.#free.splice(0), done);
    this.#onStopped = finish;
    if (!this.#isPreparing) finish();
  }

  #make(): void {
    if (this.#onStopped !== undefined) return;
    this.#isPreparing = true;
    const { disk, directory } = this.#options;
    const path = join(directory, segmentName(this.#nextNumber));
    this.#nextNumber += 1;
    disk.create(path, (error, file) => {
      if (error !== undefined) return this.#failed(error);
      this.#fill(file, 0);
    });
  }

  /** Zeros from `at` to the end, slice by slice, each of them synced before the next. */
  #fill(file: DiskFile, at: number): void {
    if (this.#onStopped !== undefined) return this.#abandon(file, undefined);
    const left = this.#options.segmentBytes - at;
    if (left === 0) return this.#finish(file);
    const slice = Buffer.alloc(Math.min(left, SLICE_BYTES));
    this.#writeAndSync(file, slice, at, () => this.#fill(file, at + slice.length));
  }

  /** The header says that the file is complete; then its name has to last, too. */
  #finish(file: DiskFile): void {
    const { disk, directory, logId, segmentBytes } = this.#options;
    this.#writeAndSync(file, encodeSegmentHeader({ logId, segmentBytes }), 0, () => {
      disk.syncDirectory(directory, (error) => {
        if (error !== undefined) return this.#abandon(file, error);
        this.#isPreparing = false;
        this.#deliver(new Segment(file, segmentBytes));
        this.#onStopped?.();
      });
    });
  }

  #writeAndSync(file: DiskFile, bytes: Uint8Array, at: number, next: () => void): void {
    file.write(bytes, at, (writeError) => {
      if (writeError !== undefined) return this.#abandon(file, writeError);
      file.sync((error) => {
        if (error !== undefined) this.#abandon(file, error);
        else next();
      });
    });
  }

  #deliver(segment: Segment): void {
    this.#passingMs = 0;
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker === undefined) {
      this.#free.push(segment);
      return;
    }
    this.#taken();
    taker(undefined, segment);
  }

  #taken(): void {
    if (this.#isEbbing) {
      this.#isEbbing = false;
      this.#mostBefore = this.#most;
      this.#most = 0;
    }
    this.#inUse += 1;
    this.#most = Math.max(this.#most, this.#inUse);
  }

  #abandon(file: DiskFile, error: Error | undefined): void {
    this.#discard(file, () => this.#failed(error));
  }

  #failed(error: Error | undefined): void {
    this.#isPreparing = false;
    if (this.#onStopped !== undefined) return this.#onStopped();
    const taker = this.#taker;
    if (taker !== undefined && this.#maybeLater(error)) return;
    const message = "the next segment of the log could not be made";
    this.#options.observer.log("warn", message, { error: error?.message });
    if (taker === undefined || error === undefined) return;
    if (this.#retries > 0) {
      this.#retries -= 1;
      return this.#make();
    }
    this.#taker = undefined;
    taker(error, undefined);
  }

  /** True: what keeps it from being made may pass. */
  #maybeLater(error: NodeJS.ErrnoException | undefined): boolean {
    if (!PASSING.includes(error?.code) || this.#passingMs >= MAX_PASSING_MS) return false;
    const { environment, observer } = this.#options;
    if (this.#passingMs === 0) {
      const message = "no file descriptor is left for the next segment of the log: writes wait";
      observer.log("warn", message, { error: error?.message });
    }
    this.#passingMs += PASSING_PAUSE_MS;
    this.#isPreparing = true;
    this.#again = environment.setTimer(PASSING_PAUSE_MS, () => {
      this.#again = undefined;
      this.#make();
    });
    return true;
  }

  /** What cannot be removed is found, and removed or used, at the next opening. */
  #discard(file: DiskFile, done: () => void): void {
    file.close(() => this.#options.disk.remove(file.path, () => done()));
  }
}

/** What fails here changes nothing any more. */
export function closeAll(segments: readonly { readonly file: DiskFile }[], done: () => void): void {
  let left = segments.length;
  if (left === 0) return done();
  for (const { file } of segments) {
    file.close(() => {
      left -= 1;
      if (left === 0) done();
    });
  }
}
