import type { Observer } from "../contracts/observer.ts";
import { CapstanError } from "../model/errors.ts";
import type { MachineCell } from "./machine-cell.ts";

/** A machine that throws is made anew this often over the life of a node; then the node stops. */
const MAX_FAILURES = 3;

type Notice = { readonly type: string; readonly [field: string]: unknown };

/**
 * Counts a step that threw, and tells of it. Undefined: the machine may be made anew; otherwise why the
 * node has to stop.
 */
export function noteFailure(
  cell: Pick<MachineCell, "failures" | "role" | "shardIndex">,
  keyspace: string | undefined,
  error: unknown,
  told: { readonly observer: Observer; readonly onNotice: (notice: Notice) => void },
): CapstanError | undefined {
  cell.failures++;
  const { role, failures, shardIndex: shard } = cell;
  told.observer.log("error", "a machine's step threw", { keyspace, role, shard, failures, error });
  const message = error instanceof Error ? error.message : String(error);
  told.onNotice({ type: "machine-failed", keyspace, role, shard, message });
  if (failures <= MAX_FAILURES) return undefined;
  const why = `a ${role} of keyspace ${keyspace} failed ${failures} times`;
  return new CapstanError("STORE_FAILED", why, { cause: error });
}
