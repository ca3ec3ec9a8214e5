import type { Environment, TimerHandle } from "../../contracts/environment.ts";
import type { Sender, ShardPlacement } from "../../contracts/machine.ts";
import type { MachineChange } from "../../contracts/machine-change.ts";
import type { Cancellation, WatchRequest } from "../../contracts/strategy.ts";
import type { ByteReader } from "../../model/bytes.ts";
import { type CapstanError, overloaded } from "../../model/errors.ts";
import type { NodeId } from "../../model/ids.ts";
import type { EngineChange } from "../../model/operations.ts";
import type { MachineCell } from "../machine-cell.ts";
import type { Word } from "../words.ts";
import { CatchUps } from "./catch-ups.ts";
import { ChangeFeed, type FeedLimits, type FeedPosition, type KeptChange } from "./change-feed.ts";
import { FeedServer } from "./feed-server.ts";
import { type FollowerPorts, ownOrderOf, ShardFollower } from "./shard-follower.ts";
import { WatchPositions } from "./watch-cursor.ts";
import { type WatchMessage, watchCodec } from "./watch-messages.ts";

const MAX_WATCHES = 1_024;
/** Of the changes kept by all replicas of one keyspace, and of one of them at the least. */
const KEPT_BYTES = 4 * 1024 * 1024;
const LEAST_KEPT_BYTES = 64 * 1024;
const KEPT_CHANGES = 1_024;
/** For so long after the last reader a replica keeps changes for it to come back to. */
const WANTED_MS = 60_000;
const TICK_MS = 250;

export interface KeyspaceWatchesOptions {
  readonly self: Sender;
  readonly keyspaceHash: number;
  readonly environment: Environment;
  readonly placements: readonly ShardPlacement[];
  /** Where a shard may have been moved to, and lie instead of where it was placed. */
  readonly elsewhere: readonly NodeId[];
  readonly replicaOf: (shardIndex: number) => MachineCell | undefined;
  /** Whether replicas say themselves where they stand: see `SilentStrategy.sharesOrder`. */
  readonly sharesOrder: boolean;
  /** Puts a `catch-up` to a replica that is here. */
  readonly askReplica: (cell: MachineCell, token: number) => void;
  readonly isReachable: (node: NodeId) => boolean;
  readonly send: (node: NodeId, shardIndex: number, message: WatchMessage) => void;
}

interface Watch {
  readonly followers: readonly ShardFollower[];
  readonly end: (fault: CapstanError | undefined) => void;
}

/**
 * The watches of one keyspace at one node, those of this node's callers and those of other nodes
 * whose callers watch shards that are here. A watch follows every shard of the keyspace.
 */
export class KeyspaceWatches {
  readonly #options: KeyspaceWatchesOptions;
  readonly #feeds = new Map<number, ChangeFeed>();
  readonly #wantedMs = new Map<number, number>();
  readonly #watches = new Map<number, Watch>();
  readonly #catchUps: CatchUps;
  readonly #server: FeedServer;
  readonly #ports: FollowerPorts;
  /** Shards whose feeds have grown since their readers looked. */
  readonly #grown = new Set<number>();
  #isFlushDue = false;
  #timer: TimerHandle | undefined;
  #made = 0;
  #isClosed = false;

