import { beforeEach, expect, test } from "vitest";
import {
  type StateBatch,
  StateDamageError,
  type StateMutation,
} from "../../../../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../../../../src/core/model/ids.ts";
import { DiskStateStore } from "../../../../../src/storage/disk/state/disk-state-store.ts";
import { loadState } from "../../../../../src/storage/disk/state/load-state.ts";
import {
  entryPrefix,
  HEAD_KEY,
  joined,
  summaryKey,
} from "../../../../../src/storage/disk/state/record-format.ts";
import { salvageState } from "../../../../../src/storage/disk/state/salvage-state.ts";
import { verifyEntries } from "../../../../../src/storage/disk/state/verify-entries.ts";
import { type FileContent, MemoryStateFile } from "../../../../support/memory-state-file.ts";
import { runVirtually } from "../../../../support/run-virtually.ts";
import { VirtualEnvironment } from "../../../../support/virtual-environment.ts";

const SETTINGS = { commitIntervalMs: 50, maxPendingBytes: 1 << 20, maxViewAgeMs: 60_000 };
const [FIRST, SECOND] = [1, 2] as ShardId[] as [ShardId, ShardId];
const environment = new VirtualEnvironment();
let content: FileContent;

beforeEach(async () => {
  content = new Map();
  const mutations = [FIRST, SECOND].flatMap((shard) =>
    ["a", "b", "c"].map((key) => put(shard, key)),
  );
  await committed({ mutations, position: 7 as LogPosition });
});

function put(shard: ShardId, key: string): StateMutation {
  const bytes = Buffer.from(key);
  return { type: "put", shard, space: "data", key: bytes, value: Buffer.from(`value of ${key}`) };
}

function opened(file = new MemoryStateFile(content)): DiskStateStore {
  return new DiskStateStore(environment, SETTINGS, loadState(file));
}

async function committed(batch: StateBatch): Promise<void> {
  const file = new MemoryStateFile(content);
  const store = opened(file);
  store.commit(batch);
  const closing = store.close();
  await new Promise((resolve) => setImmediate(resolve));
  file.finish();
  await closing;
}

function nameOf(shard: ShardId, key: string): string {
  return Buffer.from(joined(entryPrefix(shard, 1, "data"), Buffer.from(key))).toString("hex");
}

/** Flips a bit of the record, counted from its end. */
function flip(name: string, fromEnd: number): void {
  const record = Uint8Array.from(content.get(name) as Uint8Array);
  const at = record.length - fromEnd;
  record[at] = (record[at] as number) ^ 16;
  content.set(name, record);
}

function verify(): Promise<ReadonlyMap<ShardId, string>> {
  const verifying = verifyEntries(new MemoryStateFile(content), environment);
  return runVirtually(environment.time, verifying);
}

test("what is whole is found whole", async () => {
  expect(await verify()).toEqual(new Map());
});

test.each([
  ["a value", 1],
  ["a checksum", 18],
])("a bit flipped in %s is told by the read of that entry alone", async (_what, fromEnd) => {
  flip(nameOf(FIRST, "b"), fromEnd);
  expect(await verify()).toEqual(new Map());
  const store = opened();
  const at = { space: "data", key: Uint8Array.from(Buffer.from("b")) };
  expect(() => store.get(FIRST, "data", Buffer.from("b"))).toThrow(
    expect.objectContaining({ name: "StateDamageError", shard: FIRST, at }),
  );
  expect(() => store.view(FIRST).range("data", undefined, undefined, 99)).toThrow(StateDamageError);
  expect(Buffer.from(store.get(FIRST, "data", Buffer.from("a")) ?? "").toString()).toBe(
    "value of a",
  );
});

test("a damaged entry that was deleted since is in nobody's way", () => {
  flip(nameOf(FIRST, "b"), 1);
  const store = opened();
  const key = Buffer.from("b");
  store.commit({
    mutations: [{ type: "delete", shard: FIRST, space: "data", key }],
    position: 8 as LogPosition,
  });
  expect(store.get(FIRST, "data", key)).toBeUndefined();
  expect(store.view(FIRST).range("data", undefined, undefined, 99).entries).toHaveLength(2);
});

