import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { LogSequence } from "../../../../src/core/model/ids.ts";
import { diskHarness } from "../../../support/disk-harness.ts";
import {
  BENCH_SHARD,
  type BenchOptions,
  type BenchStep,
  MachineBench,
  say,
} from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { runBeside } from "../../../support/run-beside.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

let time: VirtualTime;
let disk: PersistentMemoryDisk;

beforeEach(() => {
  time = new VirtualTime();
  disk = new PersistentMemoryDisk();
});

async function open(
  origin: "newborn" | "kept",
  options: Partial<BenchOptions> = {},
): Promise<MachineBench> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await disk.factory({}, context);
  return MachineBench.open({ time, storage, origin, ...options });
}

function seq(sequence: number): LogSequence {
  return sequence as LogSequence;
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString("utf8");
}

/** What the replica's state holds, data and side, and where its log goes on. */
function picture(bench: MachineBench): Record<string, unknown> {
  return bench.read((effects) => ({
    data: effects
      .range(undefined, undefined, 10_000)
      .entries.map(({ key, value }) => `${text(key)}=${text(value)}`),
    side: text(effects.getSide(bytes("about"))),
    next: effects.append(bytes("next")),
  }));
}

/** Four records, of which the state includes two. */
const OLD = { data: ["k=old", "only=old"], side: "old" };

async function fill(bench: MachineBench): Promise<void> {
  await bench.stepAndSettle((effects) => {
    for (const payload of ["a", "b", "c", "d"]) effects.append(bytes(payload));
    effects.put(bytes("k"), bytes("old"));
    effects.put(bytes("only"), bytes("old"));
    effects.putSide(bytes("about"), bytes("old"));
    effects.applied(seq(2));
  });
}

/** A snapshot up to 10, in three steps, and its switch; `eleven` comes behind it at once. */
const NEW = { data: ["k=new", "x=new", "y=new"], side: "new" };
const CHUNKS: readonly BenchStep[] = [
  (effects) => {
    effects.beginNext();
    effects.putNext(bytes("k"), bytes("new"));
  },
  (effects) => effects.putNext(bytes("x"), bytes("new")),
  (effects) => effects.putSideNext(bytes("about"), bytes("new")),
];

const install: BenchStep = (effects) => {
  effects.putNext(bytes("y"), bytes("new"));
  effects.switchToNext();
  effects.resetLog(seq(11));
  effects.applied(seq(10));
  effects.append(bytes("eleven"));
  say(effects, "installed");
};

describe("a generation that a machine builds beside its state", () => {
  test("is seen with the switch, whole, in data and side, and not before", async () => {
    const bench = await open("newborn");
    await fill(bench);
    for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
    expect(bench.read((effects) => text(effects.get(bytes("k"))))).toBe("old");
    expect(bench.read((effects) => effects.get(bytes("x")))).toBeUndefined();
    await bench.stepAndSettle(install);
    expect(picture(bench)).toEqual({ ...NEW, next: 12 });
    await bench.settle();
    disk.crash();
    const again = await open("kept");
    expect(again.replayed()).toEqual([11, 12]);
    expect(picture(again)).toEqual({ ...NEW, next: 13 });
  });

  test("takes what comes after the switch in its step, and may keep the log", async () => {
    const bench = await open("newborn");
    await fill(bench);
    for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
    await bench.stepAndSettle((effects) => {
      effects.switchToNext();
      effects.put(bytes("z"), bytes("after"));
      effects.putSide(bytes("about"), bytes("after"));
      effects.applied(seq(3));
    });
    disk.crash();
    const again = await open("kept");
    expect(again.replayed()).toEqual([4]);
    const data = ["k=new", "x=new", "z=after"];
    expect(picture(again)).toEqual({ data, side: "after", next: 5 });
  });

  test("can be given up, and begun again", async () => {
    const bench = await open("newborn");
    await fill(bench);
    await bench.stepAndSettle((effects) => {
      effects.beginNext();
      effects.putNext(bytes("stale"), bytes("1"));
    });
    await bench.stepAndSettle((effects) => effects.dropNext());
    await bench.stepAndSettle((effects) => {
      effects.beginNext();
      effects.putNext(bytes("stale too"), bytes("1"));
    });
    for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
    await bench.stepAndSettle(install);
    expect(picture(bench)).toEqual({ ...NEW, next: 12 });
  });

  test("goes with its machine, when that is made anew, and with the process", async () => {
    const bench = await open("newborn");
    await fill(bench);
    await bench.stepAndSettle(CHUNKS[0] as BenchStep);
    await bench.stepAndSettle(() => {
      throw new Error("a bug");
    });
    let message = "";
    const tryPut = (on: MachineBench) =>
      on.step((effects) => {
        try {
          effects.putNext(bytes("x"), bytes("new"));
        } catch (error) {
          message = (error as Error).message;
        }
      });
    tryPut(bench);
    expect(message).toBe("putNext without beginNext");
    for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
    disk.crash();
    message = "";
    const again = await open("kept");
    tryPut(again);
    expect(message).toBe("putNext without beginNext");
    expect(picture(again)).toEqual({ ...OLD, next: 5 });
  });

  test("is not read, and not left without a word on how far it is, in the step of its switch", async () => {
    const bench = await open("newborn");
    const messages: string[] = [];
    bench.step((effects) => {
      effects.beginNext();
      effects.switchToNext();
      effects.applied(seq(0));
      try {
        effects.get(bytes("k"));
      } catch (error) {
        messages.push((error as Error).message);
      }
    });
    await bench.settle();
    expect(messages).toEqual(["get must come before switchToNext"]);
    await bench.stepAndSettle((effects) => {
      effects.beginNext();
      effects.switchToNext();
    });
    expect(bench.notices).toMatchObject([
      { message: "switchToNext without applied: how far is the new state?" },
    ]);
  });
});

