import { LANES, type Lane } from "../core/contracts/transport.ts";

/** A frame that a clogged link holds. */
export interface HeldFrame {
  readonly lane: Lane;
  readonly bytes: number;
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
  readonly #maxHeldBytes: number;
  readonly #held: HeldFrame[] = [];
  readonly #heldBytes: Record<Lane, number> = { control: 0, log: 0, bulk: 0 };
  readonly #refused = new Set<Lane>();
  readonly #lastDueMs: Record<Lane, number> = { control: 0, log: 0, bulk: 0 };

  constructor(from: string, to: string, maxHeldBytes: number) {
    this.from = from;
    this.to = to;
    this.#maxHeldBytes = maxHeldBytes;
  }

  get heldBytes(): number {
    return LANES.reduce((bytes, lane) => bytes + this.#heldBytes[lane], 0);
  }

  /** False, and remembered, if the lane holds as much as it may. An empty lane takes any frame. */
  mayTake(lane: Lane, bytes: number): boolean {
    const held = this.#heldBytes[lane];
    if (held === 0 || held + bytes <= this.#maxHeldBytes) return true;
    this.#refused.add(lane);
    return false;
  }

  hold(frame: HeldFrame): void {
    this.#held.push(frame);
    this.#heldBytes[frame.lane] += frame.bytes;
  }

  /** All held frames, in their order, and the lanes that had refused one. */
  release(): { readonly frames: readonly HeldFrame[]; readonly writable: readonly Lane[] } {
    const frames = this.#held.splice(0);
    for (const lane of LANES) this.#heldBytes[lane] = 0;
    const writable = LANES.filter((lane) => this.#refused.has(lane));
    this.#refused.clear();
    return { frames, writable };
  }

  /** The connection is gone, and with it what it held. */
  reset(): void {
    this.release();
    for (const lane of LANES) this.#lastDueMs[lane] = 0;
  }

  /** When a frame of this lane arrives where no frame overtakes another. */
  inOrder(lane: Lane, dueMs: number): number {
    const inOrderMs = Math.max(dueMs, this.#lastDueMs[lane]);
    this.#lastDueMs[lane] = inOrderMs;
    return inOrderMs;
  }
}
