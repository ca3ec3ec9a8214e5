import type { Readable } from "node:stream";
import { CapstanError } from "../core/model/errors.ts";
import { UsageError } from "./usage-error.ts";

/** Far above any value that a keyspace takes: the server says which size it allows. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;

/**
 * All of a stream as text. Bytes that are not UTF-8 are refused, never replaced.
 *
 * @throws CapstanError `ABORTED` if the signal aborts before its end.
 */
export async function readText(stream: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  const stop = (): void => {
    stream.destroy();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    for await (const chunk of stream) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
      length += bytes.length;
      if (length > MAX_INPUT_BYTES) {
        throw new UsageError(`Standard input holds more than ${MAX_INPUT_BYTES} bytes.`);
      }
      chunks.push(bytes);
    }
  } catch (error) {
    if (signal.aborted) throw interrupted(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new UsageError("Standard input is not UTF-8 text.");
  }
}

/** Half a value must not pass for one. */
function interrupted(cause: unknown): CapstanError {
  const why = "interrupted before standard input had come to its end; nothing was sent";
  return new CapstanError("ABORTED", why, { cause });
}
