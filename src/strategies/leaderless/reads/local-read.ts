import type { Clocks, CoordinatorContext } from "../../../core/contracts/machine.ts";
import type { Operation } from "../../../core/model/operations.ts";
import type { Receipt } from "../../../core/model/receipt.ts";
import type { ExpiryView } from "../expiry-view.ts";
import { receiptOf } from "../receipts.ts";

/** What this node's own copy answers a read with. */
export interface LocalRead {
  readonly record: Uint8Array | undefined;
  readonly receipt: Receipt;
}

/**
 * A read at `one` of a shard whose serving replica is here needs neither step nor message.
 * Undefined: the operation is something else, or has to ask others.
 */
export function readLocally(
  context: CoordinatorContext,
  { type, key, level, shardIndex }: Operation,
  expiries: ExpiryView,
  clocks: Clocks,
): LocalRead | undefined {
  if (type !== "get" || (level !== "one" && level !== "eventual")) return undefined;
  const state = context.servingState(shardIndex);
  if (state === undefined) return undefined;
  const { epoch, leaving, replicas } = context.placement(shardIndex);
  // A switch under way: the new replicas may have what this copy has not.
  if (leaving !== undefined) return undefined;
  const receipt = receiptOf({
    asked: level,
    counted: 1,
    // The answer does not wait for the copy that it comes from to be durable.
    durable: state.isDurable(key) ? 1 : 0,
    total: replicas.length,
    met: true,
    pendingSync: false,
    repaired: 0,
    epoch,
    durationMs: 0,
    side: "Read",
  });
  return { record: expiries.now(state.get(key), clocks), receipt };
}
