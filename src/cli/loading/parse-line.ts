import { parseJson } from "../parse-json.ts";
import { readEncoded } from "./encoded-value.ts";
import type { TextLine } from "./read-lines.ts";

/** What a line of a load file says, or why it says nothing. */
export type ParsedLine =
  | {
      readonly kind: "entry";
      readonly number: number;
      readonly key: string;
      readonly value: unknown;
    }
  | { readonly kind: "blank"; readonly number: number }
  | { readonly kind: "bad"; readonly number: number; readonly problem: string };

/** `version` stands in what `capstan scan --json` prints; a load gives every line a new one. */
const FIELDS: ReadonlySet<string> = new Set(["key", "value", "encoded", "version"]);

export function parseLine({ number, text, problem }: Omit<TextLine, "endsAt">): ParsedLine {
  const bad = (why: string): ParsedLine => ({ kind: "bad", number, problem: why });
  if (text === undefined) return bad(problem ?? "it cannot be read");
  if (text.trim() === "") return { kind: "blank", number };
  const parsed = parseJson(text);
  if (!parsed.ok) return bad(parsed.isJson ? parsed.problem : `it is ${parsed.problem}`);
  const line = parsed.value;
  if (typeof line !== "object" || line === null || Array.isArray(line)) {
    return bad('it is not an object {"key": …, "value": …}');
  }
  const stray = Object.keys(line).find((field) => !FIELDS.has(field));
  if (stray !== undefined)
    return bad(`it has a field ${JSON.stringify(stray)}; known are key, value, encoded`);
  if (!("key" in line) || typeof line.key !== "string") return bad('"key" is missing or no string');
  if ("encoded" in line) {
    const read = readEncoded(line);
    return read.ok
      ? { kind: "entry", number, key: line.key, value: read.value }
      : bad(read.problem);
  }
  if (!("value" in line)) return bad('"value" is missing');
  return { kind: "entry", number, key: line.key, value: line.value };
}
