import { describe, expect, test } from "vitest";
import {
  checkConvergence,
  checkFalseDominance,
  checkFalseSiblings,
  checkLinearizable,
  checkLostWrites,
  checkMonotonicReads,
  checkMonotonicWrites,
  checkReadYourWrites,
  checkRegularRegister,
  checkWritesFollowReads,
  type GhostVersion,
  type KeyCopy,
  type KeyValueOperation,
  registerModel,
} from "../../../src/verification/index.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { below } from "./histories.ts";

// Histories as a store without faults leaves them, and the same with one thing changed of which it
// is certain that no such store does it.

const SEEDS = 60;
/** Of the seeds, so many at least have to have something that can be changed. */
const LEAST_CHANGED = 30;
const OPERATIONS = 40;
const CLIENTS = ["a", "b", "c"];
const KEYS = ["j", "k"];

type History = readonly KeyValueOperation[];
/** Undefined: nothing can be changed like this. */
type Change = (history: History, random: SeededRandom) => History | undefined;

/**
 * Clients that overlap, each doing one thing at a time, on registers whose versions count up. Every
 * operation takes effect between its call and its return.
 */
function legalHistory(random: SeededRandom): KeyValueOperation[] {
  const history: KeyValueOperation[] = [];
  const states = new Map<string, { value: string; version: number }>();
  const freeAt = new Map(CLIENTS.map((client) => [client, Number.NEGATIVE_INFINITY]));
  for (let at = 0; at < OPERATIONS; at += 1) {
    const effectAt = at * 10;
    const free = CLIENTS.filter((client) => (freeAt.get(client) as number) < effectAt - 1);
    const client = pick(free, random);
    if (client === undefined) continue;
    const key = pick(KEYS, random) as string;
    const calledAt = Math.max((freeAt.get(client) as number) + 1, effectAt - 1 - below(random, 12));
    const returnedAt = effectAt + 1 + below(random, 12);
    freeAt.set(client, returnedAt);
    const times = { client, outcome: "applied", calledAt, returnedAt } as const;
    if (below(random, 2) === 0) {
      const held = states.get(key);
      const output = held === undefined ? {} : { ...held, version: String(held.version) };
      history.push({ ...times, input: { type: "get", key }, output });
      continue;
    }
    const written = { value: `v${at}`, version: (states.get(key)?.version ?? 0) + 1 };
    states.set(key, written);
    const input = { type: "put", key, value: written.value } as const;
    history.push({ ...times, input, output: { version: String(written.version) } });
  }
  return history;
}

function pick<T>(from: readonly T[], random: SeededRandom): T | undefined {
  return from[below(random, Math.max(1, from.length))];
}

const isRead = ({ input }: KeyValueOperation): boolean => input.type === "get";
const isWrite = (operation: KeyValueOperation): boolean => !isRead(operation);
const keyOf = ({ input }: KeyValueOperation): string => (input as { key: string }).key;
const versionOf = ({ output }: KeyValueOperation): number => Number(output?.version ?? 0);

interface Pair {
  readonly earlier: KeyValueOperation;
  readonly later: KeyValueOperation;
}

/** Two operations on one key, of which one had returned when the other was called. */
function pairs(
  history: History,
  isEarlier: (operation: KeyValueOperation) => boolean,
  isLater: (operation: KeyValueOperation) => boolean,
  ofOneClient: boolean,
): readonly Pair[] {
  return history
    .filter(isLater)
    .flatMap((later) =>
      history
        .filter(
          (earlier) =>
            isEarlier(earlier) &&
            keyOf(earlier) === keyOf(later) &&
            (!ofOneClient || earlier.client === later.client) &&
            earlier.returnedAt < later.calledAt,
        )
        .map((earlier) => ({ earlier, later })),
    );
}

function replaced(history: History, changes: ReadonlyMap<KeyValueOperation, KeyValueOperation>) {
  return history.map((each) => changes.get(each) ?? each);
}

function withOutput(
  operation: KeyValueOperation,
  output: KeyValueOperation["output"],
): KeyValueOperation {
  return { ...operation, ...(output && { output }) };
}

