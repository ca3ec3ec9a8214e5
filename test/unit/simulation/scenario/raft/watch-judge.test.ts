import { describe, expect, test } from "vitest";
import type { WatchEvent } from "../../../../../src/core/store/api.ts";
import type { RaftOperation } from "../../../../../src/simulation/scenario/raft/raft-model.ts";
import {
  type SeenEvent,
  type Stint,
  WatchJudge,
} from "../../../../../src/simulation/scenario/raft/watch-judge.ts";
import { encodeRevision } from "../../../../../src/strategies/raft/version.ts";

const HASH = 7;
const LIFE = 1;

const versionOf = (index: number, life = LIFE) => encodeRevision(HASH, life, index);

/** What was put into entry `index`, and acknowledged. */
function written(index: number, ...keys: readonly string[]): RaftOperation {
  return {
    client: "c",
    input: { type: "write", writes: keys.map((key) => ({ key, value: `${key}${index}` })) },
    output: { version: versionOf(index) },
    outcome: "applied",
    calledAt: index,
    returnedAt: index + 0.5,
    calledAtMs: index,
    returnedAtMs: index + 0.5,
  };
}

function seen(event: Partial<WatchEvent<unknown>>, atMs = 0): SeenEvent {
  return { node: "n1", atMs, event: { type: "put", cursor: "", ...event } as WatchEvent<unknown> };
}

function put(key: string, index: number, value = `${key}${index}`): SeenEvent {
  return seen({ key, value, version: versionOf(index) });
}

const gap = (atMs: number) => seen({ type: "gap" }, atMs);

function stint(behind: SeenEvent | undefined, ...events: readonly SeenEvent[]): Stint {
  return { watcher: "w", beganAtMs: 0, behind, events };
}

const HISTORY = [written(1, "a"), written(2, "a", "b"), written(3, "b"), written(5, "a")];

function checksOf(...stints: readonly Stint[]): readonly string[] {
  const judge = new WatchJudge(HISTORY, new Set(["refused"]), () => 0);
  judge.judge(stints);
  return judge.violations.map(({ check }) => check);
}

describe("the judge of watches", () => {
  test("accepts every change once, in order, also from a cursor elsewhere", () => {
    const middle = put("a", 2);
    const first = stint(undefined, put("a", 1), middle);
    const rest = [put("b", 2), put("b", 3), put("a", 5)];
    expect(checksOf(first, stint(middle, ...rest))).toEqual([]);
    // From an older cursor it is told again.
    expect(checksOf(first, stint(middle, ...rest), stint(middle, ...rest))).toEqual([]);
  });

  test("finds what is missing between two events, within an entry too", () => {
    expect(checksOf(stint(undefined, put("a", 1), put("b", 3)))).toEqual([
      "watch-lost",
      "watch-lost",
    ]);
    expect(checksOf(stint(undefined, put("a", 1), put("a", 2), put("b", 3)))).toEqual([
      "watch-lost",
    ]);
  });

  test("finds what is missing since the watch was in step, but not what was before", () => {
    const synced = seen({ type: "synced" }, 2);
    expect(checksOf(stint(undefined, synced, put("b", 3)))).toEqual([]);
    expect(checksOf(stint(undefined, synced, put("a", 5)))).toEqual(["watch-lost"]);
  });

  test("lets a gap excuse what was called before it, and nothing later", () => {
    expect(checksOf(stint(undefined, put("a", 1), gap(2.5), put("b", 3)))).toEqual([]);
    expect(checksOf(stint(undefined, put("a", 1), gap(2.5), put("a", 5)))).toEqual(["watch-lost"]);
    expect(checksOf(stint(undefined, put("a", 1), gap(4), put("a", 5)))).toEqual([]);
  });

  test("finds what comes twice, or too late", () => {
    const one = put("a", 1);
    expect(checksOf(stint(undefined, one, put("a", 1)))).toEqual(["watch-doubled"]);
    expect(checksOf(stint(undefined, put("b", 3), put("a", 2)))).toEqual(["watch-order"]);
    expect(checksOf(stint(undefined, one), stint(one, put("a", 1)))).toEqual(["watch-doubled"]);
  });

  test("finds what was acknowledged before a watch began, and comes behind its synced", () => {
    const synced = seen({ type: "synced" }, 6);
    const from = (beganAtMs: number, ...told: readonly SeenEvent[]): Stint => {
      return { ...stint(undefined, ...told), beganAtMs };
    };
    expect(checksOf(from(4, put("b", 3), synced, put("a", 5)))).toEqual([]);
    expect(checksOf(from(6, synced, put("a", 5)))).toEqual(["watch-synced"]);
    // Also where that stint does not last until it comes.
    const one = put("b", 3);
    expect(checksOf(stint(undefined, one), { ...stint(one, synced), beganAtMs: 4 })).toEqual([]);
    expect(checksOf(stint(undefined, one), { ...stint(one, synced), beganAtMs: 6 })).toEqual([
      "watch-synced",
    ]);
    const rest = { ...stint(one, put("a", 5), synced), beganAtMs: 6 };
    expect(checksOf(stint(undefined, one), rest)).toEqual([]);
    // Behind a gap nobody knows where it stands, but that it stands there.
    expect(checksOf(from(6, one, gap(6), synced))).toEqual([]);
    expect(checksOf(from(6, one, gap(6), synced, put("a", 5)))).toEqual(["watch-synced"]);
  });

  test("finds another life of the shard without a gap", () => {
    const other = seen({ key: "a", value: "a5", version: versionOf(5, 2) });
    expect(checksOf(stint(undefined, put("b", 3), other))).toEqual(["watch-order"]);
  });

  test("finds what was never written, and what another watch was told otherwise", () => {
    expect(checksOf(stint(undefined, put("c", 6, "refused")))).toEqual(["outcome"]);
    expect(checksOf(stint(undefined, put("a", 1)), stint(undefined, put("a", 1, "x")))).toEqual([
      "watch-content",
    ]);
  });
});
