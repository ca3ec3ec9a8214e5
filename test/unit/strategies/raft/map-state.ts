import { createHash } from "node:crypto";
import type { StateEntry, StateRange } from "../../../../src/core/contracts/storage.ts";
import { compareBytes } from "../../../../src/core/model/keys.ts";

/** A shard's `data` in a map: what a state machine needs, and a look at all of it. */
export class MapState {
  readonly #entries = new Map<string, StateEntry>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(textOf(key))?.value;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#entries.set(textOf(key), { key, value });
  }

  delete(key: Uint8Array): void {
    this.#entries.delete(textOf(key));
  }

  range(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries = Number.POSITIVE_INFINITY,
  ): StateRange {
    const within = this.all().filter(
      ({ key }) =>
        (from === undefined || compareBytes(key, from) >= 0) &&
        (to === undefined || compareBytes(key, to) < 0),
    );
    let bytes = 0;
    const end = within.findIndex(({ key, value }, index) => {
      bytes += key.length + value.length;
      return index > 0 && (bytes > limitBytes || index >= limitEntries);
    });
    return end < 0
      ? { entries: within, more: false }
      : { entries: within.slice(0, end), more: true };
  }

  /** In the order of the keys. */
  all(): StateEntry[] {
    return [...this.#entries.values()].sort((a, b) => compareBytes(a.key, b.key));
  }

  /** Equal for equal states. */
  digest(): string {
    const hash = createHash("sha256");
    for (const { key, value } of this.all()) {
      hash.update(`${key.length},${value.length};`);
      hash.update(key);
      hash.update(value);
    }
    return hash.digest("hex");
  }

  copy(): MapState {
    const copy = new MapState();
    for (const { key, value } of this.#entries.values()) copy.put(key, value);
    return copy;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}
