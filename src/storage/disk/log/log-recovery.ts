import { join } from "node:path";
import type { Environment } from "../../../core/contracts/environment.ts";
import type { Observer } from "../../../core/contracts/observer.ts";
import type { Disk, DiskFile } from "../disk.ts";
import { calling } from "../disk-calls.ts";
import { type BatchHeader, batchSpan, isMark, recordsAreWhole } from "./batch-format.ts";
import { FileWindow } from "./file-window.ts";
import { type FoundSegment, type LogCensus, takeCensus } from "./log-census.ts";
import type { PlantedLogBugs } from "./planted-bugs.ts";
import type { RecoveredLog } from "./recovered-log.ts";
import { Replay } from "./replay.ts";
import { Segment } from "./segment.ts";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentNumber,
} from "./segment-format.ts";
import { batchesOf, type FoundBatch } from "./segment-scan.ts";

export interface RecoveryOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly environment: Environment;
  readonly observer: Observer;
  /** Positions go on above it. */
  readonly floorPosition: number;
  /** Only in tests. */
  readonly planted?: PlantedLogBugs;
}

/** How far the log reaches: batches up to `last` count, those behind it are cut. */
interface LogEnd {
  readonly last: number;
  /** Of the newest batch that counts; undefined if there is none. */
  readonly newest: BatchHeader | undefined;
}

/**
 * Reads the log at opening. It takes any bytes for what they are: what is whole counts; what is
 * missing or broken at or below a mark is damage, and above all marks the log ends before it.
 *
 * @throws CapstanError `STORE_FAILED` for a segment of another format version, before anything is
 *   changed; and the system's error where what was found cannot be put on stable storage.
 */
export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const opened: DiskFile[] = [];
  try {
    return await new LogRecovery(options, opened).run();
  } catch (error) {
    for (const file of opened) await calling((done) => file.close(done)).catch(() => undefined);
    throw error;
  }
}

class LogRecovery {
  readonly #options: RecoveryOptions;
  readonly #opened: DiskFile[];
  #census: LogCensus = EMPTY_CENSUS;
  #nextNumber = 1;

  constructor(options: RecoveryOptions, opened: DiskFile[]) {
    this.#options = options;
    this.#opened = opened;
  }

  async run(): Promise<RecoveredLog> {
    const { disk, directory, environment, floorPosition } = this.#options;
    const found = await this.#openSegments();
    this.#census = await takeCensus(found);
    const { census } = { census: this.#census };
    const used = found.filter(({ generation }) => generation > 0);
    used.sort((a, b) => a.generation - b.generation || a.number - b.number);
    const { last, newest } = await this.#findEnd(used);
    const start = newest?.start ?? last + 1;
    const replay = new Replay();
    const segments = await this.#replay(used, start, last, replay);
    const logId = census.logId ?? environment.random("log").uint32();
    const free = await this.#freeSegments(found, segments, logId);
    await calling((done) => disk.syncDirectory(directory, done));
    const lastPosition = newest === undefined ? 0 : newest.firstPosition + newest.positions - 1;
    return {
      logId,
      epoch: { logId, epoch: census.epoch + 1, epochStart: last + 1 },
      table: replay.finish(),
      segments: [...segments.values()],
      free,
      lastPosition: Math.max(lastPosition, floorPosition),
      start,
      nextGeneration: census.generation + 1,
      nextNumber: this.#nextNumber,
    };
  }

  async #openSegments(): Promise<FoundSegment[]> {
    const { disk, directory } = this.#options;
    const names = await calling<readonly string[]>((done) => disk.list(directory, done));
    const found: FoundSegment[] = [];
    for (const name of [...names].sort()) {
      const number = segmentNumber(name);
      if (number === undefined) continue;
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
      const file = await calling<DiskFile>((done) => disk.open(join(directory, name), done));
      this.#opened.push(file);
      const bytes = await calling<number>((done) => file.size(done));
      const head = await new FileWindow(file, bytes).bytes(0, SEGMENT_HEADER_BYTES);
      const header = decodeSegmentHeader(head, file.path);
      found.push({ file, number, bytes, logId: header?.logId, generation: 0 });
    }
    return found;
  }

