import {
  SPACES,
  type Space,
  type StateRange,
  type StateView,
} from "../../core/contracts/storage.ts";
import type { OpenViews } from "../open-views.ts";
import type { OrderedPicture } from "../ordered-bytes.ts";
import type { Spaces } from "./shard-state.ts";

const NOTHING: StateRange = Object.freeze({ entries: Object.freeze([]), more: false });

export class MemoryStateView implements StateView {
  expiresAtMs: number;
  readonly #keeper: OpenViews<MemoryStateView>;
  readonly #pictures: { [S in Space]?: OrderedPicture } = {};
  #isOpen = true;

  constructor(keeper: OpenViews<MemoryStateView>, spaces: Spaces | undefined, expiresAtMs: number) {
    this.#keeper = keeper;
    this.expiresAtMs = expiresAtMs;
    if (spaces === undefined) return;
    for (const name of SPACES) {
      const space = spaces[name];
      if (space !== undefined && space.size > 0) this.#pictures[name] = space.openPicture();
    }
  }

  get(space: Space, key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen();
    return this.#pictures[space]?.get(key);
  }

  range(
    space: Space,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries?: number,
  ): StateRange {
    this.#checkOpen();
    return this.#pictures[space]?.range(from, to, limitBytes, limitEntries) ?? NOTHING;
  }

  prolong(): void {
    if (this.#isOpen) this.expiresAtMs = this.#keeper.nextExpiryMs();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const name of SPACES) this.#pictures[name]?.close();
    this.#keeper.forget(this);
  }

  /** The keeper's timer may fire late; the view's end does not wait for it. */
  #checkOpen(): void {
    if (this.#isOpen && this.#keeper.nowMs() >= this.expiresAtMs) this.close();
    if (!this.#isOpen) throw new Error("the view is closed, or was kept for too long");
  }
}