describe("while a switch becomes durable", () => {
  test("the machine is fed nothing and says nothing; then all of it, in its order", async () => {
    const bench = await open("newborn");
    await fill(bench);
    for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
    disk.state.syncMs = 500;
    const fed: string[] = [];
    await bench.stepAndSettle(install);
    for (const name of ["one", "two", "three"]) {
      await bench.stepAndSettle((effects) => {
        fed.push(`${name} sees ${text(effects.get(bytes("k")))}`);
        say(effects, name);
      });
    }
    time.advance(400);
    expect([fed, bench.said]).toEqual([[], []]);
    time.advance(200);
    await bench.settle();
    expect(fed).toEqual(["one sees new", "two sees new", "three sees new"]);
    expect(bench.said).toEqual(["installed", "one", "two", "three"]);
  });
});

test("while a switch becomes durable messages are held up to a bound, and timers all", async () => {
  const bench = await open("newborn");
  await fill(bench);
  for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
  bench.step((effects) => effects.setTimer("ring", 100));
  disk.state.syncMs = 500;
  await bench.stepAndSettle(install);
  let steps = 0;
  for (let message = 0; message < 1_100; message++) {
    bench.step(() => {
      steps += 1;
    });
  }
  time.advance(200);
  expect(bench.eventsOf("timer")).toEqual([]);
  time.advance(300);
  await bench.settle();
  // Whatever else is held has its place among them.
  expect(steps).toBeGreaterThan(1_000);
  expect(steps).toBeLessThanOrEqual(1_024);
  expect(bench.eventsOf("timer")).toHaveLength(1);
});

test("while a switch becomes durable nobody reads the shard outside a step", async () => {
  const bench = await open("newborn");
  const read = () => text(bench.coordinatorContext?.servingState(0)?.get(bytes("k")));
  await fill(bench);
  for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
  expect(read()).toBe("old");
  disk.state.syncMs = 500;
  await bench.stepAndSettle(install);
  expect(bench.coordinatorContext?.servingState(0)).toBeUndefined();
  time.advance(500);
  await bench.settle();
  expect(read()).toBe("new");
});

