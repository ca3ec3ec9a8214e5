import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { MachineChange } from "../../../../../src/core/contracts/machine-change.ts";
import { encodeKey } from "../../../../../src/core/model/keys.ts";
import {
  ChangeFeed,
  type FeedPage,
  type FeedPosition,
} from "../../../../../src/core/store/watch/change-feed.ts";

const PAGE = 10_000;
const LIMITS = { maxChanges: 4, maxBytes: 10_000 };
const at = (sequence: number, offset = 0, order = "log"): FeedPosition => ({
  order,
  sequence,
  offset,
});
const put = (key: string, sequence?: number, offset?: number, order = "log"): MachineChange => ({
  type: "put",
  key: encodeKey(key),
  value: new Uint8Array(10),
  ...(sequence !== undefined && {
    position: { order, sequence, ...(offset !== undefined && { offset }) },
  }),
});
const keysOf = (page: FeedPage | undefined) =>
  page?.events.map(({ key }) => Buffer.from(key).toString());

/** A feed that was opened at index 10 of a shared log, with these entries behind it. */
function sharedFeed(...changes: readonly MachineChange[]): ChangeFeed {
  const feed = new ChangeFeed(LIMITS, () => "own@1.1");
  feed.append({ type: "gap", position: { order: "log", sequence: 10 }, reason: "opened" });
  for (const change of changes) feed.append(change);
  return feed;
}

describe("a feed of a shared order", () => {
  it("knows nothing before its replica says where it stands", () => {
    const feed = new ChangeFeed(LIMITS, () => "own@1.1");
    expect(feed.read(undefined, undefined, PAGE)).toBeUndefined();
  });

  it("begins at its end for one who comes without a position", () => {
    const page = sharedFeed(put("a", 11)).read(undefined, undefined, PAGE);
    expect(page).toMatchObject({ events: [], position: at(11), caughtUp: true, more: false });
    expect(page?.gap).toBeUndefined();
  });

  it("gives what lies behind a position, with holes in the sequence, in order", () => {
    const feed = sharedFeed(put("a", 12), put("b", 15), put("c", 15, 1), put("d", 16));
    expect(keysOf(feed.read(at(10), undefined, PAGE))).toEqual(["a", "b", "c", "d"]);
    expect(keysOf(feed.read(at(13), undefined, PAGE))).toEqual(["b", "c", "d"]);
    // Between two changes of one entry, too.
    expect(keysOf(feed.read(at(15), undefined, PAGE))).toEqual(["c", "d"]);
    expect(feed.read(at(16), undefined, PAGE)).toMatchObject({ events: [], caughtUp: true });
  });

  // Seed 200384: a watch that had been told the first of a batch's two changes never heard of the other.
  it("tells of a gap in the entry that its replica was opened at, unless all of that was told", () => {
    const feed = new ChangeFeed(LIMITS, () => "own@1.1");
    const whole = { order: "log", sequence: 10, offset: 99 };
    feed.append({ type: "gap", position: whole, reason: "opened" });
    feed.append(put("a", 11));
    expect(feed.read(at(10), undefined, PAGE)?.gap).toBe("opened");
    expect(keysOf(feed.read(at(10, 99), undefined, PAGE))).toEqual(["a"]);
  });

  it("is caught up with a position ahead of its last change once its replica has come so far", () => {
    let reached = { order: "log", sequence: 13 };
    const feed = new ChangeFeed(
      LIMITS,
      () => "own@1.1",
      () => reached,
    );
    feed.append({ type: "gap", position: { order: "log", sequence: 10 }, reason: "opened" });
    feed.append(put("a", 12));
    expect(feed.read(at(13), undefined, PAGE)).toMatchObject({ events: [], caughtUp: true });
    expect(feed.read(at(14), undefined, PAGE)).toMatchObject({ events: [], caughtUp: false });
    reached = { order: "another", sequence: 20 };
    expect(feed.read(at(14), undefined, PAGE)).toMatchObject({ caughtUp: false });
    reached = { order: "log", sequence: 14 };
    expect(feed.read(at(14), undefined, PAGE)).toMatchObject({ caughtUp: true, position: at(14) });
    feed.append(put("b", 15));
    expect(keysOf(feed.read(at(14), undefined, PAGE))).toEqual(["b"]);
  });

  it("takes an entry that is applied again for known", () => {
    const feed = sharedFeed(put("a", 11), put("b", 12), put("b2", 12, 1));
    for (const again of [put("a", 11), put("b", 12), put("b2", 12, 1)]) feed.append(again);
    expect(keysOf(feed.read(at(10), undefined, PAGE))).toEqual(["a", "b", "b2"]);
  });

  it("waits with one who is ahead of it", () => {
    const feed = sharedFeed(put("a", 11));
    const page = feed.read(at(14), undefined, PAGE);
    expect(page).toMatchObject({ events: [], position: at(14), caughtUp: false });
    feed.append(put("b", 14));
    feed.append(put("c", 15));
    expect(keysOf(feed.read(at(14), undefined, PAGE))).toEqual(["c"]);
  });

  it("says that what was before its opening cannot be told", () => {
    const page = sharedFeed(put("a", 11)).read(at(9), undefined, PAGE);
    expect(page).toMatchObject({ gap: "opened", events: [], position: at(11), caughtUp: true });
  });

  it("drops the oldest above its bounds, and says so to those behind it", () => {
    const many = Array.from({ length: 6 }, (_, index) => put(`k${index}`, 11 + index));
    const feed = sharedFeed(...many);
    expect(feed.read(at(11), undefined, PAGE)?.gap).toContain("not kept any more");
    expect(keysOf(feed.read(at(12), undefined, PAGE))).toEqual(["k2", "k3", "k4", "k5"]);

    const big = { ...put("big", 20), value: new Uint8Array(9_990) };
    feed.append(big);
    expect(feed.read(at(15), undefined, PAGE)?.gap).toBeDefined();
    expect(keysOf(feed.read(at(16), undefined, PAGE))).toEqual(["big"]);
  });

  it("keeps its bounds over many changes", () => {
    const feed = sharedFeed();
    for (let index = 11; index < 5_000; index++) feed.append(put(`k${index}`, index));
    expect(keysOf(feed.read(at(4_997), undefined, PAGE))).toEqual(["k4998", "k4999"]);
    expect(feed.read(at(4_000), undefined, PAGE)?.gap).toBeDefined();
  });

  it("breaks at a gap of its machine's and at another order", () => {
    const feed = sharedFeed(put("a", 11));
    const reason = "a snapshot came";
    feed.append({ type: "gap", position: { order: "log", sequence: 90 }, reason });
    expect(feed.read(at(11), undefined, PAGE)).toMatchObject({ gap: reason, position: at(90) });
    feed.append(put("b", 91));
    expect(keysOf(feed.read(at(90), undefined, PAGE))).toEqual(["b"]);

    feed.append(put("c", 5, 0, "recovered"));
    const page = feed.read(at(91), undefined, PAGE);
    expect(page).toMatchObject({ position: at(5, 0, "recovered"), events: [] });
    expect(page?.gap).toContain("another replica");
  });
});

