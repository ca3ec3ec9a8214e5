import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type Generation,
  SPACES,
  type Space,
  type StateMutation,
  type StateStore,
  type StateView,
} from "../../../../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../../../src/core/model/ids.ts";
import { DiskStateStore } from "../../../../../src/storage/disk/state/disk-state-store.ts";
import type { WriteSlice } from "../../../../../src/storage/disk/state/file-writer.ts";
import { loadState } from "../../../../../src/storage/disk/state/load-state.ts";
import { openLmdbFile, type StateFile } from "../../../../../src/storage/disk/state/state-file.ts";
import { verifyEntries } from "../../../../../src/storage/disk/state/verify-entries.ts";
import { MemoryStateStore } from "../../../../../src/storage/memory/memory-state-store.ts";
import { type FileContent, MemoryStateFile } from "../../../../support/memory-state-file.ts";
import { runBeside } from "../../../../support/run-beside.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";
import { VirtualEnvironment } from "../../../../support/virtual-environment.ts";

const SETTINGS = { commitIntervalMs: 50, maxPendingBytes: 1 << 20, maxViewAgeMs: 60_000 };
const SHARDS = [1, 0x1234_5678_0002, 0xfedc_ba98_0003] as ShardId[];
const KEY_BYTES = [0, 97, 98, 255];

/** What the two stores under comparison call the same generation. */
interface GenerationPair {
  readonly shard: ShardId;
  readonly tested: Generation;
  readonly model: Generation;
}

/** A store over `file`, and the obvious one, to which the same is done. */
class Comparison {
  readonly environment = new VirtualEnvironment();
  readonly #random: SeededRandom;
  readonly #openFile: () => Promise<StateFile>;
  readonly #finishWrites: (file: StateFile) => void;
  readonly #slice: WriteSlice | undefined;
  #file: StateFile | undefined;
  tested!: DiskStateStore;
  model = new MemoryStateStore(this.environment);
  #pairs: GenerationPair[] = [];
  #views: { readonly tested: StateView; readonly model: StateView }[] = [];

  constructor(seed: number, openFile: () => Promise<StateFile>, finish: (file: StateFile) => void) {
    this.#random = new SeededRandom(seed);
    // So small that commits, switches and views come between a write's slices, in every other run.
    this.#slice = seed % 2 === 0 ? undefined : { entries: 2, bytes: 64 };
    this.#openFile = openFile;
    this.#finishWrites = finish;
  }

  get file(): StateFile {
    return this.#file as StateFile;
  }

