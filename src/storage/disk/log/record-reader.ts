import type { Environment } from "../../../core/contracts/environment.ts";
import type { LogRecord } from "../../../core/contracts/storage.ts";
import type { LogSequence, ShardId } from "../../../core/model/ids.ts";
import { decodeRecord, payloadIsWhole, RECORD_HEADER_BYTES } from "./record-format.ts";
import type { RecordPlace } from "./record-slots.ts";
import type { Segment } from "./segment.ts";

/** Records nearer to one another than this are read together, with what lies between. */
const MAX_GAP_BYTES = 16 * 1024;
const MAX_SPAN_BYTES = 512 * 1024;
/** Reads share the threads with the sync that everybody waits for. */
const MAX_READS = 2;

export interface RecordsToRead {
  readonly shard: ShardId;
  /** Sequence of the first; the others follow. */
  readonly from: number;
  readonly places: readonly RecordPlace[];
}

type ReadDone = (
  ...answer: [error: Error, records: undefined] | [error: undefined, records: readonly LogRecord[]]
) => void;

/** A record on its way: in memory already, or where it is in a segment. */
interface Wanted {
  readonly sequence: number;
  readonly place: RecordPlace;
  readonly segment: Segment | undefined;
  record: LogRecord | undefined;
}

/** Reads records back and checks them. What is read stays where it is until the answer. */
export class RecordReader {
  readonly #environment: Environment;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #unanswered = 0;
  #onIdle: (() => void) | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Answers outside of the call. Takes what is in memory at once, and copies it. */
  read(request: RecordsToRead, done: ReadDone): void {
    const wanted = request.places.map((place, index) => want(request, place, index));
    for (const { segment } of wanted) if (segment !== undefined) segment.readers += 1;
    this.#unanswered += 1;
    const finish = (error: Error | undefined): void => {
      for (const { segment } of wanted) if (segment !== undefined) segment.readers -= 1;
      if (error !== undefined) done(error, undefined);
      else
        done(
          undefined,
          wanted.map(({ record }) => record as LogRecord),
        );
      this.#unanswered -= 1;
      if (this.#unanswered === 0) this.#idle();
    };
    const missing = wanted.filter(({ record }) => record === undefined);
    if (missing.length === 0) return this.#environment.defer(() => finish(undefined));
    this.#enqueue((ended) => {
      this.#readSpans(request.shard, missing, (error) => {
        ended();
        finish(error);
      });
    });
  }

  /** Answers an ask that needs no read, in the order of the others as far as anyone can tell. */
  answer(done: () => void): void {
    this.#unanswered += 1;
    this.#environment.defer(() => {
      done();
      this.#unanswered -= 1;
      if (this.#unanswered === 0) this.#idle();
    });
  }

  /** Once every read is answered. */
  whenIdle(done: () => void): void {
    this.#onIdle = done;
    if (this.#unanswered === 0) this.#idle();
  }

  #idle(): void {
    const done = this.#onIdle;
    this.#onIdle = undefined;
    done?.();
  }

  #enqueue(run: (ended: () => void) => void): void {
    const ended = (): void => {
      this.#running -= 1;
      this.#next();
    };
    this.#waiting.push(() => run(ended));
    this.#next();
  }

  #next(): void {
    if (this.#running >= MAX_READS) return;
    const run = this.#waiting.shift();
    if (run === undefined) return;
    this.#running += 1;
    run();
  }

  #readSpans(shard: ShardId, wanted: Wanted[], done: (error: Error | undefined) => void): void {
    if (wanted.length === 0) return done(undefined);
    const count = spanLength(wanted);
    const span = wanted.slice(0, count);
    const from = offsetOf(span[0] as Wanted);
    const bytes = Buffer.allocUnsafe(endOf(span.at(-1) as Wanted) - from);
    const { file } = (span[0] as Wanted).segment as Segment;
    file.read(bytes, from, (error, filled) => {
      if (error !== undefined) return done(error);
      for (const one of span) {
        const at = offsetOf(one) - from;
        one.record = recordAt(bytes.subarray(0, filled), at, shard, one);
        if (one.record === undefined) {
          const where = `${file.path} at ${offsetOf(one)}`;
          return done(new Error(`record ${one.sequence} of shard ${shard} is damaged: ${where}`));
        }
      }
      this.#readSpans(shard, wanted.slice(count), done);
    });
  }
}

function want(request: RecordsToRead, place: RecordPlace, index: number): Wanted {
  const sequence = request.from + index;
  const { memory, segment } = place.extent;
  if (memory === undefined) return { sequence, place, segment, record: undefined };
  const from = place.at + RECORD_HEADER_BYTES;
  const payload = copy(memory, from, place.payloadBytes);
  const record = { shard: request.shard, sequence: sequence as LogSequence, payload };
  return { sequence, place, segment: undefined, record };
}

/** How many of the records lie so near to one another that they are read at once. */
function spanLength(wanted: readonly Wanted[]): number {
  const first = wanted[0] as Wanted;
  let end = endOf(first);
  let count = 1;
  for (; count < wanted.length; count += 1) {
    const next = wanted[count] as Wanted;
    const from = offsetOf(next);
    if (next.segment !== first.segment || from < end || from > end + MAX_GAP_BYTES) break;
    if (endOf(next) - offsetOf(first) > MAX_SPAN_BYTES) break;
    end = endOf(next);
  }
  return count;
}

function offsetOf({ place }: Wanted): number {
  return place.extent.offset + place.at;
}

function endOf(wanted: Wanted): number {
  return offsetOf(wanted) + RECORD_HEADER_BYTES + wanted.place.payloadBytes;
}

function recordAt(
  bytes: Buffer,
  at: number,
  shard: ShardId,
  { sequence, place }: Wanted,
): LogRecord | undefined {
  const header = decodeRecord(bytes, at, place.extent.seed);
  if (header === undefined || header.shard !== shard || header.sequence !== sequence) return;
  if (header.payloadBytes !== place.payloadBytes || !payloadIsWhole(bytes, at, header)) return;
  const payload = copy(bytes, at + RECORD_HEADER_BYTES, header.payloadBytes);
  return { shard, sequence: sequence as LogSequence, payload };
}

/** The caller keeps it: it must not hold on to the memory of everything around it. */
function copy(from: Uint8Array, at: number, length: number): Uint8Array {
  return new Uint8Array(from.subarray(at, at + length));
}
