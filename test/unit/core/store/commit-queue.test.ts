import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import type {
  LogStore,
  StateBatch,
  StateMutation,
  StateStore,
} from "../../../../src/core/contracts/storage.ts";
import type { LogPosition, LogSequence, NodeId, ShardId } from "../../../../src/core/model/ids.ts";
import { CommitQueue } from "../../../../src/core/store/commit-queue.ts";
import type { MachineCell } from "../../../../src/core/store/machine-cell.ts";
import { ShardState } from "../../../../src/core/store/shard-state.ts";
import type { Word } from "../../../../src/core/store/words.ts";
import { MemoryStateStore } from "../../../../src/storage/memory/memory-state-store.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

/** A queue over a log whose durability the test decides, with everything that leaves it. */
class Bench {
  readonly said: string[] = [];
  readonly commits: StateBatch[] = [];
  readonly #state = new MemoryStateStore(new VirtualEnvironment());
  readonly #log = { durablePosition: 0 as LogPosition };
  readonly queue: CommitQueue;
  /** Called with every word that is spoken. */
  onWord: (text: string) => void = () => undefined;
  #position = 0;

  constructor() {
    const commit = (batch: StateBatch): void => {
      this.commits.push(batch);
      this.said.push(`commit ${batch.mutations.map(keyOf).join(",")}`);
      this.#state.commit(batch);
    };
    this.queue = new CommitQueue({
      log: this.#log as unknown as LogStore,
      state: { commit } as unknown as StateStore,
      speak: (_cell, words) => {
        for (const word of words) {
          const text = word.type === "send" ? String(word.message) : word.type;
          this.said.push(`say ${text}`);
          this.onWord(text);
        }
      },
      appliedMark: () => undefined,
    });
  }

