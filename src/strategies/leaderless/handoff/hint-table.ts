import type { Effects, StateReader } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";

/** A target's name has at most 255 bytes, and a key 1,024: together they fit a key of the state. */
const PREFIX = "hint";
/** Of all rows: what comes after the prefix's last letter. */
const END = Buffer.from("hinu");
const TIME_BYTES = 8;
const VALUE_BYTES = TIME_BYTES + 4;
const COUNT_BYTES = 256 * 1024;

/** One row: the target may lack what is held here under the key. */
export interface Hint {
  readonly row: Uint8Array;
  readonly key: Uint8Array;
  readonly sinceMs: number;
  /** What is here under the key is here for the targets alone. */
  readonly isCopy: boolean;
}

type RowWriter = Pick<Effects<never>, "getSide" | "putSide" | "deleteSide">;

/**
 * Which other replicas may lack what is held here, as rows of the shard's own records: `"hint",
 * length of the target's name, name, key` → since when, by the wall clock, and the bytes of the copy
 * that is here for it alone. They hold no values: what is handed off is what is held when it is sent.
 *
 * A power cut may take the latest rows. Nothing depends on them: anti-entropy finds the same, and a
 * stand-in finds its copies' rows again as it reads its log back.
 */
export class HintTable {
  readonly #counts = new Map<NodeId, number>();
  readonly #copyBytes = new Map<NodeId, number>();

  /** At opening, before any write of the step. */
  load(state: Pick<StateReader, "rangeSide">): void {
    this.#counts.clear();
    this.#copyBytes.clear();
    let at: Uint8Array = Buffer.from(PREFIX);
    for (;;) {
      const rows = state.rangeSide(at, END, COUNT_BYTES);
      for (const { key, value } of rows) {
        const target = targetOf(key);
        this.#counts.set(target, this.count(target) + 1);
        this.#weigh(target, copyBytesOf(value));
      }
      const last = rows.at(-1)?.key;
      if (last === undefined) return;
      at = Buffer.concat([last, Buffer.of(0)]);
    }
  }

  /** Whom there are hints for. */
  get targets(): readonly NodeId[] {
    return [...this.#counts.keys()].filter((target) => this.count(target) > 0);
  }

  count(target: NodeId): number {
    return this.#counts.get(target) ?? 0;
  }

  get size(): number {
    return sumOf(this.#counts);
  }

  /** Of the copies that are here for others, once for each target that has not acknowledged. */
  get copyBytes(): number {
    return sumOf(this.#copyBytes);
  }

  /** Of the copies that are here for this target. */
  copyBytesFor(target: NodeId): number {
    return this.#copyBytes.get(target) ?? 0;
  }

  has(target: NodeId, key: Uint8Array, effects: RowWriter): boolean {
    return effects.getSide(rowOf(target, key)) !== undefined;
  }

  /**
   * False if it was there. `copyBytes`: of the copy, where nobody but the hint has a use for it. The hint
   * of a copy stays one.
   */
  add(target: NodeId, key: Uint8Array, wallMs: number, effects: RowWriter, copyBytes = 0): boolean {
    const row = rowOf(target, key);
    const before = effects.getSide(row);
    const bytesBefore = before === undefined ? 0 : copyBytesOf(before);
    if (before !== undefined && (copyBytes === 0 || bytesBefore === copyBytes)) return false;
    this.#weigh(target, copyBytes - bytesBefore);
    const sinceMs = before === undefined ? wallMs : sinceMsOf(before);
    effects.putSide(row, valueOfRow(sinceMs, copyBytes));
    if (before !== undefined) return false;
    this.#counts.set(target, this.count(target) + 1);
    return true;
  }

  remove(target: NodeId, { row }: Hint, effects: RowWriter): void {
    const value = effects.getSide(row);
    if (value === undefined) return;
    this.#weigh(target, -copyBytesOf(value));
    effects.deleteSide(row);
    this.#counts.set(target, this.count(target) - 1);
  }

  /** The first rows of the target, or the first behind a row, before any write of the step. */
  first(
    target: NodeId,
    limitBytes: number,
    state: Pick<StateReader, "rangeSide">,
    behind?: Uint8Array,
  ): readonly Hint[] {
    const { from, to } = spanOf(target);
    const at = behind === undefined ? from : Buffer.concat([behind, Buffer.of(0)]);
    return state.rangeSide(at, to, limitBytes).map(({ key: row, value }) => ({
      row,
      key: row.subarray(from.length),
      sinceMs: sinceMsOf(value),
      isCopy: isCopyRow(value),
    }));
  }

  #weigh(target: NodeId, bytes: number): void {
    this.#copyBytes.set(target, this.copyBytesFor(target) + bytes);
  }
}

function sumOf(byTarget: ReadonlyMap<NodeId, number>): number {
  let sum = 0;
  for (const one of byTarget.values()) sum += one;
  return sum;
}

/** Of the rows of a shard's own records, those that are hints, for whoever looks at them from outside. */
export function hintRowsIn(
  rows: Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>,
): readonly { readonly target: NodeId; readonly key: Uint8Array; readonly copyBytes: number }[] {
  return [...rows]
    .filter(
      ({ key }) => Buffer.compare(key, Buffer.from(PREFIX)) > 0 && Buffer.compare(key, END) < 0,
    )
    .map(({ key: row, value }) => {
      const target = targetOf(row);
      const key = row.subarray(PREFIX.length + 1 + (row[PREFIX.length] as number));
      return { target, key, copyBytes: copyBytesOf(value) };
    });
}

function valueOfRow(sinceMs: number, copyBytes: number): Uint8Array {
  const value = Buffer.alloc(VALUE_BYTES);
  value.writeDoubleBE(sinceMs);
  value.writeUInt32BE(copyBytes, TIME_BYTES);
  return value;
}

function sinceMsOf(value: Uint8Array): number {
  return viewOf(value).readDoubleBE();
}

/** Rows of before copies were measured end with the time. */
function copyBytesOf(value: Uint8Array): number {
  return value.length < VALUE_BYTES ? 0 : viewOf(value).readUInt32BE(TIME_BYTES);
}

/** Of rows of before copies were measured nobody knows. */
function isCopyRow(value: Uint8Array): boolean {
  return value.length < VALUE_BYTES || copyBytesOf(value) > 0;
}

function viewOf(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.length);
}

function rowOf(target: NodeId, key: Uint8Array): Uint8Array {
  return Buffer.concat([spanOf(target).from, key]);
}

function targetOf(row: Uint8Array): NodeId {
  const begin = PREFIX.length + 1;
  const name = row.subarray(begin, begin + (row[PREFIX.length] as number));
  return Buffer.from(name).toString("utf8") as NodeId;
}

/** All rows of a target: its prefix, up to the prefix of one that is as long and comes next. */
function spanOf(target: NodeId): { readonly from: Uint8Array; readonly to: Uint8Array } {
  const name = Buffer.from(target, "utf8");
  const from = Buffer.concat([Buffer.from(PREFIX), Buffer.of(name.length), name]);
  const to = Buffer.from(from);
  // Names are text: no byte of them is 255, so that the last one can be counted up.
  to[to.length - 1] = (to.at(-1) as number) + 1;
  return { from, to };
}
