import type { NodeId } from "../../core/model/ids.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { AppliedPoint, StatePicture } from "./consensus-types.ts";
import type { SnapshotChunk, SnapshotReply } from "./peer-messages.ts";

/** Chunks on their way: enough to keep a link busy, few enough to take back. */
const WINDOW = 4;
/** Without news for so long what is on its way is taken for lost. */
const RESEND_HEARTBEATS = 5;

/**
 * Sends one picture of the state to one follower (extended paper §7): in chunks, in the bulk lane,
 * not faster than the limit, and after an interruption from where the follower is.
 *
 * Invariants:
 * - `#cursors[i]` is where chunk `i` begins: a key each, so that it can be sent again from anywhere;
 * - `#wanted ≤ #next ≤ #wanted + WINDOW`, and `#next ≤ #count` once the end is known.
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
  /** How many there are, once the last has been read. */
  #count = Number.POSITIVE_INFINITY;
  /** What the follower has last asked for; an old answer may have come late. */
  #askedFor = 0;
  #allowedBytes: number;
  #refilledAtMs: number;
  #progressedAtMs: number;

  /** @param id names the picture among those of this leader. */
  constructor(
    core: ConsensusCore,
    node: NodeId,
    id: number,
    point: AppliedPoint,
    picture: StatePicture,
  ) {
    this.#core = core;
    this.#node = node;
    this.#id = id;
    this.#point = point;
    this.#picture = picture;
    this.#allowedBytes = core.options.limits.snapshotChunkBytes;
    this.#refilledAtMs = core.nowMs;
    this.#progressedAtMs = core.nowMs;
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
        this.#next < this.#wanted + WINDOW &&
        this.#allowedBytes > 0
      ) {
        this.#sendNext();
      }
    } catch {
      return false;
    }
    return true;
  }

  /** Sends again, from where the follower is, what has brought no news for too long. */
  tick(): boolean {
    const { nowMs, options } = this.#core;
    if (nowMs - this.#progressedAtMs >= RESEND_HEARTBEATS * options.timing.heartbeatMs) {
      this.#progressedAtMs = nowMs;
      this.#wanted = Math.min(this.#wanted, this.#askedFor);
      this.#next = this.#wanted;
    }
    return this.pump();
  }

  /** True if the follower has all of it. */
  onReply(reply: SnapshotReply): boolean {
    if (reply.snapshot !== this.#id) return false;
    if (reply.installed) return true;
    this.#askedFor = reply.next;
    if (reply.next > this.#wanted && reply.next <= this.#cursors.length) {
      this.#wanted = reply.next;
      this.#next = Math.max(this.#next, this.#wanted);
      this.#progressedAtMs = this.#core.nowMs;
      this.#picture.prolong?.();
    }
    return false;
  }

  close(): void {
    this.#picture.close();
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
    this.#next++;
    if (last) this.#count = this.#next;
    else this.#cursors[this.#next] = next;
  }

  #refill(): void {
    const { nowMs, options } = this.#core;
    const { snapshotBytesPerSecond, snapshotChunkBytes } = options.limits;
    const more = ((nowMs - this.#refilledAtMs) / 1_000) * snapshotBytesPerSecond;
    this.#refilledAtMs = nowMs;
    this.#allowedBytes = Math.min(this.#allowedBytes + more, WINDOW * snapshotChunkBytes);
  }
}
