import type { StateMutation, StateView } from "../core/contracts/storage.ts";
import type { LogPosition } from "../core/model/ids.ts";
import {
  checkListing,
  del,
  delRange,
  keysOf,
  listOf,
  OPEN,
  put,
  puts,
  StateProbe,
} from "./state-store-probe.ts";
import { isError, SHARD_A, SHARD_B, type StorageCase, textOf, utf8 } from "./storage-harness.ts";
import { check, checkEqual, checkThrows, pause } from "./suite.ts";

/** Keys whose order tells byte order from every other: signed bytes, UTF-16, locale, length. */
const TELLING_KEYS: readonly Uint8Array[] = Object.freeze(
  [
    [],
    [0],
    [0, 0],
    [0, 1],
    [0, 255],
    [1],
    [64],
    [65],
    [65, 0],
    [65, 66],
    [66],
    [90],
    [97],
    [97, 0],
    [97, 97],
    [97, 255],
    [98],
    [127],
    [128],
    [128, 0],
    [129],
    [195, 164],
    [239, 191, 191],
    [240, 144, 128, 128],
    [254],
    [255],
    [255, 0],
    [255, 255],
  ].map((bytes) => Uint8Array.from(bytes)),
);

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function range(view: StateView, from: string | undefined, to: string | undefined): string {
  const bound = (text: string | undefined) => (text === OPEN ? OPEN : utf8(text));
  return keysOf(view.range("data", bound(from), bound(to), 1_000)).join(" ");
}

const RANGES: readonly StorageCase[] = [
  {
    name: "keys order by their bytes",
    run: (storage, { clock }) => {
      const { state } = new StateProbe(storage, clock);
      // 11 and the number of keys have no common divisor: every key is put, out of order.
      const shuffled = TELLING_KEYS.map((_, at) => TELLING_KEYS[(at * 11) % TELLING_KEYS.length]);
      const mutations = shuffled.map((key): StateMutation => {
        const bytes = key as Uint8Array;
        return { type: "put", shard: SHARD_A, space: "data", key: bytes, value: bytes };
      });
      state.commit({ mutations, position: 1 as LogPosition });
      const view = state.view(SHARD_A);
      const keys = view.range("data", OPEN, OPEN, 10_000).entries.map(({ key }) => key);
      view.close();
      checkEqual(keys, [...TELLING_KEYS].sort(compareBytes), "keys in order");
    },
  },
  {
    name: "a range is half-open, and open where a bound is undefined",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(...puts("a=1 b=2 ba=3 c=4 d=5"));
      const view = probe.state.view(SHARD_A);
      checkEqual(range(view, "b", "c"), "b ba", "from b to c");
      checkEqual(range(view, OPEN, "c"), "a b ba", "to c");
      checkEqual(range(view, "bb", OPEN), "c d", "from bb");
      checkEqual(range(view, OPEN, OPEN), "a b ba c d", "all");
      checkEqual(range(view, "b", "b"), "", "from b to b");
      checkEqual(range(view, "c", "b"), "", "from c to b");
      checkEqual(range(view, "e", OPEN), "", "behind the last");
      checkEqual(range(view, OPEN, ""), "", "before the first");
      view.close();
    },
  },
  {
    name: "a range stops at `limitBytes`, gives at least one entry, and says whether there is more",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      // Each entry has 2 bytes of key and 8 of value.
      probe.commit(...puts(Array.from({ length: 9 }, (_, at) => `k${at}=12345678`).join(" ")));
      const view = probe.state.view(SHARD_A);
      const pages: string[] = [];
      for (let from: Uint8Array | undefined = utf8("k1"); from !== undefined; ) {
        const page = view.range("data", from, utf8("k8"), 35);
        pages.push(keysOf(page).join(""));
        const last: Uint8Array | undefined = page.entries.at(-1)?.key;
        check(last !== undefined, "a page without entries");
        from = page.more ? Uint8Array.from([...last, 0]) : undefined;
      }
      checkEqual(pages, ["k1k2k3", "k4k5k6", "k7"], "pages of 35 bytes");
      const tight = view.range("data", OPEN, OPEN, 1);
      checkEqual([keysOf(tight), tight.more], [["k0"], true], "a range of 1 byte");
      const exact = view.range("data", utf8("k7"), OPEN, 20);
      checkEqual([keysOf(exact), exact.more], [["k7", "k8"], false], "a range that just fits");
      view.close();
    },
  },
  {
    name: "a range stops at `limitEntries`, if there is one, and at one entry at the earliest",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(...puts("a=1 b=2 c=3"));
      const view = probe.state.view(SHARD_A);
      const within = (entries: number, bytes = 1_000) => {
        const page = view.range("data", OPEN, OPEN, bytes, entries);
        return `${keysOf(page).join("")}${page.more ? "…" : ""}`;
      };
      checkEqual(
        [within(1), within(2), within(3), within(4)],
        ["a…", "ab…", "abc", "abc"],
        "pages",
      );
      checkEqual(within(0), "a…", "a range of no entries");
      checkEqual(within(3, 4), "ab…", "a range with both limits");
      view.close();
    },
  },
  {
    name: "pages over many entries give each of them once",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const keys = Array.from({ length: 2_000 }, (_, at) => `key-${(at * 7_919) % 2_000}`);
      for (let at = 0; at < keys.length; at += 100) {
        probe.commit(...keys.slice(at, at + 100).map((key) => put(key, `v${key}`)));
      }
      const view = probe.state.view(SHARD_A);
      const seen: string[] = [];
      let from: Uint8Array | undefined;
      for (let more = true; more; ) {
        const page = view.range("data", from, OPEN, 777);
        seen.push(...keysOf(page));
        from = Uint8Array.from([...(page.entries.at(-1)?.key ?? []), 0]);
        more = page.more;
      }
      view.close();
      checkEqual(seen, keys.map(utf8).sort(compareBytes).map(textOf), "keys over all pages");
    },
  },
];

