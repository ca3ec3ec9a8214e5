import { beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { LogReadResult, Storage } from "../../../../src/core/contracts/storage.ts";
import type { LogSequence } from "../../../../src/core/model/ids.ts";
import { memoryStorage } from "../../../../src/storage/memory/memory-storage.ts";
import {
  BENCH_SHARD,
  type BenchOptions,
  type BenchStep,
  MachineBench,
  say,
} from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

let time: VirtualTime;
let disk: PersistentMemoryDisk;

beforeEach(() => {
  time = new VirtualTime();
  disk = new PersistentMemoryDisk();
});

function context() {
  const environment = new VirtualEnvironment({ time });
  return { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
}

async function open(
  origin: "newborn" | "kept",
  options: Partial<BenchOptions> = {},
): Promise<MachineBench> {
  const storage = await disk.factory({}, context());
  return MachineBench.open({ time, storage, origin, ...options });
}

function seq(sequence: number): LogSequence {
  return sequence as LogSequence;
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** Appends one record for each text; they are `1`, `2`, … of an empty log. */
function appending(...texts: readonly string[]): BenchStep {
  return (effects) => {
    for (const text of texts) effects.append(bytes(text));
  };
}

function textAt(bench: MachineBench, key: string): string | undefined {
  const value = bench.read((effects) => effects.get(bytes(key)));
  return value === undefined ? undefined : Buffer.from(value).toString("utf8");
}

/** What a step throws. The step is of no effect. */
function refusalOf(bench: MachineBench, call: BenchStep): string {
  let message = "nothing was thrown";
  bench.step((effects) => {
    try {
      call(effects);
    } catch (error) {
      message = (error as Error).message;
    }
  });
  return message;
}

async function texts(bench: MachineBench, from: number): Promise<string[]> {
  let found: LogReadResult | undefined;
  bench.storage.log.read(BENCH_SHARD, seq(from), 1_000_000, (result) => {
    found = result;
  });
  await bench.settle();
  if (found?.type !== "records") return [String(found?.type)];
  return found.records.map(({ sequence, payload }) => `${sequence} ${Buffer.from(payload)}`);
}

async function firstReadable(bench: MachineBench): Promise<number> {
  let found: LogReadResult | undefined;
  bench.storage.log.read(BENCH_SHARD, seq(1), 1, (result) => {
    found = result;
  });
  await bench.settle();
  return found?.type === "compacted" ? found.first : 1;
}

/** The node's own records take log and state on, whatever the shard does. */
async function moveOn(bench: MachineBench): Promise<void> {
  for (const record of ["1", "2", "3"]) {
    await bench.stepAndSettle((effects) => effects.keep("a", bytes(record)));
  }
}

test("a machine made in the place of one that threw is told that it is another", async () => {
  const bench = await open("newborn");
  const openings = [bench.context?.opening];
  for (let times = 0; times < 2; times++) {
    await bench.stepAndSettle(() => {
      throw new Error("a bug");
    });
    openings.push(bench.context?.opening);
  }
  const [first, second, third] = openings as [number, number, number];
  expect(first).toBe(0);
  expect(second).toBeGreaterThan(first);
  expect(third).toBeGreaterThan(second);
});

describe("a machine that applies later than it appends", () => {
  test("is fed, after a crash, what its state does not include", async () => {
    const first = await open("newborn");
    await first.stepAndSettle(appending("a", "b", "c", "d", "e"));
    await first.stepAndSettle((effects) => {
      effects.put(bytes("k"), bytes("of c"));
      effects.applied(seq(3));
    });
    disk.crash();
    const second = await open("kept");
    expect(second.eventsOf("opened").map(({ state }) => state)).toEqual([
      { origin: "kept", lastSequence: 5, appliedSequence: 3, durableSequence: 5 },
    ]);
    expect(second.replayed()).toEqual([4, 5]);
    expect(textAt(second, "k")).toBe("of c");
    expect(second.read((effects) => effects.append(bytes("f")))).toBe(6);
  });

  test("may have applied without a change to its state", async () => {
    const first = await open("newborn");
    await first.stepAndSettle(appending("a", "b"));
    await first.stepAndSettle((effects) => effects.applied(seq(2)));
    disk.crash();
    const second = await open("kept");
    expect(second.replayed()).toEqual([]);
    expect(second.eventsOf("opened")[0]?.state.appliedSequence).toBe(2);
  });

  test("finds mark and mutations together, whatever commits a power cut has taken", async () => {
    const first = await open("newborn");
    disk.state.syncMs = 10_000;
    await first.stepAndSettle(appending("a", "b", "c"));
    for (const n of [1, 2, 3]) {
      await first.stepAndSettle((effects) => {
        effects.put(bytes("k"), bytes(String(n)));
        effects.applied(seq(n));
      });
    }
    disk.crash({ commits: 2 });
    disk.state.syncMs = 0;
    const second = await open("kept");
    const applied = second.eventsOf("opened")[0]?.state.appliedSequence as number;
    expect(textAt(second, "k")).toBe(applied === 0 ? undefined : String(applied));
    expect(second.replayed()).toEqual([1, 2, 3].filter((n) => n > applied));
    expect(applied).toBeLessThan(3);
  });

  // A step that waits for the log has no mark in the state yet, but its machine's successor sees it.
  test("is not fed again, made anew, what a waiting step has applied", async () => {
    const bench = await open("newborn");
    disk.log.syncMs = 20;
    bench.step((effects) => {
      effects.append(bytes("a"));
      effects.append(bytes("b"));
      effects.put(bytes("k"), bytes("of a"));
      effects.applied(seq(1));
    });
    bench.step(() => {
      throw new Error("a bug");
    });
    await bench.settle();
    expect(bench.made).toBe(2);
    const [, again] = bench.eventsOf("opened");
    const expected = { lastSequence: 2, appliedSequence: 1, durableSequence: 0 };
    expect(again?.state).toMatchObject(expected);
    expect(bench.replayed()).toEqual([2]);
    expect(textAt(bench, "k")).toBe("of a");
    time.advance(30);
    expect(bench.eventsOf("durable").map(({ sequence }) => sequence)).toEqual([2]);
  });

  test("begins anew with memory storage, and goes on where it was when it is made anew", async () => {
    const storage: Storage = await memoryStorage({}, context());
    const bench = await MachineBench.open({ time, storage, origin: "newborn" });
    await bench.stepAndSettle(appending("a", "b", "c"));
    await bench.stepAndSettle((effects) => {
      effects.put(bytes("k"), bytes("v"));
      effects.applied(seq(2));
    });
    bench.step(() => {
      throw new Error("a bug");
    });
    await bench.settle();
    expect(bench.replayed()).toEqual([3]);
    expect(textAt(bench, "k")).toBe("v");
  });

  test("says only what can be: what it has applied is in the log, and never less than before", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle(appending("a", "b", "c"));
    await bench.stepAndSettle((effects) => effects.applied(seq(2)));
    expect(refusalOf(bench, (effects) => effects.applied(seq(1)))).toContain("at least 2");
    expect(refusalOf(bench, (effects) => effects.truncateSuffix(seq(1)))).toContain("at least 2");
    expect(refusalOf(bench, (effects) => effects.truncateSuffix(1.5 as never))).toContain("1.5");
    expect(refusalOf(bench, (effects) => effects.resetLog(seq(0)))).toContain("at least 1");
    // What can be judged at the end of the step alone fails the step.
    bench.step((effects) => effects.applied(seq(4)));
    await bench.settle();
    bench.step((effects) => effects.resetLog(seq(9)));
    await bench.settle();
    expect(bench.notices).toMatchObject([
      { type: "machine-failed", message: "applied(4) is above the newest record 3" },
      { type: "machine-failed", message: "resetLog(9) leaves a hole: the state includes 2" },
    ]);
    expect(await texts(bench, 1)).toEqual(["1 a", "2 b", "3 c"]);
  });

  test("and no other machine can", async () => {
    const bench = await open("newborn", { appliesLater: false });
    const calls: [string, BenchStep][] = [
      ["applied", (effects) => effects.applied(seq(0))],
      ["truncateSuffix", (effects) => effects.truncateSuffix(seq(0))],
      ["resetLog", (effects) => effects.resetLog(seq(1))],
      ["beginNext", (effects) => effects.beginNext()],
      ["putNext", (effects) => effects.putNext(bytes("k"), bytes("v"))],
      ["switchToNext", (effects) => effects.switchToNext()],
    ];
    for (const [name, call] of calls) {
      const expected = `${name} is for machines that apply later than they append`;
      expect(refusalOf(bench, call)).toBe(expected);
    }
  });
});

describe("what a step does to its log", () => {
  test("is done in its order: a suffix goes, and others take its place", async () => {
    const first = await open("newborn");
    await first.stepAndSettle(appending("a", "b", "c"));
    const sequences: number[] = [];
    await first.stepAndSettle((effects) => {
      sequences.push(effects.append(bytes("d")));
      effects.truncateSuffix(seq(1));
      sequences.push(effects.append(bytes("B")), effects.append(bytes("C")));
      say(effects, "done");
    });
    expect(sequences).toEqual([4, 2, 3]);
    expect(first.said).toEqual(["done"]);
    const expected = ["1 a", "2 B", "3 C"];
    expect(await texts(first, 1)).toEqual(expected);
    disk.crash();
    const second = await open("kept");
    expect(second.replayed()).toEqual([1, 2, 3]);
    expect(await texts(second, 1)).toEqual(expected);
  });

  test("is a beginning of that order after a power cut in the middle", async () => {
    for (const [kept, expected] of [
      [0, ["1 a", "2 b"]],
      [1, ["1 a"]],
      [2, ["1 a", "2 B"]],
    ] as const) {
      disk = new PersistentMemoryDisk();
      const first = await open("newborn");
      await first.stepAndSettle(appending("a", "b"));
      first.step((effects) => {
        effects.truncateSuffix(seq(1));
        effects.append(bytes("B"));
        effects.append(bytes("C"));
      });
      disk.crash({ logEntries: kept });
      expect(await texts(await open("kept"), 1)).toEqual(expected);
    }
  });

  test("may be a cut at or above the end, which is none", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle(appending("a"));
    const entries = disk.log.entries.length;
    await bench.stepAndSettle((effects) => {
      effects.truncateSuffix(seq(1));
      effects.truncateSuffix(seq(7));
    });
    expect(disk.log.entries.length).toBe(entries);
    expect(bench.read((effects) => effects.append(bytes("b")))).toBe(2);
  });

  // Its successor counts its reads anew: the answer would be taken for that to one of its own.
  test("is read for the machine that has asked, and for none that is made in its place", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle(appending("a", "b"));
    bench.step((effects) => effects.readLog(7, seq(1), 1_000));
    bench.step(() => {
      throw new Error("a bug");
    });
    await bench.settle();
    expect(bench.made).toBe(2);
    expect(bench.eventsOf("log-records")).toEqual([]);
  });

  test("is read back while it is on its way", async () => {
    const bench = await open("newborn");
    disk.log.syncMs = 50;
    bench.step((effects) => {
      effects.append(bytes("a"));
      effects.append(bytes("b"));
      effects.readLog(7, seq(2), 1_000);
    });
    await bench.settle();
    const [found] = bench.eventsOf("log-records");
    expect(found).toMatchObject({ token: 7, end: true });
    expect(found?.records.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["b"]);
    expect(bench.storage.log.durablePosition).toBeLessThan(bench.storage.log.lastPosition);
  });
});

