import type { ReplicaContext } from "../../core/contracts/machine.ts";

/** The longest key, and its length. */
const KEY_BYTES = 1_026;
/** A message with it has to fit a frame of the transports, of which each has 16 MiB. */
const SENT_BYTES = 15 * 1024 * 1024;

/**
 * What one record of the log may hold, and one message. A node names no event beyond half of it; but where more than two
 * sides that knew nothing of each other meet, what they wrote may be more together. Met in the log it
 * would stop the node, and every other one: each side keeps its own instead, and reads show what they
 * ask for, until a write with their context takes its place.
 */
export class RecordBound {
  readonly #context: ReplicaContext;
  readonly #maxBytes: number;
  /** Records that were not taken. */
  refused = 0;

  constructor(context: ReplicaContext) {
    this.#context = context;
    this.#maxBytes = Math.min(context.maxRecordBytes ?? SENT_BYTES, SENT_BYTES);
  }

  /** False: it is not to be stored. */
  takes(record: Uint8Array): boolean {
    if (record.length + KEY_BYTES <= this.#maxBytes) return true;
    this.refused++;
    this.#context.count?.("records_too_large", 1);
    return false;
  }
}
