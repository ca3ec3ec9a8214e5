import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";
import { type HybridTime, MAX_HYBRID_TIME } from "../../../core/model/stamp.ts";
import { type KeyedRecord, splitPayload } from "../record.ts";
import { type KeySpan, Summary } from "./fingerprint.ts";
import { KeyReader, KeyWriter } from "./front-coding.ts";

const FLAG_ANSWER = 1;
const FLAG_UP_TO = 2;

export interface SummarizedSpan {
  readonly span: KeySpan;
  readonly summary: Summary;
}

export interface ListedEntry {
  readonly key: Uint8Array;
  /** Of this entry alone. */
  readonly summary: Summary;
}

export interface ListedSpan {
  readonly span: KeySpan;
  /** Everything that the sender holds of the span, but for what is younger than the message's `upTo`. */
  readonly entries: readonly ListedEntry[];
}

/**
 * One step of making two replicas of a shard equal. Nothing is remembered between messages: what a
 * message asks for it says, and one that is lost is made up for by the next round.
 */
export interface ReconcileMessage {
  readonly type: "reconcile";
  /** Of the sender's round, in the message that begins it; 0 in all that follow. */
  readonly requestId: number;
  /** "Yours and mine are equal": this round of the receiver is over. 0: nothing of the kind. */
  readonly settledRound: number;
  /** What the sender holds there, in sum: the receiver answers where it holds something else. */
  readonly spans: readonly SummarizedSpan[];
  readonly lists: readonly ListedSpan[];
  /** To be merged. Where the merge is not what came, the receiver sends it back, once. */
  readonly records: readonly KeyedRecord[];
  /** The records are what came back: they are not answered again, whatever merging makes of them. */
  readonly isAnswer: boolean;
  /** Younger records are left out of what is said of spans, and lists; 0: none are. */
  readonly upTo: HybridTime;
  /** Keys whose records the sender lacks. */
  readonly wants: readonly Uint8Array[];
}

export function writeReconcile(message: ReconcileMessage, writer: ByteWriter): void {
  const keys = new KeyWriter(writer);
  writer.u32(message.settledRound);
  writer.u8((message.isAnswer ? FLAG_ANSWER : 0) | (message.upTo > 0 ? FLAG_UP_TO : 0));
  if (message.upTo > 0) writer.u64(message.upTo);
  writer.u16(message.spans.length);
  for (const { span, summary } of message.spans) {
    writeSpan(keys, span);
    writer.u32(summary.count);
    writeHash(writer, summary);
  }
  writer.u16(message.lists.length);
  for (const { span, entries } of message.lists) {
    writeSpan(keys, span);
    writer.u16(entries.length);
    for (const { key, summary } of entries) {
      keys.write(key);
      writeHash(writer, summary);
    }
  }
  writer.u16(message.records.length);
  for (const { payload } of message.records) writer.bytes(payload);
  writer.u16(message.wants.length);
  for (const key of message.wants) keys.write(key);
}

/** Throws `MalformedBytesError`. What it answers is the caller's own. */
export function readReconcile(
  reader: ByteReader,
  requestId: number,
  check: (record: Uint8Array) => void,
): ReconcileMessage {
  const keys = new KeyReader(reader);
  const settledRound = reader.u32();
  const flags = reader.u8();
  if (flags > (FLAG_ANSWER | FLAG_UP_TO)) throw new MalformedBytesError(`flags ${flags}`);
  const isAnswer = (flags & FLAG_ANSWER) !== 0;
  const upTo = (flags & FLAG_UP_TO) === 0 ? 0 : reader.u64();
  if (upTo > MAX_HYBRID_TIME) throw new MalformedBytesError(`a time of ${upTo}`);
  const spans = readMany(reader, () => {
    const span = readSpan(keys);
    const summary = new Summary();
    summary.count = reader.u32();
    readHash(reader, summary);
    return { span, summary };
  });
  const lists = readMany(reader, () => ({
    span: readSpan(keys),
    entries: readMany(reader, () => readEntry(reader, keys)),
  }));
  const records = readMany(reader, () => splitPayload(owned(reader.bytes()), check));
  const wants = readMany(reader, () => readKey(keys));
  reader.end();
  const parts = { spans, lists, records, wants };
  return { type: "reconcile", requestId, settledRound, isAnswer, upTo, ...parts };
}

function readEntry(reader: ByteReader, keys: KeyReader): ListedEntry {
  const key = readKey(keys);
  const summary = new Summary();
  summary.count = 1;
  readHash(reader, summary);
  return { key, summary };
}

function readMany<T>(reader: ByteReader, readOne: () => T): readonly T[] {
  const count = reader.u16();
  if (count > reader.remaining) {
    throw new MalformedBytesError(`${count} parts in ${reader.remaining} bytes`);
  }
  return Array.from({ length: count }, readOne);
}

function writeSpan(keys: KeyWriter, { from, to }: KeySpan): void {
  keys.write(from);
  keys.write(to);
}

function readSpan(keys: KeyReader): KeySpan {
  const from = keys.read();
  const to = keys.read();
  if (from !== undefined && to !== undefined && Buffer.compare(from, to) >= 0) {
    throw new MalformedBytesError("a span that ends where it begins, or before");
  }
  return { from, to };
}

function readKey(keys: KeyReader): Uint8Array {
  const key = keys.read();
  if (key === undefined) throw new MalformedBytesError("a key of no bytes");
  return key;
}

function writeHash(writer: ByteWriter, { high, low }: Summary): void {
  writer.u32(high);
  writer.u32(low);
}

function readHash(reader: ByteReader, summary: Summary): void {
  summary.high = reader.u32();
  summary.low = reader.u32();
}

function owned(view: Uint8Array): Uint8Array {
  return Uint8Array.from(view);
}