describe("a page", () => {
  it("leaves out other prefixes, and is looked through all the same", () => {
    const feed = sharedFeed(put("a/1", 11), put("b/1", 12), put("a/2", 13), put("b/2", 14));
    const page = feed.read(at(10), encodeKey("a/"), PAGE);
    expect(keysOf(page)).toEqual(["a/1", "a/2"]);
    expect(page?.position).toEqual(at(14));
    expect(feed.read(at(10), encodeKey("a/11"), PAGE)?.events).toEqual([]);
  });

  it("ends at its size, behind at least one change, and says that there is more", () => {
    const feed = sharedFeed(put("a", 11), put("b", 12), put("c", 13));
    const first = feed.read(at(10), undefined, 100);
    expect(keysOf(first)).toEqual(["a"]);
    expect(first).toMatchObject({ more: true, caughtUp: false, position: at(11) });
    expect(keysOf(feed.read(first?.position, undefined, PAGE))).toEqual(["b", "c"]);
  });
});

describe("a feed of a replica's own order", () => {
  it("counts its changes, and begins another order when it is opened again", () => {
    let openings = 1;
    const feed = new ChangeFeed(LIMITS, () => `n1@7.${openings}`);
    feed.begin();
    feed.append(put("a"));
    feed.append(put("b"));
    expect(feed.tail).toEqual(at(2, 0, "n1@7.1"));
    expect(keysOf(feed.read(at(1, 0, "n1@7.1"), undefined, PAGE))).toEqual(["b"]);
    openings++;
    feed.append(put("c"));
    expect(feed.read(at(2, 0, "n1@7.1"), undefined, PAGE)?.gap).toBeDefined();
  });

  it("does not take a cursor from before a time when nobody watched", () => {
    const feed = new ChangeFeed(LIMITS, () => "n1@7.1");
    feed.begin();
    feed.append(put("a"));
    const before = feed.tail;
    feed.begin();
    expect(feed.read(before, undefined, PAGE)?.gap).toContain("nobody watched");
    expect(feed.read(feed.tail, undefined, PAGE)?.gap).toBeUndefined();
  });
});

describe("the bound in bytes of a feed", () => {
  const large = (sequence: number): MachineChange => ({
    ...put(`k${sequence}`, sequence),
    value: new Uint8Array(LIMITS.maxBytes + 1),
  });

  it("keeps the newest change, however large it is", () => {
    const feed = sharedFeed(put("a", 11), large(12));
    const page = feed.read(at(11), undefined, PAGE);
    expect(page).toMatchObject({ gap: undefined, position: at(12), caughtUp: true });
    expect(keysOf(page)).toEqual(["k12"]);
    feed.append(large(13));
    expect(keysOf(feed.read(at(12), undefined, PAGE))).toEqual(["k13"]);
    expect(feed.read(at(11), undefined, PAGE)?.gap).toBeDefined();
  });

  it("holds on to no bytes of a change that it has dropped", async () => {
    const feed = sharedFeed();
    let value: Uint8Array | undefined = new Uint8Array(LIMITS.maxBytes);
    const held = new WeakRef(value);
    feed.append({ ...put("a", 11), value });
    value = undefined;
    feed.append(large(12));
    // What a WeakRef was made for in this turn is kept until its end.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(held.deref()).toBeUndefined();
    expect(keysOf(feed.read(at(11), undefined, PAGE))).toEqual(["k12"]);
  });
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
