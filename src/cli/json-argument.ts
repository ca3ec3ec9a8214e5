import { parseJson } from "./parse-json.ts";
import { readText } from "./read-stream.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageError } from "./usage-error.ts";

/** What stands in an argument; `-` is what stands on standard input. */
export async function textArgument(
  argument: string,
  { stdin, interruption }: Surroundings,
): Promise<string> {
  return argument === "-" ? await readText(stdin, interruption.signal) : argument;
}

/** @throws UsageError that names the argument, and what to do about it. */
export function jsonOf(text: string, argument: string, advice: string): unknown {
  const parsed = parseJson(text);
  if (parsed.ok) return parsed.value;
  const hint = parsed.isJson
    ? "It would not be stored as it is written; a string would."
    : `Quote JSON for the shell, as in '{"a": 1}'${advice}.`;
  throw new UsageError(`${argument} is refused: ${parsed.problem}. ${hint}`);
}
