import { LANES, type Lane } from "../core/contracts/transport.ts";

/** A frame that a clogged link holds. */
export interface HeldFrame {
  readonly deliver: () => void;
}

/** One direction between two nodes. */
export class SimLink {
  readonly from: string;
  readonly to: string;
  /** Nothing passes, and nobody is told. */
  isCut = false;
  /** Frames wait until it is clear again. */
  isClogged = false;
  /** What a lane carries in a millisecond here, where that is less than elsewhere. */
  bytesPerMs = Number.POSITIVE_INFINITY;
  readonly #maxHeldBytes: number;
  readonly #held: HeldFrame[] = [];
  /** Of frames that are held or on their way. */
  readonly #heldBytes: Record<Lane, number> = { control: 0, log: 0, bulk: 0 };
  /** Another one with each connection: what an earlier one carried is nothing to the next. */
  #connection = 0;
  readonly #refused = new Set<Lane>();
  readonly #busyUntilMs: Record<Lane, number> = { control: 0, log: 0, bulk: 0 };
  readonly #lastDueMs: Record<Lane, number> = { control: 0, log: 0, bulk: 0 };

  constructor(from: string, to: string, maxHeldBytes: number) {
    this.from = from;
    this.to = to;
    this.#maxHeldBytes = maxHeldBytes;
  }

  get heldBytes(): number {
    return LANES.reduce((bytes, lane) => bytes + this.#heldBytes[lane], 0);
  }

  get connection(): number {
    return this.#connection;
  }

  /** False, and remembered, if the lane holds as much as it may. An empty lane takes any frame. */
  mayTake(lane: Lane, bytes: number): boolean {
    const held = this.#heldBytes[lane];
    if (held === 0 || held + bytes <= this.#maxHeldBytes) return true;
    this.#refused.add(lane);
    return false;
  }

  /** A frame was taken, and is under way from now on. */
  took(lane: Lane, bytes: number): void {
    this.#heldBytes[lane] += bytes;
  }

  /**
   * The frame has arrived, or is lost. True if the lane had refused one and takes some again: its
   * sender is to be told.
   */
  landed(lane: Lane, bytes: number, connection: number): boolean {
    if (connection !== this.#connection) return false;
    this.#heldBytes[lane] -= bytes;
    if (this.#heldBytes[lane] * 2 > this.#maxHeldBytes) return false;
    return this.#refused.delete(lane);
  }

  hold(frame: HeldFrame): void {
    this.#held.push(frame);
  }

  /** All held frames, in their order: they go on. */
  release(): readonly HeldFrame[] {
    return this.#held.splice(0);
  }

  /** The connection is gone, and with it what it held. */
  reset(): void {
    this.#held.length = 0;
    this.#refused.clear();
    this.#connection += 1;
    for (const lane of LANES) {
      this.#heldBytes[lane] = 0;
      this.#lastDueMs[lane] = 0;
      this.#busyUntilMs[lane] = 0;
    }
  }

  /** When the last byte of a frame has left, which begins to leave once those before it have. */
  leavesAt(lane: Lane, nowMs: number, durationMs: number): number {
    const untilMs = Math.max(nowMs, this.#busyUntilMs[lane]) + durationMs;
    this.#busyUntilMs[lane] = untilMs;
    return untilMs;
  }

  /** When a frame of this lane arrives where no frame overtakes another. */
  inOrder(lane: Lane, dueMs: number): number {
    const inOrderMs = Math.max(dueMs, this.#lastDueMs[lane]);
    this.#lastDueMs[lane] = inOrderMs;
    return inOrderMs;
  }
}