describe("the log of a machine that applies later", () => {
  test("is held as a whole until the machine says what it can spare", async () => {
    const bench = await open("newborn");
    for (const n of [1, 2, 3, 4]) {
      await bench.stepAndSettle((effects) => {
        effects.append(bytes(String(n)));
        effects.applied(seq(n));
      });
    }
    expect(await firstReadable(bench)).toBe(1);
    await bench.stepAndSettle((effects) => effects.releaseLog(seq(3)));
    await moveOn(bench);
    expect(await firstReadable(bench)).toBe(3);
  });

  test("goes only below what the durable state includes", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle(appending("a", "b", "c", "d"));
    await bench.stepAndSettle((effects) => {
      effects.applied(seq(2));
      effects.releaseLog(seq(5));
    });
    await moveOn(bench);
    expect(await firstReadable(bench)).toBe(3);
  });

  // What is applied without an append is committed at a position that an earlier commit has too.
  test("is not dropped because an earlier commit of the same position is durable", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle(appending("a", "b", "c"));
    await bench.stepAndSettle((effects) => effects.applied(seq(1)));
    disk.state.syncMs = 60_000;
    await bench.stepAndSettle((effects) => {
      effects.put(bytes("k"), bytes("of c"));
      effects.applied(seq(3));
      effects.releaseLog(seq(4));
    });
    await moveOn(bench);
    expect(await firstReadable(bench)).toBe(1);
    expect(bench.storage.state.durablePosition).toBeLessThan(bench.storage.log.lastPosition);
    disk.state.syncMs = 0;
    time.advance(60_000);
    await moveOn(bench);
    expect(await firstReadable(bench)).toBe(4);
  });
});

