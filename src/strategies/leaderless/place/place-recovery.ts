import type { ShardMap } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type { PlaceMessage, PlaceState } from "./place-messages.ts";

/**
 * Lets this node's copy of a shard serve without what only replicas had that cannot be reached. Ends
 * when it serves: those that can be reached give it what they have first.
 */
export class PlaceRecovery {
  readonly #self: NodeId;
  #map: ShardMap;
  #serves = false;
  /** It may go on without its caller from then on. */
  hasAsked = false;

  constructor(map: ShardMap, self: NodeId) {
    this.#map = map;
    this.#self = self;
  }

  get map(): ShardMap {
    return this.#map;
  }

  onState(from: NodeId, { map, serving }: PlaceState): void {
    if (from !== this.#self) return;
    this.#map = map;
    this.#serves = serving;
  }

  forget(): void {}

  get outcome(): "done" | undefined {
    return this.#serves ? "done" : undefined;
  }

  messages(requestId: number): readonly { readonly to: NodeId; readonly message: PlaceMessage }[] {
    this.hasAsked = true;
    return [{ to: this.#self, message: { type: "place-recover", requestId } }];
  }
}
