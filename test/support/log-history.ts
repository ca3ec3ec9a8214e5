import { strict as assert } from "node:assert";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type { LogReadResult, LogStore } from "../../src/core/contracts/storage.ts";
import { DURABILITIES } from "../../src/core/model/durability.ts";
import type { LogPosition, LogSequence, ShardId } from "../../src/core/model/ids.ts";
import type { SegmentedLogOptions } from "../../src/storage/disk/log/log-options.ts";
import { openSegmentedLog } from "../../src/storage/disk/log/open-segmented-log.ts";
import { LogModel, type ModelEntry } from "./log-model.ts";
import { runVirtually } from "./run-virtually.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import type { CutEffect } from "./simulated-file.ts";
import { VirtualEnvironment, VirtualTime } from "./virtual-environment.ts";

const SHARDS = [0, 7, 0x1234_5678_0001, 0x1234_5678_0002] as ShardId[];
const CUT_EFFECTS: readonly CutEffect[] = ["keep", "lose", "mix", "mix", "mix"];
const PLENTY = 1 << 30;
const TINY: SegmentedLogOptions = {
  segmentBytes: 4_096,
  maxBatchBytes: 4_096,
  spareSegments: 1,
  lazySyncMs: 20,
};

export interface HistoryOptions {
  /** Crashes and reopenings. */
  readonly generations: number;
  /** Whether bits are flipped where they are stored, now and then, after a clean close. */
  readonly flips: boolean;
}

/** What happened in a run, to show that runs are about something. */
export interface HistoryCounts {
  entries: number;
  lost: number;
  crashes: number;
  failures: number;
  flips: number;
  damagedShards: number;
}

/**
 * One random life of a log: appends, cuts, resets, releases, crashes at any moment, faults of the
 * disk; after every reopening it is compared with a list. Deterministic in the seed.
 */
export class LogHistory {
  readonly #time = new VirtualTime();
  readonly #random: SeededRandom;
  readonly #disk: SimulatedDisk;
  readonly #options: HistoryOptions;
  readonly #seed: number;
  readonly #model = new LogModel();
  readonly counts: HistoryCounts = {
    entries: 0,
    lost: 0,
    crashes: 0,
    failures: 0,
    flips: 0,
    damagedShards: 0,
  };
  #log: LogStore | undefined;
  #hasFailed = false;
  /** Position of the model's first entry, less one. */
  #base = 0;
  /** How many of the model's entries have to be there after the process was killed, or the power. */
  #neededIfKilled = 0;
  #neededIfCut = 0;
  #unique = 0;
  #opened = 0;

  constructor(seed: number, options: HistoryOptions) {
    this.#seed = seed;
    this.#options = options;
    this.#random = new SeededRandom(seed, "history");
    this.#disk = new SimulatedDisk({ time: this.#time, seed });
  }

  async run(): Promise<HistoryCounts> {
    let needed = 0;
    let mayBeDamaged = false;
    for (let generation = 0; generation < this.#options.generations; generation += 1) {
      needed = await this.#open(needed);
      await this.#compare(needed, mayBeDamaged);
      const steps = 5 + this.#below(this.#chance(0.2) ? 400 : 80);
      for (let step = 0; step < steps && !this.#hasFailed; step += 1) this.#step();
      if (this.#chance(0.3)) await this.#compareNow();
      ({ needed, mayBeDamaged } = await this.#end());
    }
    return this.counts;
  }

  /** Opens, after tries that a crash or a fault may end. Returns what has to be there. */
  async #open(needed: number): Promise<number> {
    let least = needed;
    this.#disk.clearFaults();
    for (let tries = 0; tries < 3 && this.#chance(0.15); tries += 1) {
      this.#connect().catch(() => undefined);
      await this.#pass(this.#below(40));
      const isCut = this.#chance(0.5);
      if (isCut) {
        this.#disk.cutPower(this.#pick(CUT_EFFECTS));
        least = Math.min(least, this.#neededIfCut);
      } else {
        this.#disk.kill();
      }
    }
    this.#log = await runVirtually(this.#time, this.#connect());
    this.#hasFailed = false;
    this.#log.start({
      onDurable: (position) => this.#announced(position),
      onFailed: () => {
        assert(!this.#hasFailed, "onFailed was called twice");
        this.#hasFailed = true;
        this.counts.failures += 1;
      },
    });
    return least;
  }

  #connect(): Promise<LogStore> {
    this.#opened += 1;
    return openSegmentedLog({
      disk: this.#disk.connect(),
      directory: "/log",
      environment: new VirtualEnvironment({ time: this.#time, seed: this.#seed }),
      observer: SILENT_OBSERVER,
      options: TINY,
    });
  }

  async #pass(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      this.#time.advance(0.05);
      for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
    }
  }

  #step(): void {
    const log = this.#openLog;
    const shard = this.#pick(SHARDS);
    const choice = this.#random.fraction();
    if (choice < 0.5) this.#append(shard);
    else if (choice < 0.7) log.flush();
    else if (choice < 0.85) this.#time.advance(this.#random.fraction() * 0.3);
    else if (choice < 0.92) this.#release(shard);
    else if (choice < 0.95) this.#truncate(shard);
    else if (choice < 0.96) this.#reset(shard);
    else if (choice < 0.98) this.#time.advance(this.#below(60));
    else if (choice < 0.983) this.#disk.failNext(this.#pick(["sync", "write"]), "EIO");
    else if (choice < 0.985) this.#disk.failNext("create", "ENOSPC");
  }

