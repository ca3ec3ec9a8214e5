import type { CausalContext } from "./causal-context.ts";
import { MAX_CONTEXT_BYTES } from "./context-token.ts";
import type { MintVerdict } from "./messages.ts";

/** Why a record with a write in it is not kept; undefined if nothing is against it. */
export function refusalOf(
  context: CausalContext,
  byteLength: number,
  maxBytes: number,
): { readonly verdict: MintVerdict; readonly reason: string } | undefined {
  if (byteLength > maxBytes) {
    const reason = `${byteLength} bytes with all its versions; at most ${maxBytes}`;
    return { verdict: "too-large", reason };
  }
  if (context.byteLength > MAX_CONTEXT_BYTES) {
    const reason = `a context of ${context.byteLength} bytes; at most ${MAX_CONTEXT_BYTES}`;
    return { verdict: "context-full", reason };
  }
  return undefined;
}
