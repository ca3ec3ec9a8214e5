import type { CrdtResolver } from "../../core/contracts/resolver.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import type { Settlement } from "./settlement.ts";

/** The same, or with a planted bug of how states are joined. */
export function withPlantedJoin(settlement: Settlement, planted: PlantedDynamoBugs): Settlement {
  if (planted.removedElementReturns !== true || settlement.kind !== "states") return settlement;
  const { resolver } = settlement;
  return { ...settlement, resolver: { ...resolver, join: joinForgettingRemovals(resolver) } };
}

/** What either of two sets of elements holds stays, as if neither had seen what the other has. */
function joinForgettingRemovals(resolver: CrdtResolver): CrdtResolver["join"] {
  const initial = resolver.initial();
  return (a, b) => {
    const joined = resolver.join(a, b);
    if (!isOfElements(initial) || !isOfElements(a) || !isOfElements(b)) return joined;
    const { context } = initial;
    const { entries } = resolver.join({ ...a, context }, { ...b, context }) as Elements;
    return { ...(joined as Elements), entries };
  };
}

interface Elements {
  readonly context: unknown;
  readonly entries: unknown;
}

function isOfElements(state: unknown): state is Elements {
  return typeof state === "object" && state !== null && "context" in state && "entries" in state;
}
