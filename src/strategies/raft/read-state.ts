import type { ServingState, StateReader } from "../../core/contracts/machine.ts";
import { compareBytes } from "../../core/model/keys.ts";
import type { RangeMessage, RangeReply } from "./client-messages.ts";
import { isLive } from "./record.ts";
import { behindAllKeys } from "./state-rows.ts";

/** The record that a reader sees: one whose time has come by the clock of the log is none. */
export function liveRecordOf(
  state: Pick<ServingState, "get">,
  key: Uint8Array,
  clockMs: number,
  text?: string,
): Uint8Array | undefined {
  const record = state.get(key, text);
  return record !== undefined && isLive(record, clockMs) ? record : undefined;
}

/** A page of what a reader sees of a range of keys. */
export function rangeOf(
  state: Pick<StateReader, "range">,
  { from, to, limitBytes, limitEntries }: Omit<RangeMessage, "type" | "requestId" | "way">,
  clockMs: number,
): Pick<RangeReply, "entries" | "continueAfter"> {
  const end = behindAllKeys();
  const upTo = to === undefined || compareBytes(to, end) > 0 ? end : to;
  const { entries, more } = state.range(from, upTo, limitBytes, limitEntries);
  const continueAfter = more ? entries.at(-1)?.key : undefined;
  const live = entries
    .filter(({ value }) => isLive(value, clockMs))
    .map(({ key, value }) => ({ key, record: value }));
  return { entries: live, continueAfter };
}
