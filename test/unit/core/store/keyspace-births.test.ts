import { describe, expect, test } from "vitest";
import type { NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import { KeyspaceBirths } from "../../../../src/core/store/keyspace-births.ts";
import type { NodeRecords } from "../../../../src/core/store/node-records.ts";
import type { PeerStanding } from "../../../../src/core/store/seams.ts";

type Standing = PeerStanding["standing"];

const STORE = "00112233445566778899aabbccddeeff" as StoreId;

/** A node's records over its starts, durable at once, or when the test says so. */
class Records {
  readonly entries = new Map<string, Uint8Array>();
  readonly waiting: (() => void)[] = [];
  isSlow = false;

  constructor(...placed: string[]) {
    const keyspaces = Object.fromEntries(placed.map((name) => [name, {}]));
    this.entries.set("placement", Buffer.from(JSON.stringify({ nodes: [], keyspaces })));
  }

  get(name: string): Uint8Array | undefined {
    return this.entries.get(name);
  }

  put(name: string, value: Uint8Array, done?: () => void): void {
    this.entries.set(name, value);
    if (this.isSlow && done !== undefined) this.waiting.push(done);
    else done?.();
  }
}

function births(records: Records, names: readonly string[], isPersistent = true): KeyspaceBirths {
  const options = { names, isPersistent, isLearning: () => false };
  return new KeyspaceBirths({ records: records as unknown as NodeRecords, ...options });
}

function peer(node: string, standing: Standing, persistent = true, acceptsUs = true): PeerStanding {
  return {
    node: node as NodeId,
    standing,
    storeId: `${node}-store`.padEnd(32, "0") as StoreId,
    persistent,
    acceptsUs,
  };
}

/** How `audit`, new to a store that was in its cluster, begins beside peers that say this of it. */
function begins(
  standings: readonly Standing[],
  { isPersistent = true, follow = false, persistent = true, acceptsUs = true } = {},
): string | undefined {
  const made = births(new Records("users"), ["audit", "users"], isPersistent);
  made.resume("memory");
  if (follow) made.follow(() => undefined);
  made.begin("kept", () => []);
  const words: string[] = [];
  const peers = standings.map((standing, at) =>
    peer(`n${at + 2}`, standing, persistent, acceptsUs),
  );
  made.review("audit", peers, {
    mark: (origin) => words.push(`mark ${origin}`),
    open: (origin) => words.push(`open ${origin}`),
  });
  return words.length === 0 ? undefined : words.join(", ");
}

const NEWBORN = "mark newborn, open newborn";
const EMPTY = "mark empty, open empty";

describe("a keyspace that is new to a store", () => {
  test.each([
    ["nobody ever had it", ["never", "never"], NEWBORN],
    ["it is new to the others, too", ["waiting", "waiting"], NEWBORN],
    ["it began elsewhere while this store was there", ["born-with-you", "never"], NEWBORN],
    ["who has it counts nowhere yet", ["learning", "born-with-you"], NEWBORN],
    ["it began elsewhere without this store", ["born", "never"], EMPTY],
    ["somebody may hold something of it, and has left it out", ["left-out", "unmet"], EMPTY],
    ["one has it, and another one was not heard", ["born", "unmet"], EMPTY],
    ["one was not heard", ["never", "unmet"], undefined],
    ["one was not heard, though it began with this store", ["born-with-you", "unmet"], undefined],
    ["there is nobody else", [], NEWBORN],
  ] satisfies [string, Standing[], string | undefined][])("where %s: %s", (_what, peers, how) => {
    expect(begins(peers)).toBe(how);
  });

  test("learns if another store stood in the place of this one meanwhile", () => {
    expect(begins(["born-with-you", "never"], { follow: true })).toBe(EMPTY);
    expect(begins(["never", "never"], { follow: true })).toBe(NEWBORN);
  });

  test("waits for all to accept this store, unless there is something to learn in any case", () => {
    const acceptsUs = false;
    expect(begins(["born-with-you", "never"], { acceptsUs })).toBeUndefined();
    expect(begins(["waiting", "learning"], { acceptsUs })).toBeUndefined();
    expect(begins(["born", "never"], { acceptsUs })).toBe(EMPTY);
  });

  test("waits for all to have it where a store ends with its process", () => {
    expect(begins(["waiting", "never"], { isPersistent: false })).toBeUndefined();
    expect(begins(["waiting", "never"], { persistent: false })).toBeUndefined();
    expect(begins(["waiting", "waiting"], { isPersistent: false })).toBe(NEWBORN);
  });

  test("is opened when it is written down who was there, and says so to those alone", () => {
    const records = new Records("users");
    const made = births(records, ["audit", "users"]);
    made.resume("memory");
    expect([made.begin("kept", () => []), made.isWaiting]).toEqual([["users"], true]);
    expect(made.standing("audit", STORE)).toBe("waiting");
    records.isSlow = true;
    const opened: string[] = [];
    const beside = [{ ...peer("n2", "never"), storeId: STORE }];
    made.review("audit", beside, { mark: () => undefined, open: (origin) => opened.push(origin) });
    expect(opened).toEqual([]);
    records.waiting.shift()?.();
    expect(opened).toEqual(["newborn"]);
    const next = births(records, ["audit", "users"]);
    next.resume("memory");
    expect(next.begin("kept", () => [])).toEqual(["audit", "users"]);
    expect([next.standing("audit", STORE), next.standing("users", STORE)]).toEqual([
      ...["born-with-you", "born"],
    ]);
    expect(next.standing("audit", "another".padEnd(32, "0") as StoreId)).toBe("born");
  });

  test("is nothing to learn for those who were there, also when it is left out again", () => {
    const records = new Records("users");
    const made = births(records, ["audit", "users"]);
    made.resume("memory");
    made.begin("kept", () => []);
    const beside = [{ ...peer("n2", "never"), storeId: STORE }];
    made.review("audit", beside, { mark: () => undefined, open: () => undefined });
    const without = births(records, ["users"]);
    without.resume("memory");
    const other = "another".padEnd(32, "0") as StoreId;
    expect(without.leftOutTo(STORE, false)).toEqual([]);
    for (const all of [without.leftOutTo(STORE, true), without.leftOutTo(other, false)]) {
      expect(all).toEqual(["audit"]);
    }
    expect(without.leftOutTo(undefined, false)).toEqual(["audit"]);
  });

  test("still waits at the next start, whatever was placed at this one", () => {
    const records = new Records("users");
    births(records, ["audit", "users"]).resume("memory");
    records.put("placement", new Records("users", "audit").get("placement") as Uint8Array);
    const next = births(records, ["audit", "users"]);
    next.resume("memory");
    expect(next.waiting).toEqual(["audit"]);
  });
});

describe("a store that begins in a cluster that was there", () => {
  test("learns what is there, and waits with what is new to somebody", () => {
    const made = births(new Records("users"), ["audit", "users"]);
    const opened = made.begin("empty", (name) =>
      name === "audit" ? [peer("n2", "never")] : [peer("n2", "born")],
    );
    // Alone with that peer it may begin at once, but only after it is written down.
    expect([opened, made.waiting]).toEqual([["users"], ["audit"]]);
  });
});

describe("a keyspace that is left out", () => {
  test.each([
    ["memory", []],
    ["os", [{ name: "audit", loss: "os" }]],
    ["fsync", [{ name: "audit", loss: "fsync" }]],
  ] as const)("is remembered to lack what a start with all but %s lost", (kept, expected) => {
    const records = new Records("audit", "users");
    const without = births(records, ["users"]);
    without.resume(kept);
    expect(without.leftOut).toEqual(["audit"]);
    births(records, ["users"]).resume("memory");
    const back = births(records, ["audit", "users"]);
    back.resume("memory");
    expect([back.isWaiting, back.returned()]).toEqual([false, expected]);
    back.noteMarked();
    expect(births(records, ["audit", "users"]).returned()).toEqual([]);
  });

  test("is remembered to lack what another store of the node has acknowledged", () => {
    const records = new Records("audit", "users");
    const without = births(records, ["users"]);
    without.resume("os");
    let done = false;
    without.follow(() => {
      done = true;
    });
    expect(done).toBe(true);
    expect(births(records, ["audit"]).returned()).toEqual([{ name: "audit", loss: "followed" }]);
  });
});
