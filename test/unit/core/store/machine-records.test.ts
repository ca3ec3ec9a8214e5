import { beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { memoryStorage } from "../../../../src/storage/memory/memory-storage.ts";
import { BENCH_SHARD, MachineBench, say } from "../../../support/machine-bench.ts";
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
  options: { readonly durability?: "memory"; readonly onEvent?: () => void } = {},
): Promise<MachineBench> {
  const storage = await disk.factory({}, context());
  return MachineBench.open({ time, storage, origin, ...options });
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

function kept(bench: MachineBench, name: string): string | undefined {
  return bench.read((effects) => {
    const value = effects.kept(name);
    return value === undefined ? undefined : Buffer.from(value).toString("utf8");
  });
}

describe("what a replica keeps", () => {
  // A vote that is told before it is durable can be given twice.
  test.each([{ durability: "memory" as const }, {}])(
    "is durable before this step's words and later ones, whatever the durability (%j)",
    async (options) => {
      const bench = await open("newborn", options);
      disk.log.syncMs = 20;
      bench.step((effects) => {
        effects.keep("term", bytes("7"));
        say(effects, "vote");
        effects.sendBeforeDurable("n2" as never, "replica", 0, "early");
      });
      bench.step((effects) => say(effects, "later"));
      await bench.settle();
      expect(bench.said).toEqual(["early"]);
      time.advance(25);
      expect(bench.said).toEqual(["early", "vote", "later"]);
      expect(disk.log.synced).toBe(disk.log.entries.length);
      disk.crash();
      expect(kept(await open("kept"), "term")).toBe("7");
    },
  );

  test("is seen by its own step, by later ones and by `opened`", async () => {
    const bench = await open("newborn");
    const seen = bench.read((effects) => {
      effects.keep("a", bytes("1"));
      return effects.kept("a");
    });
    expect(seen).toEqual(bytes("1"));
    expect(kept(bench, "a")).toBe("1");
    await bench.settle();
    disk.crash();
    const found: unknown[] = [];
    const storage = await disk.factory({}, context());
    await MachineBench.open({
      ...{ time, storage, origin: "kept" },
      onEvent: (event, effects) => {
        if (event.type === "opened") found.push(effects.kept("a"));
      },
    });
    expect(found.map((value) => Buffer.from(value as Uint8Array))).toEqual([Buffer.from("1")]);
  });

  test("goes when it is told to, and nothing is written for what is the same", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle((effects) => effects.keep("a", bytes("1")));
    const entries = disk.log.entries.length;
    await bench.stepAndSettle((effects) => effects.keep("a", bytes("1")));
    await bench.stepAndSettle((effects) => effects.keep("b", undefined));
    expect(disk.log.entries.length).toBe(entries);
    await bench.stepAndSettle((effects) => effects.keep("a", undefined));
    expect(kept(bench, "a")).toBeUndefined();
    disk.crash();
    expect(kept(await open("kept"), "a")).toBeUndefined();
  });

  test("of a step that throws is not kept, and what was kept before outlives the renewal", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle((effects) => effects.keep("a", bytes("1")));
    bench.step((effects) => {
      effects.keep("a", bytes("2"));
      throw new Error("a bug");
    });
    await bench.settle();
    expect(bench.made).toBe(2);
    expect(kept(bench, "a")).toBe("1");
  });

  test("outlives a damaged log and a damaged state of its shard", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle((effects) => {
      effects.keep("a", bytes("1"));
      effects.append(bytes("record"));
      effects.put(bytes("k"), bytes("v"));
      effects.applied(1 as never);
    });
    disk.crash();
    disk.damageLog(BENCH_SHARD);
    const second = await open("kept");
    expect(second.notices.map(({ type }) => type)).toEqual(["shard-damaged"]);
    expect(kept(second, "a")).toBe("1");
    disk.crash();
    disk.damageShard(BENCH_SHARD);
    const third = await open("kept");
    expect(third.notices.map(({ type }) => type)).toEqual(["shard-damaged"]);
    expect(kept(third, "a")).toBe("1");
  });

  test("is gone where the store's data is disowned", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle((effects) => effects.keep("a", bytes("1")));
    await bench.storage.disown("an older copy");
    disk.crash();
    expect(kept(await open("newborn"), "a")).toBeUndefined();
  });

  test("lives in memory alone where nothing persists, and words wait for nothing more", async () => {
    const storage = await memoryStorage({}, context());
    const bench = await MachineBench.open({ time, storage, origin: "newborn" });
    bench.step((effects) => {
      effects.keep("a", bytes("1"));
      say(effects, "kept");
    });
    expect(bench.said).toEqual(["kept"]);
    bench.step(() => {
      throw new Error("a bug");
    });
    expect(kept(bench, "a")).toBe("1");
  });

  test.each([
    ["", 1, 'the name "" has 0 characters; allowed are 1 to 64'],
    ["n".repeat(65), 1, "has 65 characters; allowed are 1 to 64"],
    ["a", 4_097, 'the value of "a" has 4097 bytes; allowed are at most 4096'],
  ])("is refused as %j of %i bytes", async (name, length, message) => {
    const bench = await open("newborn");
    let refusal: unknown;
    bench.step((effects) => {
      try {
        effects.keep(name, new Uint8Array(length));
      } catch (error) {
        refusal = error;
      }
    });
    expect(refusal).toBeInstanceOf(RangeError);
    expect((refusal as Error).message).toContain(message);
  });
});
