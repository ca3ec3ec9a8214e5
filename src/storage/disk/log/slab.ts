const SLAB_BYTES = 256 * 1024;
const MAX_IDLE_SLABS = 8;

/** Memory that batches are encoded into, one behind the other. */
export class Slab {
  readonly bytes: Uint8Array;
  #used = 0;
  #unfinished = 0;

  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  get room(): number {
    return this.bytes.length - this.#used;
  }

  get isIdle(): boolean {
    return this.#unfinished === 0;
  }

  begin(): number {
    this.#unfinished += 1;
    return this.#used;
  }

  end(used: number): void {
    this.#used = used;
  }

  finish(): void {
    this.#unfinished -= 1;
  }

  reuse(): void {
    this.#used = 0;
  }
}

/** Slabs that are used again and again, so that a steady stream of batches allocates none. */
export class SlabPool {
  readonly #idle: Slab[] = [];
  #busy: Slab[] = [];

  /** A slab with room for at least `bytes`: the one in use, an idle one, or a new one. */
  take(bytes: number): Slab {
    const current = this.#busy.at(-1);
    if (current !== undefined && current.room >= bytes) return current;
    this.#collect();
    const idle = bytes <= SLAB_BYTES ? this.#idle.pop() : undefined;
    const slab = idle ?? new Slab(Math.max(bytes, SLAB_BYTES));
    this.#busy.push(slab);
    return slab;
  }

  /** Called now and then: slabs all of whose batches are written may be used again. */
  #collect(): void {
    const busy: Slab[] = [];
    for (const slab of this.#busy) {
      if (!slab.isIdle) busy.push(slab);
      else if (slab.bytes.length === SLAB_BYTES && this.#idle.length < MAX_IDLE_SLABS) {
        slab.reuse();
        this.#idle.push(slab);
      }
    }
    this.#busy = busy;
  }
}
