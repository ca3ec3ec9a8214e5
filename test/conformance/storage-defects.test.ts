import { describe, expect, test } from "vitest";
import { storageConformance } from "../../src/conformance/storage.ts";
import type { StorageHarness } from "../../src/conformance/storage-harness.ts";
import type { Storage } from "../../src/core/contracts/storage.ts";
import type { LogSequence, StoreId } from "../../src/core/model/ids.ts";
import { failureOf } from "../support/bind-suite.ts";
import { brokenLog, withMembers } from "../support/broken-storage.ts";
import { type Defect, persistentHarness } from "../support/storage-harnesses.ts";
import { VirtualTime } from "../support/virtual-environment.ts";

/** Opens a good persistent storage in a broken way, or breaks what was opened. */
interface Breakage {
  readonly open?: (open: StorageHarness["open"]) => StorageHarness["open"];
  readonly defect?: Defect;
}

function withIdentity(change: (storage: Storage) => Partial<Storage["identity"]>): Breakage {
  return {
    defect: (storage) =>
      withMembers(storage, { identity: { ...storage.identity, ...change(storage) } }),
  };
}

/** What is wrong → how, and the case that notices. */
const DEFECTS: Readonly<Record<string, readonly [Breakage, string]>> = {
  "has a store id of 64 bits": [
    withIdentity(({ identity }) => ({ storeId: identity.storeId.slice(16) as StoreId })),
    "new storage is fresh, with a store id of 128 bits and incarnation 1",
  ],
  "has a store id that does not depend on chance": [
    withIdentity(() => ({ storeId: "0".repeat(32) as StoreId })),
    "two storages have two store ids",
  ],
  "knows in one log what was written to another": [
    { defect: brokenLog(() => ({ lastSequence: () => 1 as LogSequence })) },
    "two storages share nothing",
  ],
  "passes over options that it does not know": [
    { open: (open) => (previous) => open(previous) },
    "an option that it does not know is refused, and named",
  ],
  "leaves its state open": [
    { defect: (storage) => withMembers(storage, { close: () => storage.log.close() }) },
    "close closes both stores, and may be called again",
  ],
  "is a new store each time": [
    withIdentity(({ identity }) => ({
      storeId: `${identity.incarnation}${identity.storeId.slice(1)}` as StoreId,
    })),
    "the store id stays over reopenings, and each is the next incarnation",
  ],
  "does not count a start": [
    withIdentity(({ identity }) => ({ incarnation: Math.ceil(identity.incarnation / 2) })),
    "an incarnation is used up by a start that ends in a power cut",
  ],
  "goes on with what was disowned": [
    { defect: (storage) => withMembers(storage, { disown: () => Promise.resolve() }) },
    "what is disowned is set aside at the next opening, which is fresh",
  ],
  "forgets what it is disowning when it closes": [
    { defect: (storage) => withMembers(storage, { disown: () => Promise.resolve() }) },
    "what is being disowned while it closes is disowned once it has closed",
  ],
  "has no lock": [
    { open: (open) => (previous, options) => open(previous, options).catch(() => open()) },
    "what is open cannot be opened again",
  ],
  "drops log records that the state has only in memory": [
    {
      defect: brokenLog((log) => ({
        read: (shard, _from, max, done) => log.read(shard, log.lastSequence(shard), max, done),
      })),
    },
    "over a power cut the log still holds what the state does not cover",
  ],
};

describe("the Storage suite notices a storage that", () => {
  test.each(Object.entries(DEFECTS))("%s", async (_what, [{ open, defect }, caseName]) => {
    const time = new VirtualTime();
    const good = persistentHarness(time, defect === undefined ? {} : { defect });
    const harness = open === undefined ? good : { ...good, open: open(good.open) };
    await failureOf(storageConformance(harness), caseName, time);
  });
});

test("every case of the suite is proven by a defect", () => {
  const { cases } = storageConformance(persistentHarness(new VirtualTime()));
  const proven = new Set(Object.values(DEFECTS).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});