/** Where the later one of some pair answers from before what the earlier one knew. */
function stale(
  isEarlier: (operation: KeyValueOperation) => boolean,
  isLater: (operation: KeyValueOperation) => boolean,
  ofOneClient: boolean,
): Change {
  return (history, random) => {
    const possible = pairs(history, isEarlier, isLater, ofOneClient).filter(
      ({ earlier }) => versionOf(earlier) > 0,
    );
    const pair = pick(possible, random);
    if (pair === undefined) return undefined;
    const { earlier, later } = pair;
    const ofKey = history.filter((each) => isWrite(each) && keyOf(each) === keyOf(later));
    const known = ofKey.find((write) => versionOf(write) === versionOf(earlier));
    // Of two writes beside each other either may come last: only what was over by then is older.
    const older = ofKey.filter(({ returnedAt }) => returnedAt < (known?.calledAt ?? 0));
    const found = pick(older, random);
    const output =
      found === undefined || found.input.type !== "put"
        ? {}
        : { value: found.input.value, version: String(versionOf(found)) };
    return replaced(history, new Map([[later, { ...later, output }]]));
  };
}

/** The later one's version and the earlier one's are exchanged. */
function swapped(
  isEarlier: (operation: KeyValueOperation) => boolean,
  isLater: (operation: KeyValueOperation) => boolean,
): Change {
  return (history, random) => {
    const possible = pairs(history, isEarlier, isLater, true).filter(
      ({ earlier, later }) => versionOf(earlier) !== versionOf(later) && versionOf(earlier) > 0,
    );
    const pair = pick(possible, random);
    if (pair === undefined) return undefined;
    const { earlier, later } = pair;
    const versions = new Map([
      [earlier, withOutput(earlier, { ...earlier.output, version: String(versionOf(later)) })],
      [later, withOutput(later, { ...later.output, version: String(versionOf(earlier)) })],
    ]);
    return replaced(history, versions);
  };
}

/** A write whose value was read is not there. */
const droppedWrite: Change = (history, random) => {
  const found = new Set(history.filter(isRead).map(({ output }) => output?.value));
  const writes = history.filter(({ input }) => input.type === "put" && found.has(input.value));
  const dropped = pick(writes, random);
  return dropped && history.filter((each) => each !== dropped);
};

/** What was overwritten long ago is found again in the end. */
const effectTwice: Change = (history, random) => {
  const overwritten = pairs(history, isWrite, isWrite, false).map(({ earlier }) => earlier);
  const again = pick(overwritten, random);
  if (again?.input.type !== "put") return undefined;
  const { key, value } = again.input;
  const calledAt = OPERATIONS * 20;
  const output = { value, version: String(versionOf(again)) };
  const times = { calledAt, returnedAt: calledAt + 1, client: again.client } as const;
  return [...history, { ...times, input: { type: "get", key }, output, outcome: "applied" }];
};

const byNumber = {
  order: (a: string, b: string) => Number(a) - Number(b),
};

const CHECKS = {
  linearizability: (history: History) => checkLinearizable(registerModel, history).verdict,
  regular: (history: History) => checkRegularRegister(history).verdict,
  "read your writes": (history: History) => checkReadYourWrites(history, byNumber).verdict,
  "monotonic reads": (history: History) => checkMonotonicReads(history, byNumber).verdict,
  "monotonic writes": (history: History) => checkMonotonicWrites(history, byNumber).verdict,
  "writes follow reads": (history: History) => checkWritesFollowReads(history, byNumber).verdict,
};

const CAUGHT: readonly (readonly [keyof typeof CHECKS, string, Change])[] = [
  ["linearizability", "a stale value", stale(isWrite, isRead, false)],
  ["linearizability", "a read behind another", stale(isRead, isRead, false)],
  ["linearizability", "a dropped write", droppedWrite],
  ["linearizability", "an effect that comes twice", effectTwice],
  ["regular", "a stale value", stale(isWrite, isRead, false)],
  ["regular", "a dropped write", droppedWrite],
  ["regular", "an effect that comes twice", effectTwice],
  ["read your writes", "a value from before the own write", stale(isWrite, isRead, true)],
  ["monotonic reads", "a value from before the last one", stale(isRead, isRead, true)],
  ["monotonic reads", "two answers in the wrong order", swapped(isRead, isRead)],
  ["monotonic writes", "two writes in the wrong order", swapped(isWrite, isWrite)],
  ["writes follow reads", "a write behind what was read", swapped(isRead, isWrite)],
];

describe("what a store without faults leaves is legal", () => {
  test.each(Object.entries(CHECKS))("%s", (_name, check) => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      expect(check(legalHistory(new SeededRandom(seed, "legal"))), `seed ${seed}`).toBe("legal");
    }
  });
});

describe("one thing changed is illegal", () => {
  test.each(CAUGHT)("%s: %s", (name, _what, change) => {
    let changed = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const random = new SeededRandom(seed, "legal");
      const history = change(legalHistory(random), random);
      if (history === undefined) continue;
      changed += 1;
      expect(CHECKS[name](history), `seed ${seed}`).toBe("illegal");
    }
    expect(changed).toBeGreaterThanOrEqual(LEAST_CHANGED);
  });
});

