import { describeValue } from "../../core/model/configuration-problems.ts";
import { encodeValue } from "../../core/model/values.ts";

/** One law over one example: what is wrong, or undefined. A throw is wrong too. */
export interface Law<Example> {
  readonly name: string;
  readonly problem: (example: Example) => string | undefined;
}

/** What a law says of an example, whatever the resolver throws. */
export function problemUnder<Example>(law: Law<Example>, example: Example): string | undefined {
  try {
    return law.problem(example);
  } catch (error) {
    return `it throws ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
  }
}

/**
 * An example that still breaks the law, and none of whose parts can be left out. `parts` are tried
 * from the last, because later steps rest on earlier ones.
 */
export function shrink<Part>(
  parts: readonly Part[],
  least: number,
  isBroken: (parts: readonly Part[]) => boolean,
): readonly Part[] {
  let kept = parts;
  for (let at = kept.length - 1; at >= 0; at -= 1) {
    if (kept.length <= least) break;
    const fewer = kept.toSpliced(at, 1);
    if (!isBroken(fewer)) continue;
    kept = fewer;
    // What was needed before may be needed no more.
    at = kept.length;
  }
  return kept;
}

/** "…: a, not b", unless both are the same value to the byte. */
export function difference(what: string, actual: unknown, expected: unknown): string | undefined {
  if (Buffer.compare(encodeValue(actual), encodeValue(expected)) === 0) return undefined;
  return `${what}: ${showValue(actual)}, not ${showValue(expected)}`;
}

const MAX_SHOWN_CHARACTERS = 300;

export function showValue(value: unknown): string {
  const readable = (_name: string, each: unknown): unknown => {
    if (typeof each === "bigint") return `${each}n`;
    return each instanceof Uint8Array ? `bytes ${Buffer.from(each).toString("hex")}` : each;
  };
  try {
    const text = JSON.stringify(value, readable) ?? String(value);
    return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
  } catch {
    return describeValue(value);
  }
}
