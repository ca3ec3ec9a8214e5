import type { AnswerWait } from "../../core/model/answer-wait.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { AppliedPoint, StatePicture } from "./consensus-types.ts";
import type { SnapshotChunk, SnapshotReply } from "./peer-messages.ts";

/** Chunks on their way: enough to keep a link busy, few enough to take back. */
const WINDOW = 4;

/**
 * Sends one picture of the state to one follower (extended paper §7): in chunks, in the bulk lane,
 * not faster than the limit, and after an interruption from where the follower is.
 *
 * At first, and after a silence, one chunk is on its way, and one more with each that arrives: where the
 * link is only slow, what is sent again waits in the lane behind what was sent before, and would fill it.
 *
 * Invariants:
 * - `#cursors[i]` is where chunk `i` begins: a key each, so that it can be sent again from anywhere;
 * - `#wanted ≤ #next ≤ #wanted + WINDOW`, and `#next ≤ #count` once the end is known;
 * - `#sentOnceAtMs` has of `#wanted … #next − 1` those that were sent once.
 */
export class SnapshotSender {
  readonly #core: ConsensusCore;
  readonly #node: NodeId;
  readonly #id: number;
  readonly #point: AppliedPoint;
  readonly #picture: StatePicture;
  readonly #cursors: (Uint8Array | undefined)[] = [undefined];
  /** The first chunk that the follower has not confirmed. */
  #wanted = 0;
  /** The first that is to be sent. */
  #next = 0;
  /** Behind the last that was ever sent. */
  #sentEnd = 0;
  /** How many there are, once the last has been read. */
  #count = Number.POSITIVE_INFINITY;
  /** What the follower has last asked for; an old answer may have come late. */
  #askedFor = 0;
  #allowedBytes: number;
  #refilledAtMs: number;
  #window = 1;
  readonly #wait: AnswerWait;
  /** An answer to what is on its way has been waited for since. */
  #waitsSinceMs: number;
  /** An answer to what was sent twice does not tell how long answers take. */
  readonly #sentOnceAtMs = new Map<number, number>();

  /**
   * @param id names the picture among those of this leader.
   * @param wait of this follower, whatever picture it is sent: the link is the same.
   */
  constructor(
    core: ConsensusCore,
    node: NodeId,
    id: number,
    point: AppliedPoint,
    picture: StatePicture,
    wait: AnswerWait,
  ) {
    this.#core = core;
    this.#node = node;
    this.#id = id;
    this.#point = point;
    this.#picture = picture;
    this.#allowedBytes = core.options.limits.snapshotChunkBytes;
    this.#refilledAtMs = core.nowMs;
    this.#wait = wait;
    this.#waitsSinceMs = core.nowMs;
  }

  get index(): number {
    return this.#point.index;
  }

  get chunksConfirmed(): number {
    return this.#wanted;
  }

  /** False if the picture cannot be read any more: another one has to be taken. */
  pump(): boolean {
    this.#refill();
    try {
      while (
        this.#next < this.#count &&
        this.#next < this.#wanted + this.#window &&
        this.#allowedBytes > 0
      ) {
        this.#sendNext();
      }
    } catch {
      return false;
    }
    return true;
  }

  /** Sends again, from where the follower is, where it has answered nothing for too long. */
  tick(): boolean {
    const { nowMs } = this.#core;
    if (this.#next > this.#wanted && nowMs - this.#waitsSinceMs >= this.#wait.ms) {
      this.#wait.inVain();
      this.#goBack();
    }
    return this.pump();
  }

  /** The follower's process is another one now: it has nothing of what it was sent. */
  restart(): void {
    this.#askedFor = 0;
    this.#sentEnd = 0;
    this.#sentOnceAtMs.clear();
    this.#goBack();
  }

  /** True if the follower has all of it. */
  onReply(reply: SnapshotReply): boolean {
    if (reply.snapshot !== this.#id) return false;
    if (reply.installed) return true;
    // Something has come, be it what was sent twice: the link still carries what it was given.
    this.#waitsSinceMs = this.#core.nowMs;
    this.#picture.prolong?.();
    this.#askedFor = reply.next;
    const isNews = reply.next > this.#wanted && reply.next <= this.#cursors.length;
    if (isNews) this.#confirm(reply.next);
    return false;
  }

  close(): void {
    this.#picture.close();
  }

  #goBack(): void {
    this.#wanted = Math.min(this.#wanted, this.#askedFor);
    this.#next = this.#wanted;
    this.#window = 1;
  }

  #confirm(next: number): void {
    const sentAtMs = this.#sentOnceAtMs.get(next - 1);
    if (sentAtMs !== undefined) this.#wait.answered(this.#core.nowMs - sentAtMs);
    for (let number = this.#wanted; number < next; number++) this.#sentOnceAtMs.delete(number);
    this.#window = Math.min(WINDOW, this.#window + next - this.#wanted);
    this.#wanted = next;
    this.#next = Math.max(this.#next, next);
  }

  #sendNext(): void {
    const { snapshotChunkBytes } = this.#core.options.limits;
    const number = this.#next;
    const { chunk, next } = this.#picture.read(this.#cursors[number], snapshotChunkBytes);
    const last = next === undefined;
    const message: SnapshotChunk = {
      ...{ type: "snapshot-chunk", term: this.#core.term, snapshot: this.#id, number, last },
      ...{ point: this.#point, chunk },
    };
    // What is applied is committed: it does not depend on this node's disk.
    this.#core.sendAtOnce(this.#node, message, "bulk");
    this.#allowedBytes -= chunk.length;
    this.#noteSent(number);
    this.#next++;
    if (last) this.#count = this.#next;
    else this.#cursors[this.#next] = next;
  }

  #noteSent(number: number): void {
    const { nowMs } = this.#core;
    if (number === this.#wanted) this.#waitsSinceMs = nowMs;
    // Below the newest of all that were sent, it was sent before.
    if (number < this.#sentEnd) this.#sentOnceAtMs.delete(number);
    else {
      this.#sentEnd = number + 1;
      this.#sentOnceAtMs.set(number, nowMs);
    }
  }

  #refill(): void {
    const { nowMs, options } = this.#core;
    const { snapshotBytesPerSecond, snapshotChunkBytes } = options.limits;
    const more = ((nowMs - this.#refilledAtMs) / 1_000) * snapshotBytesPerSecond;
    this.#refilledAtMs = nowMs;
    this.#allowedBytes = Math.min(this.#allowedBytes + more, WINDOW * snapshotChunkBytes);
  }
}
