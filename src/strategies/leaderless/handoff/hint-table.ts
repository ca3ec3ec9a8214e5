import type { Effects, StateReader } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";

/** A target's name has at most 255 bytes, and a key 1,024: together they fit a key of the state. */
const PREFIX = "hint";
/** Of all rows: what comes after the prefix's last letter. */
const END = Buffer.from("hinu");
const TIME_BYTES = 8;
const COUNT_BYTES = 256 * 1024;

/** One row: the target may lack what is held here under the key. */
export interface Hint {
  readonly row: Uint8Array;
  readonly key: Uint8Array;
  readonly sinceMs: number;
}

type RowWriter = Pick<Effects<never>, "getSide" | "putSide" | "deleteSide">;

/**
 * Which other replicas may lack what is held here, as rows of the shard's own records: `"hint",
 * length of the target's name, name, key` → since when, by the wall clock. They hold no values:
 * what is handed off is what is held when it is sent.
 *
 * A power cut may take the latest rows. Nothing depends on them: anti-entropy finds the same, and a
 * stand-in finds its copies' rows again as it reads its log back.
 */
export class HintTable {
  readonly #counts = new Map<NodeId, number>();

  /** At opening, before any write of the step. */
  load(state: Pick<StateReader, "rangeSide">): void {
    this.#counts.clear();
    let at: Uint8Array = Buffer.from(PREFIX);
    for (;;) {
      const rows = state.rangeSide(at, END, COUNT_BYTES);
      for (const { key } of rows) {
        const target = targetOf(key);
        this.#counts.set(target, this.count(target) + 1);
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
    let size = 0;
    for (const count of this.#counts.values()) size += count;
    return size;
  }

  has(target: NodeId, key: Uint8Array, effects: RowWriter): boolean {
    return effects.getSide(rowOf(target, key)) !== undefined;
  }

  /** False if it was there. */
  add(target: NodeId, key: Uint8Array, wallMs: number, effects: RowWriter): boolean {
    const row = rowOf(target, key);
    if (effects.getSide(row) !== undefined) return false;
    const value = Buffer.alloc(TIME_BYTES);
    value.writeDoubleBE(wallMs);
    effects.putSide(row, value);
    this.#counts.set(target, this.count(target) + 1);
    return true;
  }

  remove(target: NodeId, { row }: Hint, effects: RowWriter): void {
    if (effects.getSide(row) === undefined) return;
    effects.deleteSide(row);
    this.#counts.set(target, this.count(target) - 1);
  }

  /** The first rows of the target, before any write of the step. */
  first(
    target: NodeId,
    limitBytes: number,
    state: Pick<StateReader, "rangeSide">,
  ): readonly Hint[] {
    const { from, to } = spanOf(target);
    return state.rangeSide(from, to, limitBytes).map(({ key: row, value }) => ({
      row,
      key: row.subarray(from.length),
      sinceMs: Buffer.from(value.buffer, value.byteOffset, value.length).readDoubleBE(),
    }));
  }
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
