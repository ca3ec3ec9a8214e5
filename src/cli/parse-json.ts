import { parseStrictJson } from "../http/strict-json.ts";

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly isJson: boolean; readonly problem: string };

/**
 * JSON that means exactly one thing: what the HTTP API would refuse (a name twice, an integer that
 * would be rounded) is refused here too, before it is sent in an encoding that hides it.
 */
export function parseJson(text: string): ParsedJson {
  try {
    JSON.parse(text);
  } catch (error) {
    const problem = withLineAndColumn((error as Error).message, text);
    return { ok: false, isJson: false, problem: `not JSON: ${problem}` };
  }
  try {
    return { ok: true, value: parseStrictJson(Buffer.from(text)) };
  } catch (error) {
    const [problem = ""] = (error as Error).message.replaceAll("the body", "the text").split("; ");
    return { ok: false, isJson: true, problem };
  }
}

/** V8 counts characters from the start; people count lines. */
function withLineAndColumn(message: string, text: string): string {
  const match = /^(.*?)(?: in JSON)? at position (\d+)(?: \(line \d+ column \d+\))?$/s.exec(
    message,
  );
  if (!match) return message;
  const before = text.slice(0, Number(match[2])).split("\n");
  return `${match[1]} at line ${before.length}, column ${before.at(-1)!.length + 1}`;
}
