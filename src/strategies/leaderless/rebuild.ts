import type { Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { keyAfter } from "../../core/model/keys.ts";
import { majorityOf, rebuildSources } from "../../core/model/quorum.ts";
import type { HybridTime } from "../../core/model/stamp.ts";
import type { RangeMessage, RangePurpose, RangeReply } from "./messages.ts";
import { Patience } from "./patience.ts";

const CHUNK_BYTES = 64 * 1024;
const CHUNK_ENTRIES = 1_024;
const RETRY_MS = 100;
const LEAST_PAUSE_MS = 2;

/**
 * A source that was being rebuilt itself is streamed this often again, and this long after all have
 * been streamed: meanwhile it may have become one that counts.
 */
const EXTRA_ROUNDS = 3;
const ROUND_PAUSE_MS = 1_000;

/**
 * Why a rebuild may end: `enough` serving sources; `all-others`, whatever their state; or
 * `loss-accepted`, all that could be reached, and somebody has said that this has to do.
 */
export type RebuildOutcome = "enough" | "all-others" | "loss-accepted";

interface Source {
  readonly node: NodeId;
  identity: Sender | undefined;
  /** Stream from the first key that is not below this; undefined: from the beginning. */
  from: Uint8Array | undefined;
  done: boolean;
  /** The source said `serving` with every chunk so far. */
  serving: boolean;
  /** With which the chunk behind `from` is asked for. */
  readonly patience: Patience;
  roundsLeft: number;
  notBeforeMs: number;
  /** As the source had them at the first chunk: all that it streams is behind them. */
  floor: HybridTime | undefined;
  reapable: HybridTime;
}

type Stream = Omit<Source, "node" | "patience" | "roundsLeft" | "notBeforeMs">;

/**
 * What an emptied replica has streamed from whom.
 *
 * A write that was acknowledged was held by W replicas; one of them may have been this one, so W−1
 * others hold it at least. Any N − W + 1 of the other replicas (none of them rebuilding itself)
 * include one of those, because (N − 1) − (W − 1) = N − W others may lack it. W is the majority:
 * the smallest count that a promise of the strategy rests on. Writes acknowledged by fewer (`one`,
 * `two` of five) have no such promise.
 *
 * What was acknowledged at `local-quorum` is held by a majority of one datacenter alone: the same
 * has to hold among the replicas there.
 */
export class Rebuild {
  readonly #sources: readonly Source[];
  readonly #needed: number;
  readonly #near: readonly NodeId[];
  readonly #nearNeeded: number;
  readonly #startAtMs: number;
  readonly #purpose: RangePurpose;
  readonly #bytesPerSecond: number;
  readonly #nextRequestId: () => number;
  /** Nothing is asked for before this: what has come has used up the time until then. */
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #isWaitedFor: (node: NodeId) => boolean = () => true;
  entries = 0;
  /** Of records that have come. */
  bytes = 0;

  constructor(options: {
    readonly peers: readonly NodeId[];
    readonly replicas: number;
    /** Those of `peers` that are in this replica's datacenter. Default: all of them. */
    readonly near?: readonly NodeId[];
    readonly startAtMs: number;
    /** Instead of what the number of replicas asks for. */
    readonly needed?: number;
    /** Default: `rebuild`. */
    readonly purpose?: RangePurpose;
    /** Of all sources together. Default: as fast as they answer. */
    readonly bytesPerSecond?: number;
    /** Goes on from stream to stream: a late answer to an earlier one is of another run of keys. */
    readonly nextRequestId?: () => number;
  }) {
    let last = 0;
    this.#nextRequestId = options.nextRequestId ?? (() => ++last);
    this.#purpose = options.purpose ?? "rebuild";
    this.#bytesPerSecond = options.bytesPerSecond ?? Number.POSITIVE_INFINITY;
    this.#needed = options.needed ?? rebuildSources(options.replicas, majorityOf(options.replicas));
    this.#near = options.near ?? options.peers;
    const nearCount = this.#near.length + 1;
    this.#nearNeeded = Math.min(
      this.#near.length,
      options.needed ?? rebuildSources(nearCount, majorityOf(nearCount)),
    );
    this.#startAtMs = options.startAtMs;
    this.#sources = options.peers.map((node) => ({
      node,
      ...untouched(),
      patience: new Patience(),
      roundsLeft: EXTRA_ROUNDS,
      notBeforeMs: options.startAtMs,
    }));
  }

  /** A source that came back as somebody else has to be streamed from the beginning. */
  onIdentity(peer: Sender): void {
    const source = this.#sources.find((candidate) => candidate.node === peer.node);
    if (source === undefined || source.identity === undefined) return;
    const same =
      source.identity.storeId === peer.storeId && source.identity.incarnation === peer.incarnation;
    if (!same) beginAnew(source);
  }

  /** True if the chunk is the one that is awaited: its entries are to be merged. */
  onReply(from: Sender, reply: RangeReply, nowMs: number): boolean {
    const source = this.#sources.find((candidate) => candidate.node === from.node);
    if (source?.patience.awaits(reply.requestId) !== true) return false;
    this.onIdentity(from);
    if (!source.patience.isWaiting) return false;
    source.identity = from;
    source.patience.answered(reply.requestId, nowMs);
    source.serving = source.serving && reply.serving;
    if (source.floor === undefined) {
      source.floor = reply.floor;
      source.reapable = reply.reapable;
    }
    this.entries += reply.entries.length;
    const bytes = reply.entries.reduce((sum, { payload }) => sum + payload.length, 0);
    this.bytes += bytes;
    const pauseMs = (bytes * 1_000) / this.#bytesPerSecond;
    this.#pausedUntilMs = Math.max(nowMs, this.#pausedUntilMs) + pauseMs;
    const last = reply.entries.at(-1);
    if (last !== undefined) source.from = keyAfter(last.key);
    if (!reply.more) source.done = true;
    return true;
  }

  requests(
    nowMs: number,
    isReachable: (node: NodeId) => boolean,
  ): readonly { readonly node: NodeId; readonly message: RangeMessage }[] {
    const requests: { node: NodeId; message: RangeMessage }[] = [];
    if (nowMs < this.#pausedUntilMs) return requests;
    for (const source of this.#sources) {
      const { node, patience } = source;
      if (source.done || nowMs < source.notBeforeMs || !isReachable(node)) continue;
      if (!patience.isDue(nowMs)) continue;
      const requestId = this.#nextRequestId();
      patience.asked(requestId, nowMs);
      requests.push({ node, message: chunkRequest(requestId, source, this.#purpose) });
    }
    return requests;
  }

  retryMs(nowMs: number): number {
    if (nowMs < this.#pausedUntilMs) return Math.max(LEAST_PAUSE_MS, this.#pausedUntilMs - nowMs);
    return Math.max(RETRY_MS, this.#startAtMs - nowMs);
  }

  /** From here on, whoever cannot be reached is not waited for. */
  acceptLoss(isReachable: (node: NodeId) => boolean): void {
    this.#isWaitedFor = isReachable;
  }

  /**
   * Whether the rebuild ends, and why. Where all have been streamed and too few of them served, the
   * others get another round before their silence is taken for a loss.
   */
  settle(nowMs: number): RebuildOutcome | undefined {
    if (nowMs < this.#startAtMs) return undefined;
    const whole = this.#sources.filter((source) => source.done && source.serving);
    const near = whole.filter(({ node }) => this.#near.includes(node));
    if (whole.length >= this.#needed && near.length >= this.#nearNeeded) return "enough";
    const heard = this.#sources.filter(({ done, node }) => done || this.#isWaitedFor(node));
    if (!heard.every((source) => source.done)) return undefined;
    const again = heard.filter(
      ({ serving, roundsLeft, node }) => !serving && roundsLeft > 0 && this.#isWaitedFor(node),
    );
    for (const source of again) {
      beginAnew(source);
      source.roundsLeft--;
      source.notBeforeMs = nowMs + ROUND_PAUSE_MS;
    }
    if (again.length > 0) return undefined;
    return heard.length === this.#sources.length ? "all-others" : "loss-accepted";
  }

  /** What is settled, as the best of the sources knows it that were streamed as a whole. */
  get floors(): { readonly floor: HybridTime; readonly reapable: HybridTime } {
    const done = this.#sources.filter((source) => source.done);
    return {
      floor: Math.max(0, ...done.map((source) => source.floor ?? 0)),
      reapable: Math.max(0, ...done.map((source) => source.reapable)),
    };
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      needed: this.#needed,
      entries: this.entries,
      bytes: this.bytes,
      sources: this.#sources.map(({ node, done, serving }) => ({ node, done, serving })),
    };
  }
}

function untouched(): Stream {
  return {
    identity: undefined,
    from: undefined,
    done: false,
    serving: true,
    floor: undefined,
    reapable: 0,
  };
}

function beginAnew(source: Source): void {
  Object.assign(source, untouched());
  source.patience.forget();
}

function chunkRequest(requestId: number, { from }: Source, purpose: RangePurpose): RangeMessage {
  return {
    type: "range",
    requestId,
    purpose,
    from,
    to: undefined,
    limitBytes: CHUNK_BYTES,
    limitEntries: CHUNK_ENTRIES,
  };
}

/**
 * How long a replica that lost its state waits before it streams. An acknowledgement that its
 * lost self has given may still be counted by a coordinator whose write has not reached the other
 * replicas; after the longest write deadline no such write is pending any more, and the stream
 * sees all that was acknowledged.
 */
export function rebuildDelayMsOf(settings: Readonly<Record<string, unknown>>): number {
  const delay = settings.rebuildDelayMs;
  return typeof delay === "number" ? delay : 0;
}