  cell(shard: number): MachineCell {
    const shardId = shard as ShardId;
    return {
      shardId,
      state: new ShardState(this.#state, shardId),
      lastPosition: 0,
      lastSequence: 0,
      waitingGroups: 0,
    } as unknown as MachineCell;
  }

  /** One step of the machine: an append, what it puts, what it says. */
  step(cell: MachineCell, append: boolean, puts: readonly string[], says: readonly string[]): void {
    if (append) {
      cell.lastPosition = ++this.#position as LogPosition;
      cell.lastSequence = (cell.lastSequence + 1) as LogSequence;
    }
    const mutations = puts.map(
      (key): StateMutation => ({
        type: "put",
        shard: cell.shardId,
        space: "data",
        key: Buffer.from(key),
        value: Buffer.from("v"),
      }),
    );
    this.queue.add(cell, mutations, says.map(wordOf));
  }

  durable(position: number): void {
    this.#log.durablePosition = position as LogPosition;
    this.queue.release(position as LogPosition);
  }
}

function wordOf(text: string): Word {
  return {
    type: "send",
    node: "n" as NodeId,
    role: "replica",
    shardIndex: 0,
    message: text,
    lane: "log",
  };
}

function keyOf(mutation: StateMutation): string {
  return "key" in mutation ? Buffer.from(mutation.key).toString() : mutation.type;
}

describe("words after durability", () => {
  test("nothing is committed or said before the step's records are durable", () => {
    const bench = new Bench();
    const cell = bench.cell(1);
    bench.step(cell, true, ["a"], ["ack a"]);
    expect(bench.said).toEqual([]);
    expect(bench.queue.length).toBe(1);
    // But the machine sees what it has put.
    expect(cell.state.get(Buffer.from("a"))).toBeDefined();
    bench.durable(1);
    expect(bench.said).toEqual(["commit a", "say ack a"]);
    expect(bench.queue.length).toBe(0);
    expect(cell.state.get(Buffer.from("a"))).toBeDefined();
  });

  test("words without a record wait for the earlier records of their shard", () => {
    const bench = new Bench();
    const cell = bench.cell(1);
    bench.step(cell, true, ["a"], []);
    bench.step(cell, false, [], ["what a read saw"]);
    expect(bench.said).toEqual([]);
    bench.durable(1);
    expect(bench.said).toEqual(["commit a", "say what a read saw"]);
  });

  // They used to wait behind whatever any shard of the node had not synced yet.
  test("and for no other shard's", () => {
    const bench = new Bench();
    bench.step(bench.cell(1), true, ["a"], ["ack a"]);
    bench.step(bench.cell(2), false, [], ["read of another shard"]);
    expect(bench.said).toEqual(["say read of another shard"]);
  });

  test("one machine's words stay in the order of its steps", () => {
    const bench = new Bench();
    const first = bench.cell(1);
    const second = bench.cell(2);
    bench.step(first, true, ["a"], ["ack a"]);
    // No record of its own, but a change: in the order of the steps of all shards.
    bench.step(second, false, ["side"], ["one"]);
    bench.step(second, false, [], ["two"]);
    expect(bench.said).toEqual([]);
    bench.durable(1);
    expect(bench.said).toEqual(["commit a,side", "say ack a", "say one", "say two"]);
  });

  test("groups are released up to the durable position, in order, whatever the shard", () => {
    const bench = new Bench();
    const first = bench.cell(1);
    const second = bench.cell(2);
    bench.step(first, true, ["a"], ["ack a"]);
    bench.step(second, true, ["b"], ["ack b"]);
    bench.step(first, true, ["c"], ["ack c"]);
    bench.durable(2);
    expect(bench.said).toEqual(["commit a,b", "say ack a", "say ack b"]);
    bench.durable(3);
    expect(bench.said.slice(3)).toEqual(["commit c", "say ack c"]);
    expect(bench.commits.map(({ position }) => position)).toEqual([2, 3]);
  });

  test("what is durable already is committed and said at once", () => {
    const bench = new Bench();
    const cell = bench.cell(1);
    bench.step(cell, true, ["a"], []);
    bench.durable(1);
    bench.step(cell, false, ["b"], ["b"]);
    expect(bench.said).toEqual(["commit a", "commit b", "say b"]);
  });

  test("a step that a word leads to, within the release, keeps its place", () => {
    const bench = new Bench();
    const cell = bench.cell(1);
    bench.onWord = (text) => {
      if (text === "ack a") bench.step(cell, true, ["d"], ["ack d"]);
    };
    bench.step(cell, true, ["a"], ["ack a"]);
    bench.step(cell, true, ["b"], ["ack b"]);
    bench.durable(2);
    expect(bench.said).toEqual(["commit a,b", "say ack a", "say ack b"]);
    bench.durable(3);
    expect(bench.said.slice(3)).toEqual(["commit d", "say ack d"]);
  });

  test("nor does one that has nothing to wait for overtake what is being said", () => {
    const bench = new Bench();
    const cell = bench.cell(1);
    bench.onWord = (text) => {
      if (text === "ack a") bench.step(cell, false, ["d"], ["d"]);
    };
    bench.step(cell, true, ["a"], ["ack a"]);
    bench.step(cell, true, ["b"], ["ack b"]);
    bench.durable(2);
    expect(bench.said).toEqual(["commit a,b", "say ack a", "say ack b", "commit d", "say d"]);
    expect(bench.queue.length).toBe(0);
  });

  test("a younger version that waits is not uncovered by an older one's commit", () => {
    const bench = new Bench();
    const cell = bench.cell(1);
    bench.step(cell, true, ["a"], []);
    bench.step(cell, true, ["a", "b"], []);
    bench.durable(1);
    expect(cell.state.get(Buffer.from("a"))).toBeDefined();
    expect(cell.state.get(Buffer.from("b"))).toBeDefined();
    bench.durable(2);
    expect(cell.state.range(undefined, undefined, 1_000).entries).toHaveLength(2);
  });

  // Once the queue let go of what it had said only when nothing waited any more: under a steady load
  // never.
  test("what was said is let go of, though something always waits", async () => {
    const log = { durablePosition: 0 as LogPosition };
    const queue = new CommitQueue({
      log: log as unknown as LogStore,
      state: { commit: () => undefined } as unknown as StateStore,
      speak: () => undefined,
      appliedMark: () => undefined,
    });
    const cell = new Bench().cell(1);
    const said: WeakRef<object>[] = [];
    for (let at = 1; at <= 50; at++) {
      const message = { at };
      said.push(new WeakRef(message));
      cell.lastPosition = at as LogPosition;
      queue.add(cell, [], [{ ...wordOf(""), message } as Word]);
      log.durablePosition = (at - 1) as LogPosition;
      queue.release(log.durablePosition);
    }
    expect(queue.length).toBe(1);
    setFlagsFromString("--expose-gc");
    // What a weak reference was made for lives until its turn has ended.
    await new Promise((resolve) => setImmediate(resolve));
    runInNewContext("gc")();
    expect(said.filter((message) => message.deref() !== undefined).length).toBeLessThan(5);
  });
});