const VIEWS: readonly StorageCase[] = [
  {
    name: "a view stays as it was, whatever is committed",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(...puts("a=1 b=2 c=3"), put("v", "1", { space: "side" }));
      const view = probe.state.view(SHARD_A);
      const changes: readonly StateMutation[][] = [
        [put("a", "9")],
        [del("b")],
        [put("bb", "new")],
        [put("v", "2", { space: "side" }), put("m", "new", { space: "meta" })],
        [delRange(OPEN, OPEN)],
        [put("a", "10")],
      ];
      for (const change of changes) {
        probe.commit(...change);
        checkListing(listOf(view), "a=1 b=2 c=3", "the view");
        checkListing(listOf(view, "side"), "v=1", "another space of the view");
        checkListing(listOf(view, "meta"), "", "a space that was empty then");
        checkEqual(textOf(view.get("data", utf8("a"))), "1", "get of the view");
        checkEqual(view.get("data", utf8("bb")), undefined, "get of what came later");
      }
      view.close();
      checkListing(probe.list(), "a=10", "the state itself");
    },
  },
  {
    name: "several views each show their own moment, in whatever order they close",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const views: StateView[] = [];
      for (const moment of ["0", "1", "2", "3"]) {
        probe.commit(put("k", moment), put(`only-${moment}`, moment));
        views.push(probe.state.view(SHARD_A));
      }
      for (const closed of [1, 0, 3, 2]) {
        probe.commit(put("k", `after closing ${closed}`));
        views.forEach((view, at) => {
          if (isClosed(view)) return;
          const only = Array.from({ length: at + 1 }, (_, each) => `only-${each}=${each}`);
          checkListing(listOf(view), [`k=${at}`, ...only].join(" "), `the view of moment ${at}`);
        });
        views[closed]?.close();
      }
    },
  },
  {
    name: "a view shows one shard only, also one that is empty",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const empty = probe.state.view(SHARD_B);
      probe.commit(put("k", "a"), put("k", "b", { shard: SHARD_B }));
      checkListing(listOf(empty), "", "a view of a shard that was empty");
      checkEqual(empty.get("data", utf8("k")), undefined, "get of a view of an empty shard");
      empty.close();
      checkListing(probe.list("data", SHARD_B), "k=b", "a view of it now");
    },
  },
  {
    name: "a closed view throws, and may be closed again",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(put("k", "v"));
      const view = probe.state.view(SHARD_A);
      view.close();
      view.close();
      checkThrows(() => view.get("data", utf8("k")), isError, "get of a closed view");
      checkThrows(() => view.range("data", OPEN, OPEN, 9), isError, "range of a closed view");
    },
  },
  {
    name: "a view lives half of maxViewAgeMs, and not longer than it",
    run: async (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const { maxViewAgeMs } = probe.state.capabilities;
      probe.commit(put("k", "v"));
      const view = probe.state.view(SHARD_A);
      await pause(clock, maxViewAgeMs / 2 - 1);
      const younger = probe.state.view(SHARD_A);
      probe.commit(put("k", "w"));
      checkListing(listOf(view), "k=v", "the view after half of its age");
      await pause(clock, maxViewAgeMs / 2 + 20);
      checkThrows(() => view.get("data", utf8("k")), isError, "get of a view beyond its age");
      checkThrows(() => view.range("data", OPEN, OPEN, 9), isError, "range of a view beyond it");
      view.close();
      younger.close();
      checkListing(probe.list(), "k=w", "a view that was opened since");
    },
  },
  {
    name: "a view that can be prolonged lives as if it had just been opened, and is closed all the same",
    run: async (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      const { maxViewAgeMs } = probe.state.capabilities;
      probe.commit(put("k", "v"));
      const view = probe.state.view(SHARD_A);
      if (view.prolong === undefined) return view.close();
      const other = probe.state.view(SHARD_A);
      for (let times = 0; times < 3; times++) {
        await pause(clock, maxViewAgeMs / 2 - 1);
        view.prolong();
      }
      probe.commit(put("k", "w"));
      check(!isClosed(view), "a view that was prolonged has ended with its first age");
      checkListing(listOf(view), "k=v", "a view that was prolonged");
      checkThrows(() => other.get("data", utf8("k")), isError, "get of one that was not");
      await pause(clock, maxViewAgeMs + 20);
      checkThrows(
        () => view.get("data", utf8("k")),
        isError,
        "get of one that is prolonged no more",
      );
      view.prolong();
      checkThrows(() => view.get("data", utf8("k")), isError, "get of one prolonged too late");
      view.close();
      other.close();
    },
  },
];

function isClosed(view: StateView): boolean {
  try {
    view.get("data", utf8("k"));
    return false;
  } catch {
    return true;
  }
}

/** Ranges and views. */
export const VIEW_CASES: readonly StorageCase[] = Object.freeze([...RANGES, ...VIEWS]);
