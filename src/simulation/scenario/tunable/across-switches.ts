import {
  checkRegularRegister,
  type KeyValueOperation,
  OPEN_ENDED,
  type RegularViolation,
} from "../../../verification/index.ts";

/** Where the maps of shards were switched, and which of them an answer is of. */
export interface SwitchedMaps {
  /** What its receipt says, if the operation has one. */
  epochOf(operation: KeyValueOperation): number | undefined;
  /** Epochs of the key's shard at which both its old and its new replicas are asked. */
  switchesOf(key: string): readonly number[];
}

/**
 * Violations of a register whose reads are at a level below the keyspace's own. One that was answered
 * by a map from before a switch need not find what was written after it: its node may have been cut
 * off from the switch, which waits only for those that calls at the keyspace's own levels cannot miss.
 * It has to find what was written up to the switch, though, and every read after it all of it.
 */
export function regularAcrossSwitches(
  history: readonly KeyValueOperation[],
  maps: SwitchedMaps,
): readonly RegularViolation[] {
  const eras = new Map<number, KeyValueOperation[]>();
  const writes: { readonly write: KeyValueOperation; readonly era: number }[] = [];
  for (const operation of history) {
    const { input } = operation;
    // A call under way in the switch itself asks both sides: who reads has passed it, who writes has not.
    const era = eraOf(operation, maps);
    if (input.type !== "get") writes.push({ write: operation, era });
    else eras.set(era, [...(eras.get(era) ?? []), operation]);
  }
  return [...eras].flatMap(([era, reads]) => {
    const seen = writes.map(({ write, era: written }) => (written > era ? opened(write) : write));
    return checkRegularRegister([...reads, ...seen]).violations;
  });
}

/** How many switches the operation's map has behind it. */
function eraOf(operation: KeyValueOperation, maps: SwitchedMaps): number {
  const { input } = operation;
  const epoch = maps.epochOf(operation);
  if (epoch === undefined || input.type === "batch") return 0;
  const isRead = input.type === "get";
  return maps.switchesOf(input.key).filter((at) => (isRead ? at <= epoch : at < epoch)).length;
}

/** May be found, and need not be. */
function opened(write: KeyValueOperation): KeyValueOperation {
  if (write.outcome !== "applied") return write;
  return { ...write, outcome: "unknown", returnedAt: OPEN_ENDED };
}
