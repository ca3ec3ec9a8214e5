import { hintRowsIn } from "../../../built-ins.ts";
import type { StateBatch } from "../../../core/contracts/storage.ts";
import { keyspaceHashOf } from "../../../core/model/ids.ts";

/** Rare states that it notices. */
export const HINT_SOMETIMES: readonly string[] = Object.freeze(["a hint and a deletion crossed"]);

const NO_VALUE = new Uint8Array(0);

/** Which keys have a hint that waits somewhere, from what nodes commit. */
export class HintCrossings {
  readonly #keyspaceHash: number;
  /** By key: since when each row of each node has been there, in milliseconds of the world. */
  readonly #waiting = new Map<string, Map<string, number>>();
  #crossed = 0;

  constructor(keyspaceHash: number) {
    this.#keyspaceHash = keyspaceHash;
  }

  onCommit(node: string, { mutations }: StateBatch, atMs: number): void {
    for (const mutation of mutations) {
      if (mutation.type !== "put" && mutation.type !== "delete") continue;
      if (mutation.space !== "side" || keyspaceHashOf(mutation.shard) !== this.#keyspaceHash)
        continue;
      const [hint] = hintRowsIn([{ key: mutation.key, value: NO_VALUE }]);
      if (hint === undefined) continue;
      const key = Buffer.from(hint.key).toString("utf8");
      const rows = this.#waiting.get(key) ?? new Map<string, number>();
      this.#waiting.set(key, rows);
      const row = `${node}/${hint.target}`;
      if (mutation.type === "delete") rows.delete(row);
      else if (!rows.has(row)) rows.set(row, atMs);
    }
  }

  /** A deletion of the key that began then was acknowledged. */
  onDeleted(key: string, beganAtMs: number): void {
    const waiting = [...(this.#waiting.get(key)?.values() ?? [])];
    // It is of what was there before, and will be handed over all the same.
    if (waiting.some((sinceMs) => sinceMs < beganAtMs)) this.#crossed += 1;
  }

  sometimes(): Readonly<Record<string, number>> {
    return { [HINT_SOMETIMES[0] as string]: this.#crossed };
  }
}
