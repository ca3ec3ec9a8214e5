import type { ShardMap } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { majorityOf } from "../../../core/model/quorum.ts";
import type { PlaceMessage, PlaceState } from "./place-messages.ts";

/** Who holds a shard, as a majority of the replicas of the newest map that any of them names says. */
export class PlaceQuery {
  #map: ShardMap;
  readonly #known = new Map<NodeId, ShardMap>();

  constructor(map: ShardMap) {
    this.#map = map;
  }

  get map(): ShardMap {
    return this.#map;
  }

  onState(from: NodeId, { map }: PlaceState): void {
    this.#known.set(from, map);
    if (map.epoch > this.#map.epoch) this.#map = map;
  }

  forget(node: NodeId): void {
    this.#known.delete(node);
  }

  get outcome(): "done" | undefined {
    const { replicas } = this.#map;
    const heard = replicas.filter((node) => this.#known.has(node)).length;
    return heard >= majorityOf(replicas.length) ? "done" : undefined;
  }

  messages(requestId: number): readonly { readonly to: NodeId; readonly message: PlaceMessage }[] {
    const message: PlaceMessage = { type: "place-map", requestId, map: this.#map };
    return this.#map.replicas.map((to) => ({ to, message }));
  }
}