  async open(): Promise<void> {
    this.#file = await this.#openFile();
    this.tested = new DiskStateStore(this.environment, SETTINGS, loadState(this.file, this.#slice));
    this.tested.start({
      onFailed: (error) => {
        throw error;
      },
    });
  }

  async close(): Promise<void> {
    for (const { tested, model } of this.#views.splice(0)) {
      tested.close();
      model.close();
    }
    let isClosed = false;
    const closing = this.tested.close().then(() => {
      isClosed = true;
    });
    while (!isClosed) {
      this.environment.runTurn();
      this.#finishWrites(this.file);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closing;
  }

  /** Generations beside are gone; of the model, what is current goes on in a new one. */
  async reopen(): Promise<void> {
    await this.close();
    const fresh = new MemoryStateStore(this.environment);
    const mutations = SHARDS.flatMap((shard) => contentOf(this.model, shard));
    fresh.commit({ mutations, position: this.model.committedPosition });
    this.model = fresh;
    this.#pairs = [];
    await this.open();
  }

  async step(): Promise<void> {
    const dice = this.#random.fraction();
    if (dice < 0.5) this.#commit();
    else if (dice < 0.6) this.#openView();
    else if (dice < 0.65) this.#closeView();
    else if (dice < 0.7) this.#give();
    else if (dice < 0.8) this.environment.advance(60);
    else if (dice < 0.9) {
      this.environment.runTurn();
      this.#finishWrites(this.file);
      await new Promise((resolve) => setImmediate(resolve));
    } else if (dice < 0.93 && this.file instanceof MemoryStateFile) this.file.show();
    else if (dice < 0.95) await this.reopen();
    this.#compare();
  }

  #commit(): void {
    const pairs = Array.from({ length: this.#below(8) }, () => this.#mutation());
    const position = (this.model.committedPosition + this.#below(3)) as LogPosition;
    this.tested.commit({ mutations: pairs.map(([tested]) => tested), position });
    this.model.commit({ mutations: pairs.map(([, model]) => model), position });
    const switched = new Set(
      pairs.flatMap(([{ type, shard }]) => (type === "switch-generation" ? [shard] : [])),
    );
    this.#pairs = this.#pairs.filter(({ shard }) => !switched.has(shard));
  }

  #mutation(): readonly [StateMutation, StateMutation] {
    const shard = this.#pick(SHARDS);
    const space = this.#pick(["data", "side"] as Space[]);
    const beside = this.#pairs.filter((pair) => pair.shard === shard);
    const pair = this.#below(3) === 0 ? beside[this.#below(beside.length)] : undefined;
    const both = (mutation: object): readonly [StateMutation, StateMutation] => [
      { ...mutation, shard, ...(pair && { generation: pair.tested }) } as StateMutation,
      { ...mutation, shard, ...(pair && { generation: pair.model }) } as StateMutation,
    ];
    const dice = this.#below(20);
    if (dice === 0 && pair !== undefined) {
      // Whatever else the batch does to the shard's other generations would be refused.
      this.#pairs = this.#pairs.filter((each) => each.shard !== shard);
      return both({ type: "switch-generation" });
    }
    if (dice < 3) {
      const [from, to] = [this.#key(), this.#key()];
      const bounds = {
        from: this.#below(4) ? from : undefined,
        to: this.#below(4) ? to : undefined,
      };
      return both({ type: "delete-range", space, ...bounds });
    }
    if (dice < 7) return both({ type: "delete", space, key: this.#key() });
    const value = this.#random.bytes(this.#below(7));
    return both({ type: "put", space, key: this.#key(), value });
  }

  #give(): void {
    const shard = this.#pick(SHARDS);
    const pair = {
      shard,
      tested: this.tested.newGeneration(shard),
      model: this.model.newGeneration(shard),
    };
    this.#pairs.push(pair);
  }

  #openView(): void {
    const shard = this.#pick(SHARDS);
    this.#views.push({ tested: this.tested.view(shard), model: this.model.view(shard) });
  }

  #closeView(): void {
    const [views] = this.#views.splice(this.#below(this.#views.length), 1);
    views?.tested.close();
    views?.model.close();
  }

  #compare(): void {
    const space = this.#pick(["data", "side"] as Space[]);
    const [from, to, key] = [this.#key(), this.#key(), this.#key()];
    const limit = this.#below(40);
    const ask = (store: StateStore): unknown => {
      const shards = SHARDS.map((shard) => {
        const view = store.view(shard);
        const answers = [view.range(space, from, to, limit), view.range(space, to, undefined, 1e9)];
        view.close();
        return [...answers, store.get(shard, space, key)].map(shown);
      });
      const listed = store.shards().map(({ shard }) => shard);
      return { shards, listed: listed.sort((a, b) => a - b), at: store.committedPosition };
    };
    expect(ask(this.tested)).toEqual(ask(this.model));
    for (const { tested, model } of this.#views) {
      const all = (view: StateView) => shown(view.range(space, undefined, undefined, 1e9));
      expect(all(tested)).toEqual(all(model));
      expect(shown(tested.get(space, key))).toEqual(shown(model.get(space, key)));
    }
  }

  #key(): Uint8Array {
    return Uint8Array.from({ length: this.#below(3) }, () => this.#pick(KEY_BYTES));
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }

  #below(end: number): number {
    return Math.floor(this.#random.fraction() * end);
  }
}

function contentOf(store: StateStore, shard: ShardId): StateMutation[] {
  const view = store.view(shard);
  const mutations = SPACES.flatMap((space) =>
    view
      .range(space, undefined, undefined, 1e9)
      .entries.map(({ key, value }): StateMutation => ({ type: "put", shard, space, key, value })),
  );
  view.close();
  return mutations;
}

/** Bytes of whatever class, as text. */
function shown(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shown(each)]));
}

/** A store over a file in memory, with what it says of failures. */
function overMemory(environment: VirtualEnvironment, content: FileContent = new Map()) {
  const file = new MemoryStateFile(content);
  const store = new DiskStateStore(environment, SETTINGS, loadState(file));
  const failures: Error[] = [];
  store.start({ onFailed: (error) => failures.push(error) });
  const put = (count: number): void => {
    const position = (store.committedPosition + 1) as LogPosition;
    const mutations = Array.from({ length: count }, (_, at): StateMutation => {
      const [shard] = SHARDS as [ShardId];
      const [key, value] = [Buffer.from(`key ${at}`), Buffer.from(`${position}`)];
      return { type: "put", shard, space: "data", key, value };
    });
    store.commit({ mutations, position });
  };
  return { file, store, failures, put };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Turn after turn until a write that has begun is made ready, and handed to the file. */
async function untilWriting(environment: VirtualEnvironment, file: MemoryStateFile): Promise<void> {
  for (let turns = 0; !file.isWriting; turns++) {
    if (turns > 1_000) throw new Error("nothing is written");
    environment.runTurn();
    await turn();
  }
}

test("commits wait for no more than the interval, one write is under way, and the next has all that came", async () => {
  const environment = new VirtualEnvironment();
  const { file, store, put } = overMemory(environment);
  put(1);
  environment.advance(16);
  expect(file.isWriting).toBe(false);
  environment.advance(34);
  expect(file.isWriting).toBe(true);
  put(2);
  put(3);
  environment.advance(1_000);
  expect(store.durablePosition).toBe(0);
  file.finish();
  await turn();
  expect(store.durablePosition).toBe(1);
  expect(store.pendingBytes).toBeGreaterThan(0);
  environment.advance(44);
  expect(file.isWriting).toBe(false);
  environment.advance(6);
  expect(file.isWriting).toBe(true);
  file.finish();
  await turn();
  expect([store.durablePosition, store.pendingBytes]).toEqual([3, 0]);
});

test("nodes that are given the same at the same time write at different times", () => {
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
  const begun = seeds.map((seed) => {
    const environment = new VirtualEnvironment({ seed });
    const { file, put } = overMemory(environment);
    put(1);
    let waitedMs = 0;
    for (; !file.isWriting && waitedMs < 50; waitedMs += 1) environment.advance(1);
    return waitedMs;
  });
  expect(new Set(begun).size).toBeGreaterThan(5);
});

test("many commits do not wait for the interval, and closing right then writes them once", async () => {
  const environment = new VirtualEnvironment();
  const { file, store, failures, put } = overMemory(environment);
  put(5_000);
  const closing = store.close();
  await untilWriting(environment, file);
  file.finish();
  await closing;
  environment.advance(1_000);
  expect(failures).toEqual([]);
  expect(store.durablePosition).toBe(1);
});

test("what is written again before it is in the file waits once", () => {
  const environment = new VirtualEnvironment();
  const { store, put } = overMemory(environment);
  put(5);
  const once = store.pendingBytes;
  put(5);
  expect(store.pendingBytes).toBe(once);
  put(6);
  expect(store.pendingBytes).toBeGreaterThan(once);
});

test("what is seen in the file before it is durable does not count as durable", async () => {
  const environment = new VirtualEnvironment();
  const { file, store, put } = overMemory(environment);
  put(1);
  environment.advance(50);
  file.show();
  await turn();
  expect(store.durablePosition).toBe(0);
  expect(store.pendingBytes).toBeGreaterThan(0);
});

test("what a switch drops goes from the file bit by bit, and all of it", async () => {
  const environment = new VirtualEnvironment();
  const { file, store, put } = overMemory(environment);
  const [shard] = SHARDS as [ShardId];
  const left = () => [...file.entries(Uint8Array.of(2), Uint8Array.of(3))].length;
  const writeOnce = async (): Promise<void> => {
    environment.advance(50);
    await untilWriting(environment, file);
    file.finish();
    await turn();
  };
  put(4_500);
  await writeOnce();
  const generation = store.newGeneration(shard);
  const mutations: StateMutation[] = [{ type: "switch-generation", shard, generation }];
  store.commit({ mutations, position: store.committedPosition });
  expect(store.shards()).toEqual([]);
  const seen: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await writeOnce();
    seen.push(left());
  }
  expect(seen).toEqual([2_500, 500, 0]);
  environment.advance(1_000);
  expect(file.isWriting).toBe(false);
});

// What a write is made of is settled when it begins, though it is made ready over many turns.
test("a switch that comes while a write is made ready is none of that write", async () => {
  const content: FileContent = new Map();
  const environment = new VirtualEnvironment();
  const { file, store, put } = overMemory(environment, content);
  const [shard] = SHARDS as [ShardId];
  put(2_000);
  environment.advance(50);
  expect(file.isWriting).toBe(false);
  const generation = store.newGeneration(shard);
  const entry = { shard, space: "data", key: Buffer.from("new"), value: Buffer.from("1") } as const;
  const mutations: StateMutation[] = [
    { type: "put", ...entry, generation },
    { type: "switch-generation", shard, generation },
  ];
  store.commit({ mutations, position: store.committedPosition });
  await untilWriting(environment, file);
  file.finish();
  const countAfterCrash = async (): Promise<number> => {
    const left = new MemoryStateFile(new Map(content));
    expect(await verifyEntries(left, environment)).toEqual(new Map());
    const reopened = new DiskStateStore(environment, SETTINGS, loadState(left));
    return reopened.view(shard).range("data", undefined, undefined, 1e9).entries.length;
  };
  expect(await countAfterCrash()).toBe(2_000);
  await turn();
  environment.advance(50);
  await untilWriting(environment, file);
  file.finish();
  expect(await countAfterCrash()).toBe(1);
});

test.each(Array.from({ length: 25 }, (_, at) => at + 1))(
  "answers as memory does over writes, views, generations and reopenings (seed %i)",
  async (seed) => {
    const content: FileContent = new Map();
    const comparison = new Comparison(
      seed,
      async () => new MemoryStateFile(content),
      (file) => (file as MemoryStateFile).finish(),
    );
    await comparison.open();
    for (let step = 0; step < 150; step += 1) await comparison.step();
    await comparison.close();
    expect(await verifyEntries(new MemoryStateFile(content), comparison.environment)).toEqual(
      new Map(),
    );
  },
);

test.each([1, 2, 3])("answers as memory does over LMDB (seed %i)", async (seed) => {
  const path = await mkdtemp(join(tmpdir(), "capstan-state-"));
  const comparison = new Comparison(
    seed,
    () => openLmdbFile(path),
    () => undefined,
  );
  const { time } = comparison.environment;
  try {
    await comparison.open();
    for (let step = 0; step < 150; step += 1) await comparison.step();
    await comparison.reopen();
    const verifying = verifyEntries(comparison.file, comparison.environment);
    expect(await runBeside(time, verifying)).toEqual(new Map());
    await comparison.close();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});
