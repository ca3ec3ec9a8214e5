import type { ConflictFact } from "../../core/model/facts.ts";
import { actorText } from "./causal-context.ts";
import type { Sibling } from "./dotted-record.ts";
import type { Settlement } from "./settlement.ts";

/** That versions have met of which none knew of the others, and `kept` stay of them. */
export function conflictOf(
  { kind, resolver }: Settlement,
  met: {
    readonly shardIndex: number;
    readonly key: Uint8Array;
    readonly versions: readonly Sibling[];
    readonly kept: readonly Sibling[];
  },
): ConflictFact {
  const { shardIndex, key, versions, kept } = met;
  const isPicked = kind === "pick" && kept.length === 1;
  const [winner] = kept;
  return {
    type: "conflict",
    shardIndex,
    key,
    versions: versions.map(nameOf),
    resolution: isPicked ? (resolver?.name ?? "siblings") : "siblings",
    ...(isPicked && winner !== undefined && { resolvedVersion: nameOf(winner) }),
    discarded: isPicked ? versions.length - 1 : 0,
  };
}

/** A version by its dot: who wrote it, and as which of his writes. */
function nameOf({ dot }: Sibling): string {
  return `${actorText(dot.actor)}:${dot.counter}`;
}