describe("lost writes", () => {
  /** Each write on two nodes; the newest of each key is found, or what `found` makes of that. */
  function verdict(seed: number, found: (newest: number) => readonly number[], wiped = false) {
    const history = legalHistory(new SeededRandom(seed, "legal")).filter(isWrite);
    const newest = (key: string): number =>
      Math.max(0, ...history.filter((each) => keyOf(each) === key).map(versionOf));
    return checkLostWrites({
      acknowledged: history.map((each) => ({
        ...{ key: keyOf(each), version: versionOf(each), acknowledgedAt: each.returnedAt },
        holders: ["n1", "n2"],
      })),
      wiped: wiped ? [{ node: "n1", at: 1e6 }] : [],
      finals: new Map(KEYS.map((key) => [key, found(newest(key))])),
      covers: (a, b) => a >= b,
    });
  }

  test.each<[string, "legal" | "illegal", (newest: number) => readonly number[]]>([
    ["the newest is legal", "legal", (newest) => [newest]],
    ["a stale one is not", "illegal", (newest) => [newest - 1]],
    ["nothing is not", "illegal", () => []],
    ["an older one beside the newest is", "legal", (newest) => [1, newest]],
  ])("%s, with one of two copies wiped or none", (_name, wanted, found) => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      for (const wiped of [false, true]) expect(verdict(seed, found, wiped).verdict).toBe(wanted);
    }
  });
});

describe("convergence", () => {
  const copies = (): Map<string, Map<string, KeyCopy>> =>
    new Map(
      ["n1", "n2", "n3"].map((node) => [
        node,
        new Map(KEYS.map((key) => [key, { versions: ["1", "2"], context: "12" }])),
      ]),
    );

  test.each<[string, "legal" | "illegal", (held: Map<string, KeyCopy>) => unknown]>([
    ["nothing", "legal", () => undefined],
    ["the order of siblings", "legal", (held) => held.set("k", copy(["2", "1"], "12"))],
    ["a sibling twice", "legal", (held) => held.set("k", copy(["1", "2", "2"], "12"))],
    ["a stale version", "illegal", (held) => held.set("k", copy(["1"], "12"))],
    ["a version too many", "illegal", (held) => held.set("k", copy(["1", "2", "3"], "12"))],
    ["another context", "illegal", (held) => held.set("k", copy(["1", "2"], "1"))],
    ["a dropped key", "illegal", (held) => held.delete("k")],
  ])("%s changed at one replica", (_name, wanted, change) => {
    for (const node of ["n1", "n2", "n3"]) {
      const all = copies();
      change(all.get(node) as Map<string, KeyCopy>);
      expect(checkConvergence(all).verdict).toBe(wanted);
    }
  });

  function copy(versions: readonly string[], context: string): KeyCopy {
    return { versions, context };
  }
});

describe("ghost histories", () => {
  /** Each write has seen some of those before it, and what those had seen. */
  function versions(random: SeededRandom): readonly GhostVersion[] {
    const made: GhostVersion[] = [];
    for (let at = 0; at < 12; at += 1) {
      const seen = made.filter(() => below(random, 3) === 0);
      const descendsFrom = new Set(seen.flatMap(({ id, descendsFrom }) => [id, ...descendsFrom]));
      made.push({ id: `w${at}`, descendsFrom });
    }
    return made;
  }

  const at = { key: "k", node: "n1", at: 1 };

  test("a dropped version is missed where nobody who stays has seen it, and only there", () => {
    let seen = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const made = versions(new SeededRandom(seed, "ghosts"));
      for (const kept of made) {
        for (const dropped of made) {
          if (kept === dropped) continue;
          const hasSeen = kept.descendsFrom.has(dropped.id);
          if (hasSeen) seen += 1;
          const drop = { ...at, dropped, kept: [kept] };
          expect(checkFalseDominance([drop]).verdict).toBe(hasSeen ? "legal" : "illegal");
          // And side by side it is the other way round, in either order.
          for (const both of [
            [kept, dropped],
            [dropped, kept],
          ]) {
            const isFalse = hasSeen || dropped.descendsFrom.has(kept.id);
            const sighting = { ...at, versions: both };
            expect(checkFalseSiblings([sighting]).verdict).toBe(isFalse ? "illegal" : "legal");
          }
        }
      }
    }
    expect(seen).toBeGreaterThan(100);
  });

  test("the same write twice is a false sibling", () => {
    const [first] = versions(new SeededRandom(1, "ghosts")) as [GhostVersion];
    const sighting = { ...at, versions: [first, { ...first }] };
    expect(checkFalseSiblings([sighting]).verdict).toBe("illegal");
  });
});
