import { raftRevisionOf } from "../../../built-ins.ts";
import type { WatchEvent } from "../../../core/store/api.ts";
import type { Violation } from "../strategy-scenario.ts";
import { type KnownWrite, KnownWrites } from "./known-writes.ts";
import type { RaftOperation } from "./raft-model.ts";

/** An event as a watcher was given it. */
export interface SeenEvent {
  readonly event: WatchEvent<unknown>;
  readonly node: string;
  readonly atMs: number;
}

/** What one watcher was given at one node, until it went on elsewhere. */
export interface Stint {
  readonly watcher: string;
  readonly beganAtMs: number;
  /** Whose cursor it began with. */
  readonly behind: SeenEvent | undefined;
  readonly events: readonly SeenEvent[];
}

/** Where a watch stands in one shard: the last entry that it was told of, and how much of that. */
interface Place {
  readonly life: number;
  readonly index: number;
  readonly told: readonly string[];
  /** False where the watch may have begun, or gone on behind a gap, in the middle of the entry. */
  readonly isWhole: boolean;
}

/** What a watch that goes on from here is owed. */
interface Standpoint {
  /** Of what was called later nothing may be missing, in whatever shard. */
  readonly sinceMs: number;
  readonly places: ReadonlyMap<number, Place>;
}

const NOWHERE: Standpoint = Object.freeze({ sinceMs: Number.POSITIVE_INFINITY, places: new Map() });

/**
 * Whether watches were told every change of each shard once, in the order of its log: nothing is
 * missing between two events, and none comes again, but for a `gap`, behind which all that is
 * called later is told again. A watch that goes on from a cursor goes on from there, at any node. With
 * `synced` it has been told, or has passed, whatever was acknowledged before it began.
 */
export class WatchJudge {
  readonly violations: Violation[] = [];
  /** Events that were looked at. */
  checked = 0;
  readonly #shardOf: (key: string) => number;
  readonly #refused: ReadonlySet<string>;
  readonly #known: KnownWrites;
  readonly #standpoints = new Map<SeenEvent, Standpoint>();
  /** By life, index, key and kind: what every watch has to have been told. */
  readonly #values = new Map<string, unknown>();

  constructor(
    history: readonly RaftOperation[],
    refused: ReadonlySet<string>,
    shardOf: (key: string) => number,
  ) {
    this.#shardOf = shardOf;
    this.#refused = refused;
    this.#known = new KnownWrites(history, shardOf);
  }

  judge(stints: readonly Stint[]): void {
    for (const stint of stints) {
      const { watcher, behind, events } = stint;
      let at = behind === undefined ? NOWHERE : (this.#standpoints.get(behind) ?? NOWHERE);
      const isFresh = behind === undefined;
      let isSynced = false;
      for (const seen of events) {
        if (isSynced) this.#checkNoneLate(stint, seen);
        else if (seen.event.type === "synced") {
          isSynced = true;
          this.#checkAllTold(stint, seen, at);
        }
        at = this.#after(at, seen, watcher, isFresh);
        this.#standpoints.set(seen, at);
      }
    }
  }

  #after(at: Standpoint, seen: SeenEvent, watcher: string, isFresh: boolean): Standpoint {
    const { event, atMs } = seen;
    this.checked += 1;
    if (event.type === "gap") return { sinceMs: atMs, places: new Map() };
    if (event.type === "synced") {
      return isFresh && at.sinceMs === Number.POSITIVE_INFINITY ? { ...at, sinceMs: atMs } : at;
    }
    const { key = "", version = "" } = event;
    const revision = raftRevisionOf(version);
    if (revision === undefined) {
      this.#violate("watch-content", watcher, seen, `has the version ${JSON.stringify(version)}`);
      return at;
    }
    const { lifeMark: life, revision: index } = revision;
    const shard = this.#shardOf(key);
    const kind = `${event.type} ${key}`;
    const place = at.places.get(shard);
    this.#checkContent(watcher, seen, life, index);
    if (place !== undefined) this.#checkOrder(watcher, seen, place, { life, index, kind });
    this.#checkMissing(watcher, seen, shard, at, index);
    const isSame = place?.index === index;
    const told = isSame ? [...place.told, kind] : [kind];
    const isWhole = isSame ? place.isWhole : place !== undefined;
    return { ...at, places: new Map(at.places).set(shard, { life, index, told, isWhole }) };
  }

