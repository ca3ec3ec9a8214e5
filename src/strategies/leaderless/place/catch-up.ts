import type { Effects, ReplicaContext, Sender } from "../../../core/contracts/machine.ts";
import type { LeaderlessMessage, RangeReply } from "../messages.ts";
import { Rebuild, rebuildDelayMsOf } from "../rebuild.ts";
import type { RepairSettings } from "../repair-settings.ts";
import { RequestNumbers } from "../request-numbers.ts";
import { atEpoch } from "./place-messages.ts";
import type { ReplicaPlace } from "./replica-place.ts";
import { learnedFrom, learnersOf, type PromisedLevels } from "./shard-map.ts";

const TIMER = "place-stream";
const PROGRESS_MS = 1_000;

type Fx = Effects<LeaderlessMessage>;

/**
 * Brings a copy to all that a pending change asks of it: it streams the shard from the old replicas,
 * throttled, from each one only once that has the pending map. What such a source acknowledged for
 * the epoch before is in its stream then, and it acknowledges no more of it: of any `w` that
 * acknowledged a write, `n − w + 1` sources include one.
 */
export class CatchUp {
  readonly #context: ReplicaContext;
  readonly #settings: RepairSettings;
  readonly #place: ReplicaPlace;
  #stream: Rebuild | undefined;
  /**
   * This copy was lost: what its old self acknowledged may not have reached those it streams from
   * yet, and counts as long as the longest deadline of a write.
   */
  wasLost = false;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  readonly #numbers: RequestNumbers;

  constructor(context: ReplicaContext, settings: RepairSettings, place: ReplicaPlace) {
    this.#context = context;
    this.#numbers = new RequestNumbers(context);
    this.#settings = settings;
    this.#place = place;
  }

  /** Begins, goes on or ends as the map says. */
  review(nowMs: number, effects: Fx): void {
    const { map, isReady } = this.#place;
    const self = this.#context.self.node;
    const { replicas, pending } = map;
    const levels = this.#context.settings as unknown as PromisedLevels;
    const mustLearn =
      !isReady && pending !== undefined && learnersOf(replicas, pending, levels).includes(self);
    if (this.#stream !== undefined) effects.cancelTimer(TIMER);
    this.#stream = undefined;
    if (!mustLearn) return;
    const peers = replicas.filter((node) => node !== self);
    const own = peers.length < replicas.length ? 1 : 0;
    const needed = learnedFrom(replicas.length, levels) - own;
    if (needed <= 0) {
      this.#place.ready(effects);
      return;
    }
    this.#stream = new Rebuild({
      peers,
      replicas: replicas.length,
      needed,
      startAtMs: this.wasLost ? nowMs + rebuildDelayMsOf(this.#context.settings) : nowMs,
      purpose: "move",
      bytesPerSecond: this.#settings.bytesPerSecond,
      nextRequestId: () => this.#numbers.next(),
    });
    const { shardIndex: shard } = this.#context;
    effects.emit({ type: "move-started", shard, epoch: map.epoch, from: replicas });
    this.#advance(nowMs, effects);
  }

  onIdentity(peer: Sender): void {
    this.#stream?.onIdentity(peer);
  }

  /** False: the timer is another's. */
  onTimer(timer: string, nowMs: number, effects: Fx): boolean {
    if (timer !== TIMER) return false;
    this.#advance(nowMs, effects);
    return true;
  }

  /** True if the entries are to be merged; `advance` comes after that. */
  takes(from: Sender, reply: RangeReply, nowMs: number): boolean {
    return this.#stream?.onReply(from, reply, nowMs) === true;
  }

  advance(nowMs: number, effects: Fx): void {
    if (this.#stream !== undefined && nowMs - this.#toldAtMs >= PROGRESS_MS) {
      this.#toldAtMs = nowMs;
      const { entries, bytes } = this.#stream;
      const { shardIndex: shard } = this.#context;
      effects.emit({ type: "move-progress", shard, epoch: this.#place.map.epoch, entries, bytes });
    }
    this.#advance(nowMs, effects);
  }

  describe(): Readonly<Record<string, unknown>> | undefined {
    return this.#stream?.describe();
  }

  #advance(nowMs: number, effects: Fx): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const end = stream.settle(nowMs);
    const { shardIndex: shard } = this.#context;
    if (end !== undefined) {
      this.#stream = undefined;
      effects.cancelTimer(TIMER);
      this.#place.ready(effects);
      const { entries, bytes } = stream;
      const { epoch } = this.#place.map;
      effects.emit({ type: "move-streamed", shard, epoch, entries, bytes });
      if (end === "all-others") effects.emit({ type: "writes-may-be-lost", shard });
      return;
    }
    for (const { node, message } of stream.requests(nowMs, this.#context.isReachable)) {
      effects.send(node, "replica", shard, atEpoch(this.#place.map, message), "bulk");
    }
    effects.setTimer(TIMER, stream.retryMs(nowMs));
  }
}
