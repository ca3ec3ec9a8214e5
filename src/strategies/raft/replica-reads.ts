import type { NodeId } from "../../core/model/ids.ts";
import type { RangeMessage, ReadMessage, ReadWay } from "./client-messages.ts";
import type { ReadFailure } from "./consensus-types.ts";

/** A watch that begins here, and is in step once the state has what was acknowledged by then. */
export interface WaitingWatch {
  readonly watchToken: number;
  readonly sinceMs: number;
}

/** A read that a coordinator waits for. */
export interface WaitingRead {
  readonly node: NodeId;
  readonly message: ReadMessage | RangeMessage;
  /** As it is answered: a `lease` that does not hold is confirmed by a quorum. */
  readonly way: ReadWay;
  readonly sinceMs: number;
}

type Waiting = WaitingRead | WaitingWatch;

const MAX_TOKEN = 0xffff_ffff;
const MAX_WAITING = 65_536;
/** Longer than any deadline of a read that waits for its session; then nobody does. */
const PATIENCE_MS = 60_000;

/**
 * Reads on their way: first they gather until the consensus is asked, once for all of them, from
 * which index on they may be answered (thesis §6.4); then they wait until that much is applied.
 *
 * Invariant: a read is asked for only after it came, so that the index covers every write that was
 * acknowledged before.
 */
export class ReplicaReads {
  #gathering: Waiting[] = [];
  readonly #asked = new Map<number, readonly Waiting[]>();
  /** In the order of the index that they wait for. */
  #waiting: { readonly index: number; readonly read: Waiting }[] = [];
  #head = 0;
  #nextToken: number;
  #size = 0;

  /** @param firstToken anywhere, so that an answer to an earlier start meets nobody. */
  constructor(firstToken: number) {
    this.#nextToken = firstToken;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= MAX_WAITING;
  }

  /** Whether a read waits until some index is applied. */
  get isWaiting(): boolean {
    return this.#head < this.#waiting.length;
  }

  /** Waits for the index that the consensus will name. */
  gather(read: Waiting): void {
    this.#gathering.push(read);
    this.#size++;
  }

  /** Waits until `index` is applied. */
  waitFor(index: number, read: WaitingRead): void {
    this.#size++;
    this.#insert(index, read);
  }

  /** The token under which to ask for what has gathered; undefined if nothing has. */
  ask(): number | undefined {
    if (this.#gathering.length === 0) return undefined;
    const token = this.#nextToken;
    this.#nextToken = token >= MAX_TOKEN ? 1 : token + 1;
    this.#asked.set(token, this.#gathering);
    this.#gathering = [];
    return token;
  }

  confirmed(token: number, index: number): void {
    const reads = this.#asked.get(token);
    if (reads === undefined) return;
    this.#asked.delete(token);
    for (const read of reads) this.#insert(index, read);
  }

  /** Those who asked under the token, and no longer wait. */
  failed(token: number, _reason: ReadFailure): readonly Waiting[] {
    const reads = this.#asked.get(token) ?? [];
    this.#asked.delete(token);
    this.#size -= reads.length;
    return reads;
  }

  /** Whether a read waits that may be answered with the state at `appliedIndex`. */
  isReady(appliedIndex: number): boolean {
    const first = this.#waiting[this.#head];
    return first !== undefined && first.index <= appliedIndex;
  }

  /** The next such read, which waits no longer; undefined also where `mayAnswer` says not yet. */
  takeReady(appliedIndex: number, mayAnswer: (read: Waiting) => boolean): Waiting | undefined {
    const first = this.#waiting[this.#head];
    if (first === undefined || first.index > appliedIndex) return undefined;
    if (!mayAnswer(first.read)) return undefined;
    this.#size--;
    this.#head++;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
    return first.read;
  }

  /** Forgets whom nobody waits for any more. */
  forgetOld(nowMs: number): void {
    const waiting = this.#waiting.slice(this.#head);
    const kept = waiting.filter(({ read }) => nowMs - read.sinceMs < PATIENCE_MS);
    this.#size -= waiting.length - kept.length;
    this.#waiting = kept;
    this.#head = 0;
  }

  /** Nearly always at the end: indices are named in their order. */
  #insert(index: number, read: Waiting): void {
    let at = this.#waiting.length;
    while (at > this.#head && (this.#waiting[at - 1] as { index: number }).index > index) at--;
    if (at === this.#waiting.length) this.#waiting.push({ index, read });
    else this.#waiting.splice(at, 0, { index, read });
  }
}
