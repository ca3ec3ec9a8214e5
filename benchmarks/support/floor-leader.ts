import type { FloorLink } from "./floor-link.ts";
import { SyncLog } from "./sync-log.ts";

/** What a put of the `tunable` group puts on the wire for each replica, about. */
export const RECORD_BYTES = 160;
const LENGTH_BYTES = 4;
const SLAB_BYTES = 1024 * 1024;
const RECORD = Buffer.alloc(LENGTH_BYTES + RECORD_BYTES, 7);
RECORD.writeUInt32BE(RECORD_BYTES, 0);

/**
 * A leader that sends records of one size to two followers. Whatever waits at the end of a turn
 * leaves in one write; acknowledgements are cumulative; an operation has ended when two of the
 * three have it, with a log: durably. Nothing is encoded, stored for reading, or checked.
 */
export class FloorLeader {
  readonly #links: readonly FloorLink[];
  readonly #log: SyncLog | undefined;
  readonly #waiting: (() => void)[] = [];
  #head = 0;
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  // Bytes from `start` to `length` wait; what lies before may still be with the links.
  #start = 0;
  #length = 0;
  #batch = 0;
  #sent = 0;
  #ended = 0;
  #own = 0;
  readonly #counts = [0, 0];
  readonly #flush = (): void => this.#flushNow();

  constructor(links: readonly FloorLink[], logPath: string | undefined) {
    this.#links = links;
    this.#log =
      logPath === undefined
        ? undefined
        : new SyncLog(logPath, (records) => {
            this.#own = records;
            this.#settle();
          });
    for (const [at, link] of links.entries()) this.#hear(at, link);
  }

  start(done: () => void): void {
    this.#waiting.push(done);
    if (this.#length + RECORD.length > this.#slab.length) {
      this.#flushNow();
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#start = 0;
      this.#length = 0;
    }
    this.#slab.set(RECORD, this.#length);
    this.#length += RECORD.length;
    this.#batch++;
    if (this.#batch === 1) process.nextTick(this.#flush);
  }

  #flushNow(): void {
    if (this.#batch === 0) return;
    const bytes = this.#slab.subarray(this.#start, this.#length);
    this.#start = this.#length;
    this.#sent += this.#batch;
    for (const link of this.#links) link.send(bytes);
    if (this.#log === undefined) this.#own = this.#sent;
    else this.#log.append(bytes, this.#batch);
    this.#batch = 0;
  }

  #hear(at: number, link: FloorLink): void {
    let rest: Buffer = Buffer.alloc(0);
    link.onBytes((chunk) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % LENGTH_BYTES);
      rest = bytes.subarray(whole);
      if (whole === 0) return;
      this.#counts[at] = bytes.readUInt32BE(whole - LENGTH_BYTES);
      this.#settle();
    });
  }

  /** The second greatest of the three counts: that many records are at two of three. */
  #settle(): void {
    const [first = 0, second = 0] = this.#counts;
    const own = this.#own;
    const reached = Math.max(
      Math.min(first, second),
      Math.min(own, first > second ? first : second),
    );
    while (this.#ended < reached) {
      this.#ended++;
      const done = this.#waiting[this.#head++];
      if (this.#head === this.#waiting.length) {
        this.#waiting.length = 0;
        this.#head = 0;
      }
      done?.();
    }
  }
}