  /** `synced` has come: what was acknowledged before the watch began lies before where it stands. */
  #checkAllTold({ watcher, beganAtMs }: Stint, seen: SeenEvent, { places }: Standpoint): void {
    for (const [shard, { life, index }] of places) {
      for (const write of this.#known.between(shard, index + 1, Number.POSITIVE_INFINITY)) {
        if (write.life !== life || write.returnedAtMs >= beganAtMs || write.puts.size === 0)
          continue;
        this.#violate("watch-synced", watcher, seen, `comes before ${describe(write, beganAtMs)}`);
      }
    }
  }

  /** The same of a shard where nobody knows where the watch stood. */
  #checkNoneLate({ watcher, beganAtMs }: Stint, seen: SeenEvent): void {
    const { key = "", version = "" } = seen.event;
    const revision = raftRevisionOf(version);
    if (revision === undefined) return;
    const { lifeMark: life, revision: index } = revision;
    for (const write of this.#known.between(this.#shardOf(key), index, index + 1)) {
      if (write.life !== life || write.returnedAtMs >= beganAtMs) continue;
      const what = `comes behind synced, and is ${describe(write, beganAtMs)}`;
      this.#violate("watch-synced", watcher, seen, what);
    }
  }

  #checkContent(watcher: string, seen: SeenEvent, life: number, index: number): void {
    const { key = "", type, value } = seen.event;
    const name = `${life}/${index}/${type}/${key}`;
    if (this.#values.has(name) && this.#values.get(name) !== value) {
      const other = this.#values.get(name);
      this.#violate("watch-content", watcher, seen, `was ${other} for another watch`);
    }
    this.#values.set(name, value);
    if (typeof value === "string" && this.#refused.has(value)) {
      this.#violate("outcome", watcher, seen, "was said not to be applied");
    }
  }

  #checkOrder(
    watcher: string,
    seen: SeenEvent,
    place: Place,
    { life, index, kind }: { life: number; index: number; kind: string },
  ): void {
    if (life !== place.life) {
      this.#violate("watch-order", watcher, seen, "is of another life, without a gap");
    } else if (index < place.index) {
      this.#violate("watch-order", watcher, seen, `${index} comes after ${place.index}`);
    } else if (index === place.index && place.told.includes(kind)) {
      this.#violate("watch-doubled", watcher, seen, `${index} was told before`);
    }
  }

  /** All that was put between the last event and this one, and the rest of the last one's entry. */
  #checkMissing(
    watcher: string,
    seen: SeenEvent,
    shard: number,
    { sinceMs, places }: Standpoint,
    index: number,
  ): void {
    const place = places.get(shard);
    for (const write of this.#known.between(shard, place?.index ?? 0, index)) {
      const isRest = write.index === place?.index;
      // Where the watch stood in the shard before its first event, nobody knows but by the time.
      const isOwed = place !== undefined && (place.isWhole || !isRest);
      if (!isOwed && write.calledAtMs <= sinceMs) continue;
      for (const [key, value] of write.puts) {
        if (isRest && place.told.includes(`put ${key}`)) continue;
        const lost = `${key}=${value} at ${write.index}`;
        this.#violate("watch-lost", watcher, seen, `comes, and ${lost} has not come before it`);
      }
    }
  }

  #violate(check: string, watcher: string, { event, node, atMs }: SeenEvent, what: string): void {
    const { type, key, value } = event;
    const message = `${watcher} at ${node} (${atMs.toFixed(1)} ms): ${type} ${key}=${value} ${what}`;
    this.violations.push({ check, message });
  }
}

function describe({ index, returnedAtMs, puts }: KnownWrite, beganAtMs: number): string {
  const what = [...puts].map(([key, value]) => `${key}=${value}`).join(" ");
  const when = `${returnedAtMs.toFixed(1)} ms, the watch began at ${beganAtMs.toFixed(1)} ms`;
  return `${what} at ${index}, acknowledged at ${when}`;
}