  /** Batches above the mark count as long as they follow one another and are whole. */
  async #findEnd(used: readonly FoundSegment[]): Promise<LogEnd> {
    const { mark } = this.#census;
    let last = mark;
    let newest: BatchHeader | undefined;
    for (const segment of used) {
      const window = this.#window(segment);
      const unsynced: FoundBatch[] = [];
      for await (const batch of this.#batches(segment)) {
        const { header, offset } = batch;
        if (header.sequence > mark) {
          if (header.sequence !== last + 1) continue;
          const bytes = await window.bytes(offset, batchSpan(header));
          const isTorn = !recordsAreWhole(bytes, header);
          if (isTorn && this.#options.planted?.tornTailAccepted !== true) {
            this.#options.observer.log("info", "a torn end of the log is cut");
            continue;
          }
          last = header.sequence;
          unsynced.push(batch);
        }
        if (header.sequence > (newest?.sequence ?? 0)) newest = header;
      }
      await this.#syncAgain(segment, unsynced);
    }
    return { last, newest };
  }

  /**
   * What is read here may be in the system's memory alone, even taken for written after a sync that
   * failed: it is written once more, and synced, before it counts as durable.
   */
  async #syncAgain(segment: FoundSegment, batches: readonly FoundBatch[]): Promise<void> {
    if (batches.length === 0) return;
    const window = this.#window(segment);
    for (const { header, offset } of batches) {
      const bytes = await window.bytes(offset, batchSpan(header));
      await calling((done) => segment.file.write(bytes, offset, done));
    }
    await calling((done) => segment.file.sync(done));
  }

  async #replay(
    used: readonly FoundSegment[],
    start: number,
    last: number,
    replay: Replay,
  ): Promise<Map<FoundSegment, Segment>> {
    const segments = new Map<FoundSegment, Segment>();
    let next = start;
    for (const found of used) {
      const window = this.#window(found);
      for await (const { header, offset } of this.#batches(found)) {
        if (header.sequence < next || header.sequence > last || isMark(header)) continue;
        if (header.sequence > next) this.#lose(replay, next, header.sequence - 1, found);
        next = header.sequence + 1;
        let segment = segments.get(found);
        if (segment === undefined) {
          segment = new Segment(found.file, found.bytes);
          segment.activate(found.generation, header.sequence);
          segments.set(found, segment);
        }
        const bytes = await window.bytes(offset, batchSpan(header));
        replay.apply(bytes, header, segment, offset, found.file.path);
      }
    }
    if (next <= last) this.#lose(replay, next, last, used.at(-1));
    return segments;
  }

  #lose(replay: Replay, from: number, to: number, near: FoundSegment | undefined): void {
    if (this.#options.planted?.damageCutAsTail === true) return;
    const where = near === undefined ? "" : ` before ${near.file.path}`;
    const error = new Error(`batches ${from} to ${to} of the log are missing${where}`);
    this.#options.observer.log("error", "part of the log is missing", { error: error.message });
    replay.lose(error);
  }

  /** Complete files that are not in use; what is no complete file of this log is removed. */
  async #freeSegments(
    found: readonly FoundSegment[],
    used: ReadonlyMap<FoundSegment, Segment>,
    logId: number,
  ): Promise<Segment[]> {
    const free: Segment[] = [];
    for (const segment of found) {
      if (used.has(segment)) {
        if (segment.logId !== logId) await this.#repairHeader(segment, logId);
      } else if (segment.logId === logId) {
        free.push(new Segment(segment.file, segment.bytes));
      } else {
        await calling((done) => segment.file.close(done));
        await calling((done) => this.#options.disk.remove(segment.file.path, done));
        this.#opened.splice(this.#opened.indexOf(segment.file), 1);
      }
    }
    return free;
  }

  async #repairHeader({ file, bytes }: FoundSegment, logId: number): Promise<void> {
    const header = encodeSegmentHeader({ logId, segmentBytes: bytes });
    await calling((done) => file.write(header, 0, done));
    await calling((done) => file.sync(done));
  }

  #window({ file, bytes }: FoundSegment): FileWindow {
    return new FileWindow(file, bytes);
  }

  #batches(segment: FoundSegment): AsyncGenerator<FoundBatch, void> {
    const { logId, isStale } = this.#census;
    const isOurs = (header: BatchHeader): boolean =>
      header.logId === logId && header.generation === segment.generation && !isStale(header);
    return batchesOf(this.#window(segment), isOurs);
  }
}

const EMPTY_CENSUS: LogCensus = Object.freeze({
  logId: undefined,
  mark: 0,
  epoch: 0,
  generation: 0,
  isStale: () => false,
});
