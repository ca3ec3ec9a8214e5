/** Far above what any keyspace takes; bounds the memory that a file without line breaks can cost. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** One line of a file, counted from 1; `text` is missing where it could not be read as text. */
export interface TextLine {
  readonly number: number;
  /** Bytes of the stream up to its end, line end included. */
  readonly endsAt: number;
  readonly text?: string;
  readonly problem?: string;
}

/**
 * The lines of a stream of UTF-8 bytes, without their ends (LF or CRLF) and without a byte order
 * mark at the very start. A last line without an end counts; an empty rest does not.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<TextLine, void, undefined> {
  let number = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  let endsAt = 0;
  const keep = (part: Uint8Array): void => {
    length += part.length;
    if (length <= maxLineBytes) parts.push(part);
    else parts = [];
  };
  const finish = (): TextLine => {
    number += 1;
    const content = length > maxLineBytes ? tooLong(length, maxLineBytes) : decode(number, parts);
    const line = { number, endsAt, ...content };
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      keep(chunk.subarray(from, end));
      endsAt += end + 1 - from;
      from = end + 1;
      yield finish();
    }
    if (from < chunk.length) keep(chunk.subarray(from));
    endsAt += chunk.length - from;
  }
  if (length > 0) yield finish();
}

type Content = Pick<TextLine, "text" | "problem">;

function decode(number: number, parts: readonly Uint8Array[]): Content {
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  const end = bytes[bytes.length - 1] === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: number > 1 });
    return { text: text.decode(bytes.subarray(0, end)) };
  } catch {
    return { problem: "it is not UTF-8 text" };
  }
}

function tooLong(length: number, maxLineBytes: number): Content {
  return { problem: `it has ${length} bytes; a line has at most ${maxLineBytes}` };
}
