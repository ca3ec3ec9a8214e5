import { describe, expect, test } from "vitest";
import type { Storage } from "../../../../src/core/contracts/storage.ts";
import type { LogPosition, LogSequence, ShardId } from "../../../../src/core/model/ids.ts";
import { LogUpkeep } from "../../../../src/core/store/log-upkeep.ts";
import type { MachineCell } from "../../../../src/core/store/machine-cell.ts";

/** A log that notes what it may drop, and a state whose durability the test decides. */
class Bench {
  readonly released: string[] = [];
  readonly state = { durablePosition: 0 as LogPosition };
  readonly upkeep: LogUpkeep;

  constructor() {
    const log = {
      release: (shard: ShardId, sequence: LogSequence) =>
        this.released.push(`shard ${shard} below ${sequence}`),
    };
    this.upkeep = new LogUpkeep({ log, state: this.state } as unknown as Storage);
  }

  cell(shard: number, wantsDurable: boolean): MachineCell {
    return {
      shardId: shard as ShardId,
      replica: { wantsDurable },
      touched: false,
      unheard: [],
      lastPosition: 0,
      lastSequence: 0,
      releasePosition: 0,
      releaseSequence: 0,
      pinnedFrom: undefined,
    } as unknown as MachineCell;
  }

  append(cell: MachineCell, position: number): void {
    cell.lastPosition = position as LogPosition;
    cell.lastSequence = (cell.lastSequence + 1) as LogSequence;
    this.upkeep.appended(cell);
  }

  heard(position: number): string[] {
    const heard: string[] = [];
    this.upkeep.durable(position as LogPosition, (cell, sequence) =>
      heard.push(`shard ${cell.shardId} up to ${sequence}`),
    );
    return heard;
  }
}

describe("LogUpkeep", () => {
  // Once it told a cell only when its newest append was durable: under steady load, never.
  test("tells how far a shard is durable though more of it is on the way", () => {
    const bench = new Bench();
    const cell = bench.cell(1, true);
    bench.append(cell, 1);
    bench.append(cell, 2);
    bench.append(cell, 5);
    expect(bench.heard(3)).toEqual(["shard 1 up to 2"]);
    bench.append(cell, 6);
    expect(bench.heard(4)).toEqual([]);
    expect(bench.heard(6)).toEqual(["shard 1 up to 4"]);
    expect(bench.heard(9)).toEqual([]);
  });

  test("tells nobody who does not listen", () => {
    const bench = new Bench();
    bench.append(bench.cell(1, false), 1);
    expect(bench.heard(1)).toEqual([]);
  });

  test("releases what the durable state includes, and not what a machine still reads", () => {
    const bench = new Bench();
    const free = bench.cell(1, false);
    const reader = bench.cell(2, false);
    bench.append(free, 1);
    bench.append(reader, 2);
    reader.pinnedFrom = 1 as LogSequence;
    bench.upkeep.release();
    expect(bench.released).toEqual([]);
    bench.upkeep.release();
    expect(bench.released).toEqual([]);
    bench.state.durablePosition = 2 as LogPosition;
    bench.upkeep.release();
    expect(bench.released).toEqual(["shard 1 below 2", "shard 2 below 1"]);
    bench.upkeep.release();
    expect(bench.released).toHaveLength(2);
  });
});