describe("a machine that applies later, whose shard is fenced", () => {
  /** Five records, of which the state includes three. */
  async function filled(options: Partial<BenchOptions> = {}): Promise<MachineBench> {
    const bench = await open("newborn", options);
    await bench.stepAndSettle(appending("a", "b", "c", "d", "e"));
    await bench.stepAndSettle((effects) => {
      effects.put(bytes("k"), bytes("of c"));
      effects.applied(seq(3));
    });
    return bench;
  }

  function openedState(bench: MachineBench) {
    return bench.eventsOf("opened").at(-1)?.state;
  }

  test("goes on behind what its state includes where its log is damaged", async () => {
    await filled();
    disk.crash();
    disk.damageLog(BENCH_SHARD);
    const again = await open("kept");
    const expected = { origin: "empty", lastSequence: 3, appliedSequence: 3 };
    expect(openedState(again)).toMatchObject(expected);
    expect(again.replayed()).toEqual([]);
    expect(textAt(again, "k")).toBe("of c");
    // Its sequences are its own: none is left out, as where the node numbers the records.
    expect(again.read((effects) => effects.append(bytes("D")))).toBe(4);
    await again.settle();
    disk.crash();
    const third = await open("kept");
    expect(third.replayed()).toEqual([4]);
    expect(openedState(third)?.origin).toBe("kept");
  });

  test("is fed its whole log where its state is damaged, if that is all there", async () => {
    await filled();
    disk.crash();
    disk.damageShard(BENCH_SHARD);
    const again = await open("kept");
    await again.settle();
    expect(openedState(again)).toMatchObject({ origin: "empty", appliedSequence: 0 });
    expect(again.replayed()).toEqual([1, 2, 3, 4, 5]);
    expect(textAt(again, "k")).toBeUndefined();
  });

  test("and has nothing where that log begins in the middle: what is left says nothing to it", async () => {
    const bench = await filled();
    await bench.stepAndSettle((effects) => effects.releaseLog(seq(4)));
    await moveOn(bench);
    expect(await firstReadable(bench)).toBe(4);
    disk.damageShard(BENCH_SHARD);
    let refusal: unknown;
    bench.step((effects) => {
      try {
        effects.get(bytes("k"));
      } catch (error) {
        refusal = error;
        throw error;
      }
    });
    await bench.settle();
    expect(refusal).toBeInstanceOf(Error);
    const expected = { origin: "empty", lastSequence: 0, appliedSequence: 0 };
    expect(openedState(bench)).toMatchObject(expected);
    expect(bench.replayed()).toEqual([]);
    expect(bench.read((effects) => effects.append(bytes("A")))).toBe(1);
  });

  test("forgets what it had on its way: no step is half in the state that begins anew", async () => {
    const bench = await filled();
    disk.log.syncMs = 50;
    bench.step((effects) => {
      effects.append(bytes("f"));
      effects.put(bytes("late"), bytes("of d"));
      effects.applied(seq(4));
      say(effects, "applied");
    });
    disk.damageShard(BENCH_SHARD);
    bench.step((effects) => {
      effects.get(bytes("k"));
    });
    time.advance(200);
    await bench.settle();
    expect(openedState(bench)).toMatchObject({ origin: "empty", appliedSequence: 0 });
    expect(textAt(bench, "late")).toBeUndefined();
    expect(bench.said).toEqual([]);
  });

  test("has to learn after a power cut that its durability does not cover", async () => {
    const bench = await open("newborn", { durability: "os" });
    await bench.stepAndSettle(appending("a"));
    disk.crash();
    const again = await open("kept", { durability: "os" });
    expect(again.notices.map(({ type }) => type)).toEqual(["shards-incomplete"]);
    expect(openedState(again)).toMatchObject({ origin: "empty", lastSequence: 0 });
    expect(bench.said).toEqual([]);
  });
});

