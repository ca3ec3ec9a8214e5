import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import type { Surroundings } from "../surroundings.ts";
import { UsageError } from "../usage-error.ts";

/** Where a load's lines come from. */
export interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Undefined where the end is not known. */
  readonly totalBytes: number | undefined;
  close(): void;
}

export async function openSource(
  file: string,
  { directory, stdin, interruption }: Surroundings,
): Promise<Source> {
  const path = resolve(directory, file);
  const totalBytes = file === "-" ? undefined : await sizeOf(path, file);
  const stream: Readable = file === "-" ? stdin : createReadStream(path);
  // A terminal or a pipe may stay silent for ever: an interruption must not wait for it.
  const stop = (): void => {
    stream.destroy();
  };
  interruption.signal.addEventListener("abort", stop, { once: true });
  return {
    chunks: (async function* () {
      try {
        for await (const chunk of stream) {
          yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
        }
      } catch (error) {
        if (interruption.requested) return;
        throw new UsageError(`${file} cannot be read: ${(error as Error).message}.`);
      }
    })(),
    totalBytes,
    close: () => {
      interruption.signal.removeEventListener("abort", stop);
      stream.destroy();
    },
  };
}

/** Undefined for a pipe or a device, which have none. */
async function sizeOf(path: string, file: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new UsageError(`${file} is a folder; a file is wanted.`);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === "ENOENT" ? `${file}: there is no such file.` : `${file} cannot be read: ${message}.`,
    );
  }
}
