import type { StateEntry, StateRange } from "../../../../src/core/contracts/storage.ts";
import { PlainState } from "../../../support/plain-state.ts";
import { SendingEffects } from "./place/place-world.ts";

/** Effects whose side rows can be walked: hints are such rows, and what expires. */
export class SidedEffects extends SendingEffects {
  readonly #side = new PlainState();

  override putSide(key: Uint8Array, value: Uint8Array): void {
    this.#side.put(key, value);
  }

  override deleteSide(key: Uint8Array): void {
    this.#side.delete(key);
  }

  override getSide(key: Uint8Array): Uint8Array | undefined {
    return this.#side.get(key);
  }

  override rangeSide(...span: Parameters<PlainState["range"]> | []): readonly StateEntry[] {
    return this.#side.range(span[0], span[1], span[2] ?? Number.MAX_SAFE_INTEGER).entries;
  }

  rows(): StateRange {
    return this.range(undefined, undefined, Number.MAX_SAFE_INTEGER);
  }
}