describe("notices of durability", () => {
  function sequencesOf(bench: MachineBench): number[] {
    return bench.eventsOf("durable").map(({ sequence }) => sequence);
  }

  test("come once per sync, with the newest record that it covers", async () => {
    const bench = await open("newborn");
    disk.log.syncMs = 20;
    bench.step(appending("a", "b"));
    await bench.settle();
    bench.step(appending("c"));
    expect(sequencesOf(bench)).toEqual([]);
    time.advance(20);
    expect(sequencesOf(bench)).toEqual([2]);
    time.advance(20);
    expect(sequencesOf(bench)).toEqual([2, 3]);
  });

  test("are never about a record that was cut, though another has its sequence", async () => {
    const bench = await open("newborn");
    disk.log.syncMs = 20;
    bench.step(appending("a", "b", "c"));
    await bench.settle();
    bench.step((effects) => {
      effects.truncateSuffix(seq(1));
      effects.append(bytes("B"));
    });
    time.advance(20);
    // The sync that was under way had `b` as well; but the second record is `B` by now.
    expect(sequencesOf(bench)).toEqual([1]);
    time.advance(20);
    expect(sequencesOf(bench)).toEqual([1, 2]);
  });

  test("nor when the cut comes between the notice and its step", async () => {
    const bench = await open("newborn");
    disk.log.syncMs = 20;
    bench.step(appending("a", "b", "c"));
    await bench.settle();
    bench.arrive((effects) => {
      effects.truncateSuffix(seq(1));
      effects.append(bytes("B"));
    });
    time.advance(20);
    expect(sequencesOf(bench)).toEqual([1]);
    time.advance(20);
    expect(sequencesOf(bench)).toEqual([1, 2]);
  });

  test("speak of the log as it was reset", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle(appending("a", "b", "c", "d"));
    await bench.stepAndSettle((effects) => effects.applied(seq(2)));
    disk.log.syncMs = 20;
    bench.step(appending("e"));
    await bench.settle();
    bench.step((effects) => {
      effects.resetLog(seq(3));
      effects.append(bytes("C"));
    });
    time.advance(20);
    time.advance(20);
    expect(sequencesOf(bench).at(-1)).toBe(3);
    expect(Math.max(...sequencesOf(bench).slice(1))).toBe(3);
    expect(await texts(bench, 3)).toEqual(["3 C"]);
  });
});
