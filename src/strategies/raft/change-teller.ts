import type { Effects } from "../../core/contracts/machine.ts";
import type {
  ChangePosition,
  ChangesReached,
  MachineChange,
} from "../../core/contracts/machine-change.ts";
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
  /** What is told of, and the name of its order: each change names it. */
  #life: ToldLife | undefined;

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
      : { order: this.#lifeNow(lifeMark).order, sequence: books.appliedIndex };
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

  #lifeNow(lifeMark: number): ToldLife {
    if (this.#life?.lifeMark === lifeMark) return this.#life;
    this.#life = { keyspaceHash: this.#keyspaceHash, lifeMark, order: orderOf(lifeMark) };
    return this.#life;
  }

  #tell({ type, key, value, index }: ShardChange, offset: number): void {
    const life = this.#lifeNow(this.#machine.lifeMark);
    this.#effects().change(
      value === undefined
        ? new ToldChange(type, key, index, offset, life)
        : new ToldPut(type, key, value, index, offset, life),
    );
  }
}

interface ToldLife {
  readonly keyspaceHash: number;
  readonly lifeMark: number;
  readonly order: string;
}

/** Is its own position, and writes its version out when a watch is told of it: few are. */
class ToldChange implements MachineChange, ChangePosition {
  readonly type: ShardChange["type"];
  readonly key: Uint8Array;
  readonly sequence: number;
  readonly offset: number;
  readonly #life: ToldLife;

  constructor(
    type: ShardChange["type"],
    key: Uint8Array,
    sequence: number,
    offset: number,
    life: ToldLife,
  ) {
    this.type = type;
    this.key = key;
    this.sequence = sequence;
    this.offset = offset;
    this.#life = life;
  }

  get order(): string {
    return this.#life.order;
  }

  get version(): string {
    return encodeRevision(this.#life.keyspaceHash, this.#life.lifeMark, this.sequence);
  }

  get position(): ChangePosition {
    return this;
  }
}

class ToldPut extends ToldChange {
  readonly value: Uint8Array;

  constructor(
    type: ShardChange["type"],
    key: Uint8Array,
    value: Uint8Array,
    sequence: number,
    offset: number,
    life: ToldLife,
  ) {
    super(type, key, sequence, offset, life);
    this.value = value;
  }
}