const DAMAGES: Readonly<Record<string, readonly [() => void, string]>> = {
  "an entry that is missing": [
    () => content.delete(nameOf(FIRST, "b")),
    "it has 2 entries, and should have 3",
  ],
  "an entry under another key": [
    () => {
      content.set(nameOf(FIRST, "x"), content.get(nameOf(FIRST, "b")) as Uint8Array);
      content.delete(nameOf(FIRST, "b"));
    },
    "1 of its 3 entries are not under their key",
  ],
  "an entry that is too short": [
    () => content.set(nameOf(FIRST, "b"), Uint8Array.of(1)),
    "1 of its 3 entries are not under their key",
  ],
  "a change of both a value and a checksum": [
    () => {
      flip(nameOf(FIRST, "a"), 18);
      flip(nameOf(FIRST, "b"), 1);
      content.set(nameOf(FIRST, "c"), content.get(nameOf(FIRST, "c")) as Uint8Array);
      flip(nameOf(FIRST, "c"), 17);
    },
    "some of its entries are not those written last",
  ],
};

test.each(Object.entries(DAMAGES))("%s is missed", async (_what, [damage, reason]) => {
  damage();
  expect(await verify()).toEqual(new Map([[FIRST, reason]]));
});

test("an older entry in the place of a newer one is missed", async () => {
  const older = content.get(nameOf(FIRST, "b")) as Uint8Array;
  const mutation = { ...put(FIRST, "b"), value: Buffer.from("newer") } as StateMutation;
  await committed({ mutations: [mutation], position: 8 as LogPosition });
  content.set(nameOf(FIRST, "b"), older);
  expect(await verify()).toEqual(
    new Map([[FIRST, "some of its entries are not those written last"]]),
  );
});

test("an entry that the way from the root does not lead to is missed", async () => {
  const file = new MemoryStateFile(content);
  const hidden = nameOf(FIRST, "b");
  const find = file.checksumOf.bind(file);
  file.checksumOf = (key) => (Buffer.from(key).toString("hex") === hidden ? undefined : find(key));
  expect(await runVirtually(environment.time, verifyEntries(file, environment))).toEqual(
    new Map([[FIRST, "1 of its 3 entries cannot be found"]]),
  );
});

test("a salvaged state has the sound shards, and the damaged one stays fenced until a switch", async () => {
  content.delete(nameOf(FIRST, "b"));
  const salvaged: FileContent = new Map();
  const to = new MemoryStateFile(salvaged);
  const salvaging = salvageState(new MemoryStateFile(content), to, await verify(), environment);
  to.finish();
  await runVirtually(environment.time, salvaging);
  content = salvaged;
  const file = new MemoryStateFile(content);
  const store = opened(file);
  expect(store.committedPosition).toBe(7);
  expect(store.view(SECOND).range("data", undefined, undefined, 99).entries).toHaveLength(3);
  expect(() => store.get(FIRST, "data", Buffer.from("a"))).toThrow(StateDamageError);
  expect(store.shards().map(({ shard }) => shard)).toEqual([FIRST, SECOND]);
  expect([...(await verify()).keys()]).toEqual([FIRST]);

  const generation = store.newGeneration(FIRST);
  const mutations: StateMutation[] = [
    { type: "switch-generation", shard: FIRST, generation },
    put(FIRST, "new"),
  ];
  store.commit({ mutations, position: 8 as LogPosition });
  expect(store.view(FIRST).range("data", undefined, undefined, 99).entries).toHaveLength(1);
  const closing = store.close();
  await new Promise((resolve) => setImmediate(resolve));
  file.finish();
  await closing;
  expect(await verify()).toEqual(new Map());
  expect(opened().get(FIRST, "data", Buffer.from("new"))).toBeDefined();
});

test.each([
  ["the head", Buffer.from(HEAD_KEY).toString("hex"), "the head fails its check"],
  ["a summary", Buffer.from(summaryKey(FIRST, 1)).toString("hex"), "a summary fails its check"],
])("without %s nothing may be believed", (_what, name, message) => {
  flip(name, 1);
  expect(() => opened()).toThrow(expect.objectContaining({ name: "StateLostError", message }));
});

test("a summary that is missing is missed", () => {
  content.delete(Buffer.from(summaryKey(FIRST, 1)).toString("hex"));
  expect(() => opened()).toThrow("summaries are missing");
});