describe("a crash around a switch", () => {
  /** What the log and the state have of it, as the disk allows it: the state never without the log. */
  async function afterCrash(logEntries: number, commits: number): Promise<MachineBench> {
    time = new VirtualTime();
    disk = new PersistentMemoryDisk();
    const bench = await open("newborn");
    await fill(bench);
    for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
    disk.state.syncMs = 10_000;
    bench.step(install);
    if (commits > 0) await bench.settle();
    disk.crash({ logEntries, commits });
    disk.state.syncMs = 0;
    return open("kept");
  }

  test.each([0, 1, 2, 3])(
    "leaves the old generation, with a log that goes on behind it (%i records of the switch)",
    async (entries) => {
      const again = await afterCrash(entries, 0);
      const { lastSequence, appliedSequence } = again.eventsOf("opened").at(-1)?.state ?? {};
      expect(appliedSequence).toBe(2);
      // Before anything of the switch was in the log it is as it was; then it is given up.
      const isIntact = entries === 0;
      expect(lastSequence).toBe(isIntact ? 4 : 2);
      expect(again.replayed()).toEqual(isIntact ? [3, 4] : []);
      expect(again.notices).toEqual([]);
      expect(picture(again)).toEqual({ ...OLD, next: isIntact ? 5 : 3 });
      await again.settle();
      // And another crash finds the same, with what came after.
      disk.crash();
      const third = await open("kept");
      expect(third.replayed()).toEqual(isIntact ? [3, 4, 5] : [3]);
      expect(third.notices).toEqual([]);
    },
  );

  test("leaves the new generation once the state has it", async () => {
    const again = await afterCrash(0, 100);
    expect(again.eventsOf("opened").at(-1)?.state.appliedSequence).toBe(10);
    expect(again.replayed()).toEqual([11]);
    expect(again.notices).toEqual([]);
    expect(picture(again)).toEqual({ ...NEW, next: 12 });
  });

  test("and with a damaged state fences the shard, which then has nothing", async () => {
    await afterCrash(3, 0);
    disk.damageShard(BENCH_SHARD);
    disk.crash();
    const again = await open("kept");
    expect(again.notices.map(({ type }) => type)).toEqual(["shard-damaged"]);
    const opened = again.eventsOf("opened").at(-1)?.state;
    expect(opened).toMatchObject({ origin: "empty", appliedSequence: 0, lastSequence: 0 });
  });

  test("and so does one in the middle of putting it right", async () => {
    await afterCrash(3, 0);
    // The opening has given up the log, and none of that has reached the disk.
    disk.crash();
    const third = await open("kept");
    expect(picture(third)).toEqual({ ...OLD, next: 3 });
    expect(third.notices).toEqual([]);
  });
});

describe("on a real disk", { timeout: 30_000 }, () => {
  const diskTime = new VirtualTime();
  const harness = diskHarness(diskTime);
  afterAll(() => harness.remove());

  /** The longest that is allowed: nothing is written but what is hastened. */
  const SELDOM = { commitInterval: 60_000 };

  /** Opened as what `previous` has left there, if there was one. */
  async function openOn(previous?: MachineBench): Promise<MachineBench> {
    const storage = await runBeside(diskTime, harness.open(previous?.storage, SELDOM));
    const origin = previous === undefined ? "newborn" : "kept";
    const bench = await MachineBench.open({ time: diskTime, storage, origin });
    await eventually(() => bench.eventsOf("opened").length > 0);
    return bench;
  }

  function eventually(condition: () => boolean): Promise<void> {
    const met = async (): Promise<void> => {
      while (!condition()) await new Promise((resolve) => setImmediate(resolve));
    };
    return runBeside(diskTime, met());
  }

  /** With the old state and the chunks of the new one in the file. */
  async function prepared(): Promise<MachineBench> {
    const bench = await openOn();
    await fill(bench);
    for (const chunk of CHUNKS) await bench.stepAndSettle(chunk);
    const { log, state } = bench.storage;
    await eventually(() => log.durablePosition === log.lastPosition);
    await runBeside(diskTime, new Promise<void>((resolve) => state.hasten(resolve)));
    return bench;
  }

  test("a switch is in the file at once, not when the commit interval has passed", async () => {
    const bench = await prepared();
    bench.step(install);
    await eventually(() => bench.said.length > 0);
    await harness.crash?.(bench.storage);
    const again = await openOn(bench);
    await eventually(() => again.replayed().length > 0);
    expect(again.replayed()).toEqual([11]);
    expect(again.notices).toEqual([]);
    expect(picture(again)).toEqual({ ...NEW, next: 12 });
    await again.close();
  });

  test("a crash between the log's reset and the state's switch leaves the old generation", async () => {
    const bench = await prepared();
    const { log, state } = bench.storage;
    // Nothing reaches the file any more, while the log goes on.
    state.hasten = () => undefined;
    bench.step(install);
    await eventually(() => log.durablePosition === log.lastPosition);
    expect(bench.said).toEqual([]);
    await harness.crash?.(bench.storage);
    const again = await openOn(bench);
    const expected = { origin: "kept", lastSequence: 2, appliedSequence: 2 };
    expect(again.eventsOf("opened")[0]?.state).toMatchObject(expected);
    expect(again.notices).toEqual([]);
    expect(picture(again)).toEqual({ ...OLD, next: 3 });
    await again.close();
  });
});
