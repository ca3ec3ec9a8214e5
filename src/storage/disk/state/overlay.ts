import {
  type Generation,
  SPACES,
  type Space,
  type StateMutation,
} from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import { keyText } from "../../../core/model/key-text.ts";
import { OrderedBytes, type OrderedPicture, type PictureCursor } from "../../ordered-bytes.ts";

/** Stands where a key was deleted: known by identity. */
export const DELETED: Readonly<Uint8Array> = new Uint8Array(0);

/** What an entry costs beside its bytes, about. */
const ENTRY_OVERHEAD_BYTES = 64;

const NO_SPACES: readonly never[] = Object.freeze([]);

/** Half-open, as key text; undefined bounds are open. */
interface ClearedRange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** What was done to one space of one generation. Entries are newer than the ranges over them. */
export class OverlaySpace {
  readonly generation: Generation;
  readonly space: Space;
  readonly entries = new OrderedBytes();
  #cleared: readonly ClearedRange[] = [];

  constructor(generation: Generation, space: Space) {
    this.generation = generation;
    this.space = space;
  }

  /** Undefined where nothing is known of the key. */
  find(key: Uint8Array, text?: string): Uint8Array | undefined {
    const found = this.entries.get(key, text);
    if (found !== undefined || this.#cleared.length === 0) return found;
    return covers(this.#cleared, text ?? keyText(key)) ? DELETED : undefined;
  }

  clear(from: Uint8Array | undefined, to: Uint8Array | undefined): void {
    this.entries.deleteRange(from, to);
    const range = { from: from && keyText(from), to: to && keyText(to) };
    this.#cleared = [...this.#cleared.filter((each) => !holds(range, each)), range];
  }

  get clearedRanges(): readonly { readonly from?: Uint8Array; readonly to?: Uint8Array }[] {
    return this.#cleared.map(({ from, to }) => ({
      ...(from !== undefined && { from: Buffer.from(from, "latin1") }),
      ...(to !== undefined && { to: Buffer.from(to, "latin1") }),
    }));
  }

  picture(): SpacePicture {
    return new SpacePicture(this.entries.openPicture(), this.#cleared);
  }
}

/** An `OverlaySpace` as it was when the picture was taken. */
export class SpacePicture {
  readonly #entries: OrderedPicture;
  readonly #cleared: readonly ClearedRange[];

  constructor(entries: OrderedPicture, cleared: readonly ClearedRange[]) {
    this.#entries = entries;
    this.#cleared = cleared;
  }

  find(key: Uint8Array): Uint8Array | undefined {
    const found = this.#entries.get(key);
    if (found !== undefined || this.#cleared.length === 0) return found;
    return this.clears(keyText(key)) ? DELETED : undefined;
  }

  /** Whether what is older than the picture has no key of this text. */
  clears(text: string): boolean {
    return covers(this.#cleared, text);
  }

  cursor(from: Uint8Array | undefined, to: Uint8Array | undefined): PictureCursor {
    return this.#entries.cursor(from, to);
  }

  close(): void {
    this.#entries.close();
  }
}

/** What was committed and is not yet known to be durable in the file. */
export class Overlay {
  /** By shard, then by generation and space in one number. */
  readonly #shards = new Map<ShardId, Map<number, OverlaySpace>>();
  readonly #switched = new Map<ShardId, Generation>();
  #bytes = 0;
  #entries = 0;

  /** Keys, values and an allowance for each. */
  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#entries;
  }

  /** The last switch of each shard. */
  get switched(): ReadonlyMap<ShardId, Generation> {
    return this.#switched;
  }

  *spaces(): Generator<readonly [ShardId, OverlaySpace]> {
    for (const [shard, spaces] of this.#shards) {
      for (const space of spaces.values()) yield [shard, space];
    }
  }

  /** Those of the shard to which something was done, of whatever generation. */
  spacesOf(shard: ShardId): Iterable<OverlaySpace> {
    return this.#shards.get(shard)?.values() ?? NO_SPACES;
  }

  /** Undefined where nothing was done to it. */
  spaceOf(shard: ShardId, generation: Generation, space: Space): OverlaySpace | undefined {
    return this.#shards.get(shard)?.get(slotOf(generation, space));
  }

  /** The mutation was checked; `current` is the shard's generation now. */
  apply(mutation: StateMutation, current: Generation): void {
    const { shard } = mutation;
    if (mutation.type === "switch-generation") {
      this.#count();
      this.#switched.set(shard, mutation.generation);
      return;
    }
    const space = this.#spaceFor(shard, mutation.generation ?? current, mutation.space);
    if (mutation.type === "delete-range") {
      this.#count();
      space.clear(mutation.from, mutation.to);
      return;
    }
    const value = mutation.type === "put" ? mutation.value : DELETED;
    const before = space.entries.set(mutation.key, value, mutation.text);
    if (before === undefined) {
      this.#count();
      this.#bytes += mutation.key.length;
    }
    this.#bytes += value.length - (before?.length ?? 0);
  }

  /** Something that was not there: what is overwritten takes no more room, and no more to write. */
  #count(): void {
    this.#entries += 1;
    this.#bytes += ENTRY_OVERHEAD_BYTES;
  }

  #spaceFor(shard: ShardId, generation: Generation, space: Space): OverlaySpace {
    let spaces = this.#shards.get(shard);
    if (spaces === undefined) {
      spaces = new Map();
      this.#shards.set(shard, spaces);
    }
    const slot = slotOf(generation, space);
    let found = spaces.get(slot);
    if (found === undefined) {
      found = new OverlaySpace(generation, space);
      spaces.set(slot, found);
    }
    return found;
  }
}

function slotOf(generation: Generation, space: Space): number {
  return generation * SPACES.length + SPACES.indexOf(space);
}

function covers(ranges: readonly ClearedRange[], text: string): boolean {
  return ranges.some(
    ({ from, to }) => (from === undefined || text >= from) && (to === undefined || text < to),
  );
}

function holds(outer: ClearedRange, inner: ClearedRange): boolean {
  const isFromWithin =
    outer.from === undefined || (inner.from !== undefined && inner.from >= outer.from);
  const isToWithin = outer.to === undefined || (inner.to !== undefined && inner.to <= outer.to);
  return isFromWithin && isToWithin;
}