  constructor(options: KeyspaceWatchesOptions) {
    this.#options = options;
    const { self, placements, elsewhere, isReachable } = options;
    this.#catchUps = new CatchUps((shardIndex, token) => this.#askReplica(shardIndex, token));
    const shared = {
      catchUps: this.#catchUps,
      servingFeed: (shardIndex: number) => this.#servingFeed(shardIndex),
      send: options.send,
    };
    this.#server = new FeedServer(shared);
    this.#ports = {
      ...shared,
      self: self.node,
      isReachable,
      replicas: (shardIndex) => {
        const placed = placements[shardIndex]?.replicas ?? [];
        const held = options.replicaOf(shardIndex)?.replica?.holders ?? [];
        // Whoever does not hold it says so at once.
        return [...new Set([...held, ...placed, ...elsewhere])];
      },
    };
  }

  /** Readers that are here, for people. */
  get count(): number {
    return this.#watches.size;
  }

  /** What a replica says, durable as its keyspace demands. */
  take(cell: MachineCell, word: Extract<Word, { type: "change" | "caught-up" }>): void {
    if (word.type === "change") this.publish(cell, word.change);
    else this.#caughtUp(cell.shardIndex, word.token, word.isSo);
  }

  publish(cell: MachineCell, change: MachineChange): void {
    const { shardIndex } = cell;
    const feed = this.#feed(cell);
    if (change.position === undefined && !this.#isWanted(shardIndex)) {
      cell.isWatched = false;
      return;
    }
    feed.append(change);
    this.#flushSoon(shardIndex);
  }

  #caughtUp(shardIndex: number, token: number, isSo: boolean): void {
    const nowMs = this.#options.environment.monotonicMs();
    if (this.#catchUps.answered(shardIndex, token, isSo, nowMs)) this.#flushSoon(shardIndex);
  }

  #askReplica(shardIndex: number, token: number): boolean {
    const cell = this.#options.replicaOf(shardIndex);
    if (cell?.replica?.catchesUp !== true) return false;
    this.#options.askReplica(cell, token);
    return true;
  }

  #flushSoon(shardIndex: number): void {
    this.#grown.add(shardIndex);
    if (this.#isFlushDue || this.#isIdle) return;
    this.#isFlushDue = true;
    // Readers are the callers' code, and run when the turn's own work is done.
    this.#options.environment.soon(() => this.#flush());
  }

  /** @throws CapstanError `INVALID_CURSOR`, `OVERLOADED`. */
  subscribe(
    request: WatchRequest,
    sink: (change: EngineChange) => void,
    end: (fault: CapstanError | undefined) => void,
  ): Cancellation {
    if (this.#watches.size >= MAX_WATCHES) {
      throw overloaded(
        `${MAX_WATCHES} watches of the keyspace are open at this node, and no more are taken`,
      );
    }
    const { keyspaceHash, placements, environment } = this.#options;
    const { cursor, prefix } = request;
    const watch = ++this.#made;
    const resumed =
      cursor === undefined
        ? undefined
        : WatchPositions.parse(keyspaceHash, placements.length, cursor);
    const reader = new WatchReader(
      resumed ?? new WatchPositions(keyspaceHash, placements.length),
      placements.length,
      (change) => {
        if (this.#watches.has(watch)) sink(change);
      },
    );
    const followers = placements.map((_placement, shardIndex) => {
      const from = resumed?.get(shardIndex);
      const gap = resumed !== undefined && from === undefined ? NOT_BEGUN : undefined;
      const shard = { shardIndex, watch, prefix, from, gap };
      return new ShardFollower(shard, this.#ports, reader);
    });
    this.#watches.set(watch, { followers, end });
    environment.soon(() => this.#begin(watch));
    return { cancel: () => this.#watches.delete(watch) };
  }

  receive(from: Sender, shardIndex: number, body: ByteReader): void {
    const message = watchCodec.decode(body);
    const nowMs = this.#options.environment.monotonicMs();
    if (this.#isClosed) return;
    if (message.type === "pull") {
      this.#server.onPull(from, shardIndex, message, nowMs);
      this.#arm();
      return;
    }
    this.#watches.get(message.watch)?.followers[shardIndex]?.onAnswer(from.node, message, nowMs);
  }

  /** Something may be possible that was not, or the other way round. */
  review(): void {
    const nowMs = this.#options.environment.monotonicMs();
    for (const { followers } of this.#watches.values()) {
      for (const follower of followers) follower.run(nowMs);
    }
  }

  /** Ends every watch: with the fault, or as closed. */
  close(fault: CapstanError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#options.environment.clearTimer(this.#timer);
    this.#server.close();
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    for (const { end } of watches) end(fault);
  }

  get #isIdle(): boolean {
    return this.#watches.size === 0 && this.#server.isIdle;
  }

  #begin(watch: number): void {
    const nowMs = this.#options.environment.monotonicMs();
    for (const follower of this.#watches.get(watch)?.followers ?? []) follower.run(nowMs);
    this.#arm();
  }

  #flush(): void {
    this.#isFlushDue = false;
    const nowMs = this.#options.environment.monotonicMs();
    const grown = [...this.#grown];
    this.#grown.clear();
    for (const shardIndex of grown) {
      this.#server.onChange(shardIndex, nowMs);
      for (const { followers } of this.#watches.values()) followers[shardIndex]?.run(nowMs);
    }
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#isClosed || this.#isIdle) return;
    const { environment } = this.#options;
    this.#timer = environment.setTimer(TICK_MS, () => {
      this.#timer = undefined;
      this.#server.tick(environment.monotonicMs());
      this.review();
      this.#arm();
    });
  }

  #servingFeed(shardIndex: number): ChangeFeed | undefined {
    const cell = this.#options.replicaOf(shardIndex);
    if (cell?.open !== true || cell.replica?.serving !== true) return undefined;
    const feed = this.#feed(cell);
    if (this.#options.sharesOrder) return feed.tail === undefined ? undefined : feed;
    const isAwake = cell.isWatched && this.#isWanted(shardIndex);
    this.#wantedMs.set(shardIndex, this.#options.environment.monotonicMs());
    if (isAwake) return feed;
    cell.isWatched = true;
    feed.begin();
    return feed;
  }

  #isWanted(shardIndex: number): boolean {
    const wantedMs = this.#wantedMs.get(shardIndex);
    if (wantedMs === undefined) return false;
    return this.#options.environment.monotonicMs() - wantedMs < WANTED_MS;
  }

  #feed(cell: MachineCell): ChangeFeed {
    const known = this.#feeds.get(cell.shardIndex);
    if (known !== undefined) return known;
    const { self } = this.#options;
    const feed = new ChangeFeed(
      this.#limits(),
      () => ownOrderOf(self, cell.openings),
      () => cell.replica?.changesReached,
    );
    this.#feeds.set(cell.shardIndex, feed);
    return feed;
  }

  #limits(): FeedLimits {
    const { placements, self } = this.#options;
    const hosted = placements.filter(({ replicas }) => replicas.includes(self.node)).length;
    const maxBytes = Math.max(LEAST_KEPT_BYTES, Math.floor(KEPT_BYTES / Math.max(1, hosted)));
    return { maxBytes, maxChanges: KEPT_CHANGES };
  }
}

