import type { Effects } from "../../core/contracts/machine.ts";
import type { ChangesReached } from "../../core/contracts/machine-change.ts";
import type { ShardChange, ShardMachine } from "./apply.ts";
import { EntryChanges, LAST_OF_ENTRY } from "./entry-changes.ts";
import { encodeRevision, orderOf } from "./version.ts";

type Fx = Pick<Effects<unknown>, "change">;

/**
 * What watchers are told of a replica's state, in the order that all replicas share: the log's, in
 * this life of the shard.
 */
export class ChangeTeller {
  readonly #keyspaceHash: number;
  readonly #machine: Pick<ShardMachine, "books" | "lifeMark">;
  readonly #effects: () => Fx;
  readonly #ofEntry = new EntryChanges((change, offset) => this.#tell(change, offset));
  /** The order that is told of, and the life that it is named for: each change names it. */
  #order = "";
  #orderOfLife: number | undefined;

  /** @param effects those of the step that is running. */
  constructor(
    keyspaceHash: number,
    machine: Pick<ShardMachine, "books" | "lifeMark">,
    effects: () => Fx,
  ) {
    this.#keyspaceHash = keyspaceHash;
    this.#machine = machine;
    this.#effects = effects;
  }

  /** Up to where it could be told; undefined while the shard has no life, and so no order. */
  get reached(): ChangesReached | undefined {
    const { books, lifeMark } = this.#machine;
    return books.salt === 0
      ? undefined
      : { order: this.#orderNow(lifeMark), sequence: books.appliedIndex };
  }

  /** One of the changes of the entry that is being applied. */
  add(change: ShardChange): void {
    this.#ofEntry.add(change);
  }

  endEntry(): void {
    this.#ofEntry.end();
  }

  /** Whoever watches from here on misses nothing; what was before cannot be told. */
  gap(): void {
    const { reached } = this;
    if (reached === undefined) return;
    const position = { ...reached, offset: LAST_OF_ENTRY };
    const reason = "the replica has taken up its state here";
    this.#effects().change({ type: "gap", reason, position });
  }

  #orderNow(lifeMark: number): string {
    if (lifeMark !== this.#orderOfLife) {
      this.#orderOfLife = lifeMark;
      this.#order = orderOf(lifeMark);
    }
    return this.#order;
  }

  #tell({ type, key, value, index }: ShardChange, offset: number): void {
    const { lifeMark } = this.#machine;
    const version = encodeRevision(this.#keyspaceHash, lifeMark, index);
    const position = { order: this.#orderNow(lifeMark), sequence: index, offset };
    const change = { type, key, version, position };
    this.#effects().change(value === undefined ? change : { type, key, value, version, position });
  }
}
