import type { Effects } from "../../../core/contracts/machine.ts";
import { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";

const NAME = "floors";
const FORMAT = 1;

export interface FloorValues {
  /** A promise: from now on no event with such a time or an earlier one begins here. */
  readonly fence: HybridTime;
  /** Every event up to here is known at all replicas; what is not held is stale. */
  readonly floor: HybridTime;
  /** Every replica has its floor up to here, durably: tombstones up to here may go. */
  readonly reapable: HybridTime;
  /** Above 0: what is held from below has to go first, before this replica learns from others. */
  readonly stripTo: HybridTime;
}

const NONE: FloorValues = Object.freeze({ fence: 0, floor: 0, reapable: 0, stripTo: 0 });

type Keeper = Pick<Effects<never>, "keep" | "kept">;

/**
 * What a replica has promised and what it knows to be settled, kept behind all the records that it
 * vouches for: a copy of this store that is older than a promise lacks the promise too.
 *
 * Invariant: `reapable ≤ floor ≤ fence`, but for a replica that is being rebuilt.
 */
export class Floors {
  #values: FloorValues = NONE;

  get values(): FloorValues {
    return this.#values;
  }

  load(effects: Keeper): void {
    const bytes = effects.kept(NAME);
    this.#values = bytes === undefined ? NONE : decode(bytes);
  }

  /** Durable before anything that this step says. */
  set(change: Partial<FloorValues>, effects: Keeper): void {
    const next = { ...this.#values, ...change };
    const names = Object.keys(NONE) as (keyof FloorValues)[];
    if (names.every((name) => next[name] === this.#values[name])) return;
    this.#values = next;
    effects.keep(NAME, encode(next));
  }
}

function encode({ fence, floor, reapable, stripTo }: FloorValues): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(FORMAT);
  for (const time of [fence, floor, reapable, stripTo]) writer.u64(time);
  return writer.copy();
}

function decode(bytes: Uint8Array): FloorValues {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT)
    throw new Error(`floors of format ${format}; this version knows ${FORMAT}`);
  const [fence, floor, reapable, stripTo] = [
    reader.u64(),
    reader.u64(),
    reader.u64(),
    reader.u64(),
  ];
  return { fence, floor, reapable, stripTo };
}