const NOT_BEGUN = "the cursor is from before the watch had reached this shard";

/** Puts the shards of one watch together: where it stands in each is every event's cursor. */
class WatchReader {
  readonly #positions: WatchPositions;
  readonly #sink: (change: EngineChange) => void;
  #behind: number;

  constructor(positions: WatchPositions, shards: number, sink: (change: EngineChange) => void) {
    this.#positions = positions;
    this.#behind = shards;
    this.#sink = sink;
  }

  event(shardIndex: number, event: KeptChange, position: FeedPosition): void {
    const { type, key, value, siblings, version } = event;
    this.#positions.set(shardIndex, position);
    const cursor = this.#positions.toString();
    this.#sink({ type, shardIndex, key, value, siblings, version, cursor });
  }

  gap(shardIndex: number, reason: string, position: FeedPosition): void {
    this.#positions.set(shardIndex, position);
    this.#sink({ ...NO_CHANGE, type: "gap", shardIndex, cursor: `${this.#positions}`, reason });
  }

  moved(shardIndex: number, position: FeedPosition): void {
    this.#positions.set(shardIndex, position);
  }

  caughtUp(shardIndex: number): void {
    this.#behind--;
    if (this.#behind > 0) return;
    this.#sink({ ...NO_CHANGE, type: "synced", shardIndex, cursor: `${this.#positions}` });
  }
}

const NO_CHANGE = Object.freeze({ key: undefined, value: undefined, version: undefined });
