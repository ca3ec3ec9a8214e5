import { isCapstanError } from "../../core/model/errors.ts";
import { HistoryReader, type KeyValueOperation } from "../../verification/index.ts";
import { openSource } from "../loading/open-source.ts";
import { readLines } from "../loading/read-lines.ts";
import type { Surroundings } from "../surroundings.ts";
import { UsageError } from "../usage-error.ts";

/** The operations of a file, or of standard input. */
export async function readHistory(
  file: string,
  surroundings: Surroundings,
): Promise<readonly KeyValueOperation[]> {
  const source = await openSource(file, surroundings);
  const reader = new HistoryReader();
  try {
    for await (const { number, text, problem } of readLines(source.chunks)) {
      if (text === undefined) throw new UsageError(`${file}: line ${number}: ${problem}`);
      reader.line(text);
    }
    if (surroundings.interruption.requested)
      throw new UsageError(`${file} was not read to its end`);
    return reader.end();
  } catch (error) {
    throw isCapstanError(error) ? new UsageError(`${file}: ${error.message}`) : error;
  } finally {
    source.close();
  }
}
