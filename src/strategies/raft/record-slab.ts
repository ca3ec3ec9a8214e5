import { ByteWriter } from "../../core/model/bytes.ts";
import { RECORD_HEAD_BYTES } from "./commands.ts";

const SLAB_BYTES = 64 * 1024;
/** Beside keys and values: identity, flags, lengths. */
const SPARE_BYTES = 512;

/**
 * Where a coordinator writes the records that it proposes, one behind another: memory of its own
 * for each would cost more than the writing. Entries of a log come and go in the order in which
 * they were made, so that a slab is let go with the last of its neighbours.
 */
export class RecordSlab {
  readonly #noHead = new Uint8Array(RECORD_HEAD_BYTES);
  #writer = new ByteWriter(SLAB_BYTES);
  /** Where the record under way begins; before it stand those that were taken. */
  #start = 0;

  /**
   * The writer of a record, with room for the leader's headers left in front. What was begun before
   * and not taken is given up.
   *
   * @param bytes about as many as will be written.
   */
  begin(bytes: number): ByteWriter {
    this.#writer.rewind(this.#start);
    const needed = RECORD_HEAD_BYTES + bytes + SPARE_BYTES;
    if (this.#start + needed > SLAB_BYTES) this.#beginSlab(needed);
    this.#writer.raw(this.#noHead);
    return this.#writer;
  }

  /** Of the record under way, without its head. */
  get bodyBytes(): number {
    return this.#writer.length - this.#start - RECORD_HEAD_BYTES;
  }

  /** The record is whoever's that gets it: nothing is written to its bytes any more. */
  take(): Uint8Array {
    const record = this.#writer.view(this.#start);
    this.#start = this.#writer.length;
    if (this.#start > SLAB_BYTES) this.#beginSlab(0);
    return record;
  }

  #beginSlab(needed: number): void {
    this.#writer = new ByteWriter(Math.max(SLAB_BYTES, needed));
    this.#start = 0;
  }
}
