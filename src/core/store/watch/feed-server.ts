import type { Sender } from "../../contracts/machine.ts";
import type { NodeId } from "../../model/ids.ts";
import type { CatchUps } from "./catch-ups.ts";
import type { ChangeFeed, FeedPage, FeedPosition } from "./change-feed.ts";
import type { PullMessage, WatchMessage } from "./watch-messages.ts";

/** A question without an answer is answered after this, with how far the feed was looked through. */
const LONGEST_WAIT_MS = 1_000;
const MAX_WAITING = 4_096;
/** A watch that is not in step, and has asked nothing for so long, is over, or goes by another node. */
const FORGET_MS = 10_000;
/** Of events in one answer, beyond the first: a page keeps nobody else's words waiting. */
export const PAGE_BYTES = 48 * 1024;

export interface FeedServerPorts {
  /** The feed of a shard whose replica is here and serves. Wanted from now on. */
  servingFeed(shardIndex: number): ChangeFeed | undefined;
  readonly catchUps: Pick<CatchUps, "next" | "has">;
  send(node: NodeId, shardIndex: number, message: WatchMessage): void;
}

interface Waiting {
  readonly node: NodeId;
  readonly pull: PullMessage;
  readonly untilMs: number;
  /** What lay before it was of no interest. */
  from: FeedPosition;
}

/** A watch that is not in step yet: what this node's replica has to have caught up with for it. */
interface Beginning {
  readonly needed: number;
  askedAtMs: number;
}

/**
 * Answers other nodes' questions for this node's changes: at once where there is something to say,
 * else when there is, or in the end. It keeps nothing that the next question would not bring again,
 * but that a watch has begun.
 */
export class FeedServer {
  readonly #ports: FeedServerPorts;
  readonly #waiting = new Map<number, Map<string, Waiting>>();
  readonly #beginnings = new Map<string, Beginning>();
  #count = 0;

  constructor(ports: FeedServerPorts) {
    this.#ports = ports;
  }

  get isIdle(): boolean {
    return this.#count === 0 && this.#beginnings.size === 0;
  }

  onPull(from: Sender, shardIndex: number, pull: PullMessage, nowMs: number): void {
    const { node } = from;
    const { watch, number } = pull;
    const waiter = waiterOf(from, watch);
    // A question that comes again takes the place of the one before.
    this.#drop(shardIndex, waiter);
    const page = this.#begin(shardIndex, waiter, pull, nowMs)
      ? this.#read(shardIndex, waiter, pull.from, pull, nowMs)
      : undefined;
    const mayWait = page !== undefined && isNothing(page, pull);
    if (page === undefined || (mayWait && this.#count >= MAX_WAITING)) {
      this.#ports.send(node, shardIndex, { type: "refusal", watch, number });
      return;
    }
    if (!mayWait) {
      this.#say(shardIndex, waiter, node, pull, page);
      return;
    }
    const untilMs = nowMs + LONGEST_WAIT_MS;
    this.#add(shardIndex, waiter, { node, pull, untilMs, from: page.position });
  }

  /** The shard's feed has more than before. */
  onChange(shardIndex: number, nowMs: number): void {
    for (const [waiter, waiting] of this.#waiting.get(shardIndex) ?? []) {
      const { from, pull } = waiting;
      const page = this.#read(shardIndex, waiter, from, pull, nowMs);
      if (page === undefined) continue;
      waiting.from = page.position;
      if (!isNothing(page, pull)) this.#answer(shardIndex, waiter, waiting, page);
    }
  }

  /** Answers those that have waited long enough, and asks again what was not found out. */
  tick(nowMs: number): void {
    for (const [shardIndex, waiters] of this.#waiting) {
      for (const [waiter, waiting] of waiters) {
        const { from, pull, untilMs } = waiting;
        if (untilMs <= nowMs) {
          const page = this.#read(shardIndex, waiter, from, pull, nowMs);
          this.#answer(shardIndex, waiter, waiting, page);
        } else if (!pull.wait && this.#ports.servingFeed(shardIndex) !== undefined) {
          this.#hasCaughtUp(shardIndex, waiter, nowMs);
        }
      }
    }
    for (const [name, { askedAtMs }] of this.#beginnings) {
      if (nowMs - askedAtMs >= FORGET_MS) this.#beginnings.delete(name);
    }
  }

  close(): void {
    this.#waiting.clear();
    this.#beginnings.clear();
    this.#count = 0;
  }

  /** Notes a watch that is not in step. False if no more are taken, or nothing is served here. */
  #begin(shardIndex: number, waiter: string, { wait }: PullMessage, nowMs: number): boolean {
    if (wait) return true;
    if (this.#ports.servingFeed(shardIndex) === undefined) return false;
    const name = beginningOf(shardIndex, waiter);
    const known = this.#beginnings.get(name);
    if (known !== undefined) known.askedAtMs = nowMs;
    else if (this.#beginnings.size >= MAX_WAITING) return false;
    else {
      const needed = this.#ports.catchUps.next(shardIndex);
      this.#beginnings.set(name, { needed, askedAtMs: nowMs });
    }
    return true;
  }

  #hasCaughtUp(shardIndex: number, waiter: string, nowMs: number): boolean {
    const beginning = this.#beginnings.get(beginningOf(shardIndex, waiter));
    if (beginning === undefined) return false;
    return this.#ports.catchUps.has(shardIndex, beginning.needed, nowMs);
  }

  /** What the feed has; in step with it is who has begun when the replica had less. */
  #read(
    shardIndex: number,
    waiter: string,
    from: FeedPosition | undefined,
    { wait, prefix }: PullMessage,
    nowMs: number,
  ): FeedPage | undefined {
    const feed = this.#ports.servingFeed(shardIndex);
    if (feed === undefined) return undefined;
    const isNewest = wait || this.#hasCaughtUp(shardIndex, waiter, nowMs);
    const page = feed.read(from, prefix, PAGE_BYTES);
    return page === undefined || isNewest ? page : { ...page, caughtUp: false };
  }

  #answer(shardIndex: number, waiter: string, waiting: Waiting, page: FeedPage | undefined): void {
    const { node, pull } = waiting;
    this.#drop(shardIndex, waiter);
    if (page !== undefined) this.#say(shardIndex, waiter, node, pull, page);
    else {
      const { watch, number } = pull;
      this.#ports.send(node, shardIndex, { type: "refusal", watch, number });
    }
  }

  #say(shardIndex: number, waiter: string, node: NodeId, pull: PullMessage, page: FeedPage): void {
    const { watch, number } = pull;
    // From here on it is in step; if that is lost, it begins again.
    if (page.caughtUp) this.#beginnings.delete(beginningOf(shardIndex, waiter));
    this.#ports.send(node, shardIndex, { type: "page", watch, number, page });
  }

  #add(shardIndex: number, waiter: string, waiting: Waiting): void {
    const waiters = this.#waiting.get(shardIndex) ?? new Map<string, Waiting>();
    this.#waiting.set(shardIndex, waiters);
    waiters.set(waiter, waiting);
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

/** A node that has started again counts its watches from the beginning. */
function waiterOf({ node, storeId, incarnation }: Sender, watch: number): string {
  return `${watch} ${node} ${incarnation} ${storeId}`;
}

function beginningOf(shardIndex: number, waiter: string): string {
  return `${shardIndex} ${waiter}`;
}
