import type { MessageCodec } from "../../contracts/machine.ts";
import type { Lane } from "../../contracts/transport.ts";
import type { NodeId } from "../../model/ids.ts";
import type { MessageAddress, QueueResult } from "../seams.ts";
import type { FilteredTransport } from "./filtered-transport.ts";
import { type FrameLimits, LaneQueue, type SessionTags } from "./lane-queue.ts";

/** Of all that may wait, what is for bulk alone, and for bulk and the log together. */
const BULK_SHARE = 1 / 2;
const LOG_SHARE = 15 / 16;

/**
 * Everything that waits for one peer. Bound: over all lanes at most `maxQueuedBytes` wait, or one
 * message that is larger by itself. Repair, which can wait, leaves room for what somebody waits for, and
 * that leaves some for heartbeats and votes; but for one message of each lane, however large it is.
 */
export class Outbox {
  readonly #control: LaneQueue;
  readonly #log: LaneQueue;
  readonly #bulk: LaneQueue;
  readonly #maxQueuedBytes: number;
  #tags: SessionTags = { cluster: 0, sender: 0, receiver: 0 };
  /** Set by `add`, cleared by `flush`: the peer network keeps a list of those that need one. */
  dirty = false;

  constructor(wire: FilteredTransport, peer: NodeId, limits: FrameLimits, maxQueuedBytes: number) {
    this.#control = new LaneQueue(wire, peer, "control", limits);
    this.#log = new LaneQueue(wire, peer, "log", limits);
    this.#bulk = new LaneQueue(wire, peer, "bulk", limits);
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  get bytes(): number {
    return this.#control.bytes + this.#log.bytes + this.#bulk.bytes;
  }

  /** Another session: nothing that was meant for the one before is sent to it. */
  begin(tags: SessionTags): void {
    this.drop();
    this.#tags = tags;
  }

  add<Message>(
    lane: Lane,
    address: MessageAddress,
    codec: MessageCodec<Message>,
    message: Message,
  ): QueueResult {
    const queue = this.#queue(lane);
    const result = queue.add(this.#tags, this.#room(lane), address, codec, message);
    if (result === "queued") return result;
    // The bound may be reached by this turn's messages alone, which the transport would take.
    this.flush();
    return queue.add(this.#tags, this.#room(lane), address, codec, message);
  }

  /** One frame per lane that has something, control first. */
  flush(): void {
    this.#control.flush();
    this.#log.flush();
    this.#bulk.flush();
  }

  onWritable(lane: Lane): void {
    this.#queue(lane).onWritable();
  }

  /** As if every lane had become writable. */
  retry(): void {
    this.#control.onWritable();
    this.#log.onWritable();
    this.#bulk.onWritable();
  }

  drop(): void {
    this.#control.drop();
    this.#log.drop();
    this.#bulk.drop();
  }

  #room(lane: Lane): number {
    const most = this.#maxQueuedBytes;
    const { bytes } = this;
    if (bytes === 0) return Number.POSITIVE_INFINITY;
    const room = most - bytes;
    if (lane === "control" || this.#queue(lane).bytes === 0) return room;
    const bulk = this.#bulk.bytes;
    if (lane === "bulk") return Math.min(room, BULK_SHARE * most - bulk);
    return Math.min(room, LOG_SHARE * most - bulk - this.#log.bytes);
  }

  #queue(lane: Lane): LaneQueue {
    if (lane === "log") return this.#log;
    return lane === "control" ? this.#control : this.#bulk;
  }
}
