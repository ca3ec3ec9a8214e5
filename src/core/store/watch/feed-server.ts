import type { NodeId } from "../../model/ids.ts";
import type { ChangeFeed, FeedPage, FeedPosition } from "./change-feed.ts";
import type { PullMessage, WatchMessage } from "./watch-messages.ts";

/** A question without an answer is answered after this, with how far the feed was looked through. */
const LONGEST_WAIT_MS = 1_000;
const MAX_WAITING = 4_096;
/** Of events in one answer, beyond the first: a page keeps nobody else's words waiting. */
export const PAGE_BYTES = 48 * 1024;

export interface FeedServerPorts {
  /** The feed of a shard whose replica is here and serves. Wanted from now on. */
  servingFeed(shardIndex: number): ChangeFeed | undefined;
  send(node: NodeId, shardIndex: number, message: WatchMessage): void;
}

interface Waiting {
  readonly node: NodeId;
  readonly pull: PullMessage;
  readonly untilMs: number;
  /** What lay before it was of no interest. */
  from: FeedPosition;
}

/**
 * Answers other nodes' questions for this node's changes: at once where there is something to say,
 * else when there is, or in the end. It keeps nothing that the next question would not bring again.
 */
export class FeedServer {
  readonly #ports: FeedServerPorts;
  readonly #waiting = new Map<number, Map<string, Waiting>>();
  #count = 0;

  constructor(ports: FeedServerPorts) {
    this.#ports = ports;
  }

  get isIdle(): boolean {
    return this.#count === 0;
  }

  onPull(node: NodeId, shardIndex: number, pull: PullMessage, nowMs: number): void {
    const { watch, number } = pull;
    // A question that comes again takes the place of the one before.
    this.#drop(shardIndex, waiterOf(node, watch));
    const page = this.#ports.servingFeed(shardIndex)?.read(pull.from, pull.prefix, PAGE_BYTES);
    const mayWait = page !== undefined && isNothing(page, pull);
    if (page === undefined || (mayWait && this.#count >= MAX_WAITING)) {
      this.#ports.send(node, shardIndex, { type: "refusal", watch, number });
      return;
    }
    if (!mayWait) {
      this.#ports.send(node, shardIndex, { type: "page", watch, number, page });
      return;
    }
    const untilMs = nowMs + LONGEST_WAIT_MS;
    this.#add(shardIndex, { node, pull, untilMs, from: page.position });
  }

  /** The shard's feed has more than before. */
  onChange(shardIndex: number): void {
    for (const [waiter, waiting] of this.#waiting.get(shardIndex) ?? []) {
      const { from, pull } = waiting;
      const page = this.#ports.servingFeed(shardIndex)?.read(from, pull.prefix, PAGE_BYTES);
      if (page === undefined) continue;
      waiting.from = page.position;
      if (!isNothing(page, pull)) this.#answer(shardIndex, waiter, waiting, page);
    }
  }

  /** Answers those that have waited long enough. */
  tick(nowMs: number): void {
    for (const [shardIndex, waiters] of this.#waiting) {
      for (const [waiter, waiting] of waiters) {
        if (waiting.untilMs > nowMs) continue;
        const { from, pull } = waiting;
        const page = this.#ports.servingFeed(shardIndex)?.read(from, pull.prefix, PAGE_BYTES);
        this.#answer(shardIndex, waiter, waiting, page);
      }
    }
  }

  close(): void {
    this.#waiting.clear();
    this.#count = 0;
  }

  #answer(shardIndex: number, waiter: string, waiting: Waiting, page: FeedPage | undefined): void {
    const { node, pull } = waiting;
    const { watch, number } = pull;
    this.#drop(shardIndex, waiter);
    this.#ports.send(
      node,
      shardIndex,
      page === undefined
        ? { type: "refusal", watch, number }
        : { type: "page", watch, number, page },
    );
  }

  #add(shardIndex: number, waiting: Waiting): void {
    const waiters = this.#waiting.get(shardIndex) ?? new Map<string, Waiting>();
    this.#waiting.set(shardIndex, waiters);
    waiters.set(waiterOf(waiting.node, waiting.pull.watch), waiting);
    this.#count++;
  }

  #drop(shardIndex: number, waiter: string): void {
    const waiters = this.#waiting.get(shardIndex);
    if (waiters?.delete(waiter) !== true) return;
    this.#count--;
    if (waiters.size === 0) this.#waiting.delete(shardIndex);
  }
}

/** Nothing that the one who asks does not know already. */
function isNothing(page: FeedPage, pull: PullMessage): boolean {
  const { events, gap, more, caughtUp } = page;
  if (pull.from === undefined || events.length > 0 || gap !== undefined || more) return false;
  return pull.wait || !caughtUp;
}

function waiterOf(node: NodeId, watch: number): string {
  return `${watch} ${node}`;
}
