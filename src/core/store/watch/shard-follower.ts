import type { Sender } from "../../contracts/machine.ts";
import type { NodeId } from "../../model/ids.ts";
import type { CatchUps } from "./catch-ups.ts";
import type { ChangeFeed, FeedPage, FeedPosition, KeptChange } from "./change-feed.ts";
import { PAGE_BYTES } from "./feed-server.ts";
import type { PullMessage, WatchMessage } from "./watch-messages.ts";

/** Longer than a question may be kept waiting: then it, or its answer, was lost. */
const PATIENCE_MS = 2_500;
/** A node that could not tell is left alone for this long. */
const AVOID_MS = 500;

export interface FollowerPorts {
  readonly self: NodeId;
  /** Who may hold the shard, the likeliest first. */
  replicas(shardIndex: number): readonly NodeId[];
  isReachable(node: NodeId): boolean;
  /** The feed of a shard whose replica is here and serves. Wanted from now on. */
  servingFeed(shardIndex: number): ChangeFeed | undefined;
  /** Of the replicas that are here. */
  readonly catchUps: Pick<CatchUps, "next" | "has">;
  send(node: NodeId, shardIndex: number, message: WatchMessage): void;
}

export interface FollowerSink {
  event(shardIndex: number, event: KeptChange, position: FeedPosition): void;
  gap(shardIndex: number, reason: string, position: FeedPosition): void;
  moved(shardIndex: number, position: FeedPosition): void;
  /** All that was there when the watch began has been given. Once. */
  caughtUp(shardIndex: number): void;
}

export interface FollowedShard {
  readonly shardIndex: number;
  /** Names the watch in questions. */
  readonly watch: number;
  readonly prefix: Uint8Array | undefined;
  /** Undefined: from now on. */
  readonly from: FeedPosition | undefined;
  /** Why the beginning is missing, though the watch goes on from a cursor. */
  readonly gap: string | undefined;
}

/**
 * Follows one shard for one watch: the feed of this node's own replica where it serves, else that of
 * another node, which is asked page by page. A question carries where the watch stands, so that
 * lost, doubled and late answers cost time and nothing else. The source changes only when it fails.
 */
export class ShardFollower {
  readonly #shard: FollowedShard;
  readonly #ports: FollowerPorts;
  readonly #sink: FollowerSink;
  #position: FeedPosition | undefined;
  #gap: string | undefined;
  #source: NodeId | undefined;
  #asked: { readonly number: number; readonly atMs: number } | undefined;
  #number = 0;
  readonly #avoidUntilMs = new Map<NodeId, number>();
  #isCaughtUp = false;
  /** What this node's own replica has to have caught up with; undefined until it is looked at. */
  #needed: number | undefined;

  constructor(shard: FollowedShard, ports: FollowerPorts, sink: FollowerSink) {
    this.#shard = shard;
    this.#ports = ports;
    this.#sink = sink;
    this.#position = shard.from;
    this.#gap = shard.gap;
  }

  get isRemote(): boolean {
    return this.#source !== this.#ports.self;
  }

  /** Takes what there is at the source, or asks for it. Harmless at any time. */
  run(nowMs: number): void {
    const { self, isReachable } = this.#ports;
    const source = this.#source;
    if (source !== undefined && source !== self) {
      const isLate = this.#asked !== undefined && nowMs - this.#asked.atMs >= PATIENCE_MS;
      if (isLate || !isReachable(source)) this.#leave(source, nowMs);
    }
    this.#source ??= this.#choose(nowMs);
    if (this.#source === undefined) return;
    if (this.#source === self) this.#readHere(nowMs);
    else if (this.#asked === undefined) this.#ask(this.#source, nowMs);
  }

  onAnswer(from: NodeId, message: Exclude<WatchMessage, PullMessage>, nowMs: number): void {
    if (from !== this.#source || message.number !== this.#asked?.number) return;
    this.#asked = undefined;
    if (message.type === "page") this.#take(message.page, message.page.caughtUp);
    else this.#leave(from, nowMs);
    this.run(nowMs);
  }

  /** The one whose order the position stands in, then this node, then the others. */
  #choose(nowMs: number): NodeId | undefined {
    const { self, replicas, isReachable, servingFeed } = this.#ports;
    const { shardIndex } = this.#shard;
    const holders = replicas(shardIndex);
    const teller = tellerOf(this.#position);
    const wanted = [holders.find((node) => node === teller), self, ...holders];
    return wanted.find((node) => {
      if (node === undefined || !holders.includes(node)) return false;
      if (node === self) return servingFeed(shardIndex) !== undefined;
      return isReachable(node) && (this.#avoidUntilMs.get(node) ?? 0) <= nowMs;
    });
  }

  #leave(source: NodeId, nowMs: number): void {
    this.#avoidUntilMs.set(source, nowMs + AVOID_MS);
    this.#source = undefined;
    this.#asked = undefined;
  }

  #readHere(nowMs: number): void {
    const { shardIndex, prefix } = this.#shard;
    // Looked at before the pages are read: they have whatever the replica had caught up with.
    const isNewest = this.#isCaughtUp || this.#hasCaughtUp(nowMs);
    for (;;) {
      const page = this.#ports.servingFeed(shardIndex)?.read(this.#position, prefix, PAGE_BYTES);
      if (page === undefined) {
        // It is fenced, or being rebuilt: another one serves meanwhile.
        this.#source = undefined;
        this.#source = this.#choose(nowMs);
        if (this.#source !== undefined && this.#source !== this.#ports.self) {
          this.#ask(this.#source, nowMs);
        }
        return;
      }
      this.#take(page, page.caughtUp && isNewest);
      if (!page.more) return;
    }
  }

  #hasCaughtUp(nowMs: number): boolean {
    const { shardIndex } = this.#shard;
    const { catchUps, servingFeed } = this.#ports;
    if (servingFeed(shardIndex) === undefined) return false;
    this.#needed ??= catchUps.next(shardIndex);
    return catchUps.has(shardIndex, this.#needed, nowMs);
  }

  #ask(source: NodeId, nowMs: number): void {
    const { shardIndex, watch, prefix } = this.#shard;
    const number = ++this.#number;
    this.#asked = { number, atMs: nowMs };
    const pull = { type: "pull", watch, number, prefix } as const;
    const wait = this.#isCaughtUp;
    this.#ports.send(source, shardIndex, { ...pull, wait, from: this.#position });
  }

  #take(page: FeedPage, caughtUp: boolean): void {
    const { shardIndex } = this.#shard;
    const { position, events } = page;
    const gap = this.#gap ?? page.gap;
    this.#gap = undefined;
    if (gap !== undefined) this.#sink.gap(shardIndex, gap, position);
    for (const event of events) {
      const { sequence, offset } = event;
      this.#sink.event(shardIndex, event, { order: position.order, sequence, offset });
    }
    this.#position = position;
    this.#sink.moved(shardIndex, position);
    if (!caughtUp || this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    this.#sink.caughtUp(shardIndex);
  }
}

/** The node whose own order it is: see `ownOrderOf`. */
function tellerOf(position: FeedPosition | undefined): string | undefined {
  const at = position?.order.lastIndexOf("@") ?? -1;
  return at > 0 ? position?.order.slice(0, at) : undefined;
}

/**
 * Names the changes of one replica between two openings. In memory a store counts its incarnations
 * from the beginning each time, and only its id is new.
 */
export function ownOrderOf({ node, storeId, incarnation }: Sender, openings: number): string {
  return `${node}@${incarnation}.${openings}.${storeId.slice(0, 8)}`;
}