  #append(shard: ShardId): void {
    const log = this.#openLog;
    this.#unique += 1;
    const length = this.#below(this.#chance(0.1) ? 1_500 : 120);
    const text = `${this.#unique}:`.padEnd(length, "x");
    const sequence = log.lastSequence(shard) + 1;
    const durability = this.#pick(DURABILITIES);
    const payload = new TextEncoder().encode(text);
    const record = { shard, sequence: sequence as LogSequence, payload };
    this.#did({ type: "append", shard, sequence, text, durability }, () =>
      log.append(record, durability),
    );
  }

  #truncate(shard: ShardId): void {
    const { last, released } = this.#model.shard(shard);
    const to = released - 1 + this.#below(last - released + 3);
    this.#did({ type: "truncate", shard, to }, () =>
      this.#openLog.truncateSuffix(shard, to as LogSequence),
    );
  }

  #reset(shard: ShardId): void {
    const to = 1 + this.#below(this.#model.shard(shard).last + 5);
    this.#did({ type: "reset", shard, to }, () => this.#openLog.reset(shard, to as LogSequence));
  }

  #release(shard: ShardId): void {
    const { last, released } = this.#model.shard(shard);
    const to = released + this.#below(last - released + 3);
    this.#openLog.release(shard, to as LogSequence);
    this.#model.release(shard, to);
  }

  /** The model follows; a log that has failed may refuse. */
  #did(entry: ModelEntry, act: () => LogPosition): void {
    let position: LogPosition;
    try {
      position = act();
    } catch (error) {
      if (this.#openLog.health().state === "failed") return;
      throw error;
    }
    this.#model.add(entry);
    this.counts.entries += 1;
    assert.equal(position, this.#base + this.#model.entries.length, "position");
  }

  #announced(position: LogPosition): void {
    assert(!this.#hasFailed, "onDurable after onFailed");
    const count = position - this.#base;
    assert(count <= this.#model.entries.length, `onDurable(${position}) was never given out`);
    const from = Math.min(this.#neededIfKilled, this.#neededIfCut);
    for (let at = from; at < count; at += 1) {
      const entry = this.#model.entries[at] as ModelEntry;
      const durability = entry.type === "append" ? entry.durability : "fsync";
      if (durability !== "memory") this.#neededIfKilled = Math.max(this.#neededIfKilled, at + 1);
      if (durability === "fsync") this.#neededIfCut = Math.max(this.#neededIfCut, at + 1);
    }
    const synced = this.#openLog.syncedPosition - this.#base;
    this.#neededIfCut = Math.max(this.#neededIfCut, synced);
  }

  /** Ends the process in some way. Returns how many entries have to be there afterwards. */
  async #end(): Promise<{ needed: number; mayBeDamaged: boolean }> {
    const log = this.#openLog;
    this.#log = undefined;
    const choice = this.#random.fraction();
    if (choice < 0.3) {
      this.#log = log;
      await runVirtually(this.#time, log.close());
      this.#log = undefined;
      if (log.health().state === "failed")
        return { needed: this.#neededIfKilled, mayBeDamaged: false };
      assert.equal(log.syncedPosition - this.#base, this.#model.entries.length, "synced by close");
      this.#neededIfCut = this.#model.entries.length;
      if (this.#chance(0.5)) this.#disk.cutPower(this.#pick(CUT_EFFECTS));
      const mayBeDamaged = this.#options.flips && this.#chance(0.8);
      if (mayBeDamaged) this.#flip();
      else if (this.#chance(0.2)) this.#copySegment();
      return { needed: this.#model.entries.length, mayBeDamaged };
    }
    this.counts.crashes += 1;
    if (choice < 0.5) {
      this.#disk.kill();
      return { needed: Math.max(this.#neededIfKilled, this.#neededIfCut), mayBeDamaged: false };
    }
    this.#disk.cutPower(this.#pick(CUT_EFFECTS));
    return { needed: this.#neededIfCut, mayBeDamaged: false };
  }

  /** Somebody made a copy of a file. */
  #copySegment(): void {
    const path = this.#pick(this.#disk.files());
    this.#unique += 1;
    this.#disk.put(
      `/log/${9_000_000_000 + this.#unique}.segment`,
      this.#disk.content(path).bytes(),
    );
  }

  #flip(): void {
    const files = this.#disk.files();
    for (let count = 1 + this.#below(2); count > 0; count -= 1) {
      const content = this.#disk.content(this.#pick(files));
      const bit = this.#below(content.size * 8);
      content.flip(bit);
      this.counts.flips += 1;
    }
  }

  /** Compares what was found at opening, and goes on from there. */
  async #compare(needed: number, mayBeDamaged: boolean): Promise<void> {
    const log = this.#openLog;
    const count = log.lastPosition - this.#base;
    assert.equal(log.durablePosition, log.lastPosition, "durable at opening");
    assert.equal(log.syncedPosition, log.lastPosition, "synced at opening");
    assert(count <= this.#model.entries.length, `${count} of ${this.#model.entries.length} found`);
    if (!mayBeDamaged) assert(count >= needed, `${count} entries found, ${needed} needed`);
    this.counts.lost += this.#model.entries.length - count;
    if (!mayBeDamaged) this.#model.cut(count);
    this.#neededIfKilled = this.#model.entries.length;
    this.#neededIfCut = this.#model.entries.length;
    if (mayBeDamaged) await this.#mend();
    assert.deepEqual(log.health().damagedShards, [], "damagedShards");
    await this.#compareNow();
  }

  /** Each shard says that it is damaged, or is as it was. The damaged ones begin anew. */
  async #mend(): Promise<void> {
    const log = this.#openLog;
    this.#base = log.lastPosition - this.#model.entries.length;
    for (const shard of SHARDS) {
      const result = await this.#read(shard, this.#model.shard(shard).released);
      if (result.type !== "damaged") continue;
      assert(log.health().damagedShards.includes(shard), `damagedShards lacks ${shard}`);
      this.counts.damagedShards += 1;
      this.#reset(shard);
    }
    log.flush();
    const isDurable = (): boolean => log.durablePosition === log.lastPosition;
    assert(this.#time.runUntil(isDurable, 60_000, 0.1), "the resets are never durable");
  }

  async #compareNow(): Promise<void> {
    if (this.#hasFailed) return;
    for (const shard of SHARDS) await this.#compareShard(shard);
  }

  async #compareShard(shard: ShardId): Promise<void> {
    const log = this.#openLog;
    const { last, released, texts } = this.#model.shard(shard);
    assert.equal(log.lastSequence(shard), last, `lastSequence of ${shard}`);
    const result = await this.#read(shard, released);
    assert.equal(result.type, "records", `reading ${shard} from ${released}`);
    if (result.type !== "records") return;
    const expected = [];
    for (let at = released; at <= last; at += 1) expected.push(`${at} ${texts.get(at)}`);
    assert.deepEqual(shown(result), expected, `records of ${shard}`);
    const all = await this.#read(shard, 1);
    const from = all.type === "compacted" ? await this.#read(shard, all.first) : all;
    for (const line of shown(from)) {
      const sequence = Number.parseInt(line, 10);
      assert.equal(
        line,
        `${sequence} ${texts.get(sequence)}`,
        `a record that is back, of ${shard}`,
      );
    }
  }

  async #read(shard: ShardId, from: number): Promise<LogReadResult> {
    let result: LogReadResult | undefined;
    this.#openLog.read(shard, from as LogSequence, PLENTY, (answer) => {
      result = answer;
    });
    const isAnswered = this.#time.runUntil(() => result !== undefined, 60_000, 0.1);
    assert(isAnswered, `a read of ${shard} was never answered`);
    return result as LogReadResult;
  }

  get #openLog(): LogStore {
    assert(this.#log !== undefined, "no log is open");
    return this.#log;
  }

  #below(bound: number): number {
    return this.#random.uint32() % Math.max(1, bound);
  }

  #chance(of: number): boolean {
    return this.#random.fraction() < of;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }
}

function shown(result: LogReadResult): string[] {
  if (result.type !== "records") throw new Error(`the read answered ${result.type}`);
  return result.records.map(
    ({ sequence, payload }) => `${sequence} ${new TextDecoder().decode(payload)}`,
  );
}
