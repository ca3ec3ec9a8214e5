import sortedBtree from "sorted-btree";
import type { StateEntry, StateRange } from "../core/contracts/storage.ts";
import { keyText } from "../core/model/key-text.ts";

/** Node leaves a CommonJS module's default one level down; bundlers and test runners unwrap it. */
const BTree = "default" in sortedBtree ? sortedBtree.default : (sortedBtree as never);
type Tree = InstanceType<typeof BTree<string, Entry>>;

/** Wider nodes than the library's 32: flatter, and no slower to insert into. */
const MAX_NODE_SIZE = 64;

const NO_BYTES: Readonly<Uint8Array> = new Uint8Array(0);

interface Entry {
  readonly key: Uint8Array;
  value: Uint8Array;
  /** How many pictures had been taken when this entry was made: a later picture holds it. */
  readonly born: number;
}

/**
 * Ordered bytes → bytes with stable pictures. A hash table finds entries, a B+ tree orders the
 * same entries; a put over an existing key touches the hash table alone.
 *
 * Invariants
 * - `#byText` and `#tree` hold the same (text, entry) pairs.
 * - An entry that an open picture holds (`born < #taken`) is never changed, only replaced.
 * - A tree that an open picture holds (`#treeBorn < #taken`) is never changed: the pictures keep
 *   it, and this object goes on with a lazily copied clone.
 */
export class OrderedBytes {
  readonly #byText = new Map<string, Entry>();
  #tree: Tree = new BTree<string, Entry>(undefined, compareTexts, MAX_NODE_SIZE);
  #treeBorn = 0;
  #lastKey: Uint8Array | undefined;
  #lastText = "";
  #taken = 0;
  #open = 0;

  get size(): number {
    return this.#byText.size;
  }

  get(key: Uint8Array, text = this.#textOf(key)): Uint8Array | undefined {
    return this.#byText.get(text)?.value;
  }

  /** Answers the value that was there before. */
  set(key: Uint8Array, value: Uint8Array, text = this.#textOf(key)): Uint8Array | undefined {
    const known = this.#byText.get(text);
    const before = known?.value;
    if (known !== undefined && (this.#open === 0 || known.born === this.#taken)) {
      known.value = value;
      return before;
    }
    const entry: Entry = { key: known?.key ?? key, value, born: this.#taken };
    this.#detachPictures();
    this.#byText.set(text, entry);
    this.#tree.set(text, entry);
    return before;
  }

  delete(key: Uint8Array, text = keyText(key)): void {
    if (!this.#byText.delete(text)) return;
    this.#detachPictures();
    this.#tree.delete(text);
  }

  deleteRange(from: Uint8Array | undefined, to: Uint8Array | undefined): void {
    const bounds = boundsOf(this.#tree, from, to);
    if (bounds === undefined) return;
    const { low, high, includeHigh } = bounds;
    this.#detachPictures();
    this.#tree.forRange(low, high, includeHigh, (text) => void this.#byText.delete(text));
    this.#tree.deleteRange(low, high, includeHigh);
  }

  /** Close it: open pictures make puts dearer. */
  openPicture(): OrderedPicture {
    this.#taken += 1;
    this.#open += 1;
    return new OrderedPicture(this, this.#tree);
  }

  /** Called by the picture, once. */
  closePicture(): void {
    this.#open -= 1;
  }

  /** A write asks for the key that it is about to set: the same bytes object, twice in a row. */
  #textOf(key: Uint8Array): string {
    if (key !== this.#lastKey) {
      this.#lastKey = key;
      this.#lastText = keyText(key);
    }
    return this.#lastText;
  }

  #detachPictures(): void {
    if (this.#open === 0 || this.#treeBorn === this.#taken) return;
    this.#tree = this.#tree.clone();
    this.#treeBorn = this.#taken;
  }
}

/** What an `OrderedBytes` held when the picture was taken. */
export class OrderedPicture {
  readonly #source: OrderedBytes;
  #tree: Tree | undefined;

  constructor(source: OrderedBytes, tree: Tree) {
    this.#source = source;
    this.#tree = tree;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#tree?.get(keyText(key))?.value;
  }

  range(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries: number = Number.POSITIVE_INFINITY,
  ): StateRange {
    const entries: StateEntry[] = [];
    const tree = this.#tree;
    const bounds = tree && boundsOf(tree, from, to);
    if (bounds === undefined) return { entries, more: false };
    let bytes = 0;
    let more = false;
    tree?.forRange(bounds.low, bounds.high, bounds.includeHigh, (_text, { key, value }) => {
      bytes += key.length + value.length;
      more = entries.length > 0 && (bytes > limitBytes || entries.length >= limitEntries);
      if (more) return { break: entries.length };
      entries.push({ key, value });
      return undefined;
    });
    return { entries, more };
  }

  /** The same without a limit, one at a time; not to be gone on with once the picture is closed. */
  *walk(from: Uint8Array | undefined, to: Uint8Array | undefined): Generator<StateEntry> {
    const low = from === undefined ? "" : keyText(from);
    const end = to === undefined ? undefined : keyText(to);
    for (const [text, { key, value }] of this.#tree?.entries(low) ?? []) {
      if (end !== undefined && text >= end) return;
      yield { key, value };
    }
  }

  /** The same without a generator, and with the key's text at hand; before the first entry. */
  cursor(from: Uint8Array | undefined, to: Uint8Array | undefined): PictureCursor {
    const low = from === undefined ? "" : keyText(from);
    return new PictureCursor(
      this.#tree?.entries(low, []),
      to === undefined ? undefined : keyText(to),
    );
  }

  /** Lets go of what only this picture still held; reads of it are empty from now on. */
  close(): void {
    if (this.#tree === undefined) return;
    this.#tree = undefined;
    this.#source.closePicture();
  }
}

/** Goes from entry to entry of a picture, as long as it is open. */
export class PictureCursor {
  /** Undefined before the first entry and behind the last one. */
  text: string | undefined;
  key: Uint8Array = NO_BYTES;
  value: Uint8Array = NO_BYTES;
  readonly #entries: Iterator<readonly [string, StateEntry]> | undefined;
  readonly #end: string | undefined;

  constructor(
    entries: Iterator<readonly [string, StateEntry]> | undefined,
    end: string | undefined,
  ) {
    this.#entries = entries;
    this.#end = end;
  }

  advance(): void {
    const next = this.#entries?.next();
    if (next === undefined || next.done === true) {
      this.text = undefined;
      return;
    }
    const [text, { key, value }] = next.value;
    this.text = this.#end !== undefined && text >= this.#end ? undefined : text;
    this.key = key;
    this.value = value;
  }
}

/** `<` on strings is native; the library's own comparison first asks for types. */
function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Bounds {
  readonly low: string;
  readonly high: string;
  readonly includeHigh: boolean;
}

/** Half-open bounds in the tree's terms; undefined where nothing can lie between them. */
function boundsOf(
  tree: Tree,
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
): Bounds | undefined {
  const greatest = tree.maxKey();
  if (greatest === undefined) return undefined;
  const low = from === undefined ? "" : keyText(from);
  const high = to === undefined ? greatest : keyText(to);
  if (low > high) return undefined;
  return { low, high, includeHigh: to === undefined };
}
