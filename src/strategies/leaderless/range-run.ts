import type { StateReader } from "../../core/contracts/machine.ts";
import type { RangeMessage } from "./messages.ts";
import { type KeyedRecord, keyRecord } from "./record.ts";

const MAX_REPLY_BYTES = 256 * 1024;

/** What a message asks for of a shard, within the bounds of one answer. */
export function readRun(
  state: StateReader,
  message: RangeMessage,
): { readonly entries: readonly KeyedRecord[]; readonly more: boolean } {
  const limitBytes = Math.min(message.limitBytes, MAX_REPLY_BYTES);
  const run = state.range(message.from, message.to, limitBytes, message.limitEntries);
  const entries = run.entries.map((entry) => keyRecord(entry.key, entry.value));
  return { entries, more: run.more };
}
