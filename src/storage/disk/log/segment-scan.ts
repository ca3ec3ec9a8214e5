import { asBuffer } from "./as-buffer.ts";
import {
  align,
  BATCH_HEADER_BYTES,
  BATCH_HEADER_MAGIC,
  BATCH_TRAILER_MAGIC,
  type BatchHeader,
  batchSpan,
  decodeHeader,
} from "./batch-format.ts";
import type { FileWindow } from "./file-window.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-format.ts";

/** So much is looked through at once for where the next batch may be. */
const SEARCH_BYTES = 256 * 1024;
/** The first three bytes of both magic numbers. */
const MAGIC_START = Buffer.from([0xca, 0x95, 0x7a]);

export interface FoundBatch {
  readonly header: BatchHeader;
  readonly offset: number;
}

interface FoundHeader {
  readonly header: BatchHeader;
  readonly at: number;
  readonly isTrailer: boolean;
}

export type IsWanted = (header: BatchHeader) => boolean;

/**
 * The batches of a segment whose header says what is wanted, in the order of the file. Behind one
 * that is broken the next is looked for. The records are not checked.
 */
export async function* batchesOf(
  window: FileWindow,
  isWanted: IsWanted,
): AsyncGenerator<FoundBatch, void> {
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const header = decodeHeader(await window.bytes(at, BATCH_HEADER_BYTES), 0, BATCH_HEADER_MAGIC);
    if (header !== undefined && isWanted(header) && fits(window, at, header)) {
      yield { header, offset: at };
      at += batchSpan(header);
      continue;
    }
    const found = await nextHeader(window, at, isWanted);
    if (found === undefined) return;
    if (!found.isTrailer) {
      at = found.at;
      continue;
    }
    const offset = found.at + BATCH_HEADER_BYTES - batchSpan(found.header);
    if (offset >= at) yield { header: found.header, offset };
    at = found.at + BATCH_HEADER_BYTES;
  }
}

/** Every header and trailer that is whole, wherever it stands: there is one per few hundred bytes. */
export async function visitHeaders(
  window: FileWindow,
  visit: (header: BatchHeader) => void,
): Promise<void> {
  for (let start = SEGMENT_HEADER_BYTES; start < window.size; start += SEARCH_BYTES) {
    const bytes = asBuffer(await window.bytes(start, SEARCH_BYTES + BATCH_HEADER_BYTES));
    let from = 0;
    for (;;) {
      const found = headerIn(bytes, start, from, () => true, window);
      if (found === undefined) break;
      visit(found.header);
      from = found.at - start + 8;
    }
  }
}

/** The nearest at or behind `from`. */
async function nextHeader(
  window: FileWindow,
  from: number,
  isWanted: IsWanted,
): Promise<FoundHeader | undefined> {
  for (let start = from; start < window.size; start += SEARCH_BYTES) {
    const bytes = asBuffer(await window.bytes(start, SEARCH_BYTES + BATCH_HEADER_BYTES));
    const found = headerIn(bytes, start, 0, isWanted, window);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The nearest in `bytes`, which are the file's from `start` on, at or behind their byte `from`. */
function headerIn(
  bytes: Buffer,
  start: number,
  from: number,
  isWanted: IsWanted,
  window: FileWindow,
): FoundHeader | undefined {
  let at = bytes.indexOf(MAGIC_START, from);
  for (; at >= 0 && at < SEARCH_BYTES; at = bytes.indexOf(MAGIC_START, at + 1)) {
    if (align(start + at) !== start + at) continue;
    for (const magic of [BATCH_HEADER_MAGIC, BATCH_TRAILER_MAGIC]) {
      const header = decodeHeader(bytes, at, magic);
      const isTrailer = magic === BATCH_TRAILER_MAGIC;
      if (header === undefined || !isWanted(header)) continue;
      if (isTrailer || fits(window, start + at, header)) {
        return { header, at: start + at, isTrailer };
      }
    }
  }
  return undefined;
}

function fits(window: FileWindow, at: number, header: BatchHeader): boolean {
  return at + batchSpan(header) <= window.size;
}
