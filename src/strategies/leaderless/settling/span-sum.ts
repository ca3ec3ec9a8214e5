import type { StateReader } from "../../../core/contracts/machine.ts";
import { keyAfter } from "../../../core/model/keys.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import { type KeySpan, Summary } from "../anti-entropy/fingerprint.ts";
import type { SettlingRules } from "./settling-rules.ts";

/** Of one step. */
const STEP_ENTRIES = 256;
const STEP_BYTES = 256 * 1024;

export interface SpanSum {
  readonly sum: Summary;
  /** Where the sum ends, if that is before the span does. */
  readonly cutAt: Uint8Array | undefined;
}

/** What is held of the span, of events in the window; of a long span only its first part. */
export function sumOf(
  { from, to }: KeySpan,
  after: HybridTime,
  upTo: HybridTime,
  rules: SettlingRules,
  state: StateReader,
): SpanSum {
  const { entries, more } = state.range(from, to, STEP_BYTES, STEP_ENTRIES);
  const sum = new Summary();
  for (const { key, value } of entries) rules.addWithin(sum, key, value, after, upTo);
  const last = entries.at(-1)?.key;
  return { sum, cutAt: more && last !== undefined ? keyAfter(last) : undefined };
}
