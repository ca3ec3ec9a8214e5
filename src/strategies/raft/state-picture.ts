import type { Effects, StateViewHandle } from "../../core/contracts/machine.ts";
import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { readPoint } from "./applied-point.ts";
import type { AppliedPoint, StatePicture } from "./consensus-types.ts";

/**
 * A shard's state as a snapshot (extended paper §7): everything in its `data`, in the order of the
 * keys, of one commit of the state store. It says itself where it stands.
 */
export class ShardPicture implements StatePicture {
  readonly point: AppliedPoint;
  readonly #view: StateViewHandle;

  private constructor(view: StateViewHandle, point: AppliedPoint) {
    this.#view = view;
    this.point = point;
  }

  /** Undefined while nothing is committed yet. */
  static maybeOpen(effects: Pick<Effects<unknown>, "openView">): ShardPicture | undefined {
    const view = effects.openView();
    const point = readPoint({ get: (key) => viewGet(view, key) });
    if (point !== undefined) return new ShardPicture(view, point);
    view.close();
    return undefined;
  }

  read(
    cursor: Uint8Array | undefined,
    limitBytes: number,
  ): { readonly chunk: Uint8Array; readonly next: Uint8Array | undefined } {
    const from = cursor === undefined ? undefined : directlyAfter(cursor);
    const { entries, more } = this.#view.range(from, undefined, limitBytes);
    const writer = new ByteWriter();
    for (const { key, value } of entries) {
      writer.u16(key.length);
      writer.raw(key);
      writer.bytes(value);
    }
    return { chunk: writer.copy(), next: more ? entries.at(-1)?.key : undefined };
  }

  prolong(): void {
    this.#view.prolong?.();
  }

  close(): void {
    this.#view.close();
  }
}

/** Takes a chunk of a picture apart. Throws `MalformedBytesError` if it is none. */
export function putChunk(
  chunk: Uint8Array,
  put: (key: Uint8Array, value: Uint8Array) => void,
): void {
  const reader = new ByteReader(chunk);
  while (reader.remaining > 0) {
    const key = new Uint8Array(reader.raw(reader.u16()));
    const value = new Uint8Array(reader.bytes());
    put(key, value);
  }
}

function viewGet(view: StateViewHandle, key: Uint8Array): Uint8Array | undefined {
  const found = view.range(key, directlyAfter(key), key.length, 1).entries[0];
  return found?.value;
}

/** The least key above `key`. */
export function directlyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
