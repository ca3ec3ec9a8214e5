import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { versionTokenOf } from "../../../src/core/model/version-token.ts";
import {
  checkMonotonicReads,
  checkMonotonicWrites,
  checkReadYourWrites,
  checkWritesFollowReads,
  type KeyValueOperation,
  OPEN_ENDED,
  type SessionResult,
  stampOrder,
  type VersionOrder,
} from "../../../src/verification/index.ts";

/** Versions are numbers in these. */
const byNumber: VersionOrder = (a, b) => Number(a) - Number(b);

type Kind = "get" | "put" | "delete";

function operation(
  type: Kind,
  version: string | undefined,
  at: number,
  more: Partial<KeyValueOperation> = {},
): KeyValueOperation {
  const key = "k";
  const input = type === "put" ? { type, key, value: version ?? "?" } : { type, key };
  const found = type === "get" && version !== undefined ? { value: version } : {};
  const output = version === undefined ? {} : { ...found, version };
  const span = { calledAt: at, returnedAt: at + 1 };
  return { client: "c", input, output, outcome: "applied", ...span, ...more };
}

function verdictsOf(history: readonly KeyValueOperation[], order: VersionOrder = byNumber) {
  return {
    ryw: checkReadYourWrites(history, { order }).verdict,
    mr: checkMonotonicReads(history, { order }).verdict,
    mw: checkMonotonicWrites(history, { order }).verdict,
    wfr: checkWritesFollowReads(history, { order }).verdict,
  };
}

const LEGAL = { ryw: "legal", mr: "legal", mw: "legal", wfr: "legal" };

describe("known sessions", () => {
  test.each<[string, KeyValueOperation[], object]>([
    ["nothing at all", [], {}],
    ["a write, then a read of it", [operation("put", "1", 0), operation("get", "1", 2)], {}],
    [
      "a write, then a read of a newer one",
      [operation("put", "1", 0), operation("get", "2", 2)],
      {},
    ],
    [
      "a write, then a read of an older one",
      [operation("put", "2", 0), operation("get", "1", 2)],
      { ryw: "illegal" },
    ],
    [
      "a write, then a read of nothing",
      [operation("put", "2", 0), operation("get", undefined, 2)],
      { ryw: "illegal" },
    ],
    [
      "a read, then one of an older version",
      [operation("get", "2", 0), operation("get", "1", 2)],
      { mr: "illegal" },
    ],
    [
      "writes whose versions fall",
      [operation("put", "2", 0), operation("put", "1", 2)],
      { mw: "illegal" },
    ],
    [
      "a read, then a write that is older than what it found",
      [operation("get", "2", 0), operation("put", "1", 2)],
      { wfr: "illegal" },
    ],
    [
      "a write that has the version of what was read",
      [operation("get", "2", 0), operation("put", "2", 2)],
      { wfr: "illegal" },
    ],
    [
      "another client's write binds nobody",
      [operation("put", "2", 0, { client: "d" }), operation("get", "1", 2)],
      {},
    ],
    [
      "a write of another key binds nobody",
      [
        operation("put", "2", 0, { input: { type: "put", key: "j", value: 1 } }),
        operation("get", "1", 2),
      ],
      {},
    ],
    [
      "a write under way binds nobody",
      [operation("put", "2", 0, { returnedAt: 9 }), operation("get", "1", 2)],
      {},
    ],
    [
      "a write whose outcome is unknown binds nobody",
      [
        operation("put", "2", 0, { outcome: "unknown", returnedAt: OPEN_ENDED }),
        operation("get", "1", 2),
      ],
      {},
    ],
    [
      "a refused write binds nobody",
      [operation("put", "2", 0, { outcome: "not-applied" }), operation("get", "1", 2)],
      {},
    ],
    [
      "a deletion is a write like any other",
      [operation("delete", "2", 0), operation("get", "1", 2)],
      { ryw: "illegal" },
    ],
    [
      "after a deletion that is forgotten everywhere nothing is found, without a version",
      [
        operation("put", "1", 0),
        operation("get", "1", 2),
        operation("delete", "2", 4),
        operation("get", undefined, 6),
      ],
      {},
    ],
    [
      "a deletion by somebody else excuses a read of nothing while it may have been",
      [
        operation("put", "1", 0),
        operation("get", "1", 2),
        operation("delete", "2", 5, { client: "d" }),
        operation("get", undefined, 4),
      ],
      {},
    ],
    [
      "a deletion that is called later excuses nothing",
      [
        operation("put", "1", 0),
        operation("get", "1", 2),
        operation("delete", "2", 6, { client: "d" }),
        operation("get", undefined, 4),
      ],
      { ryw: "illegal", mr: "illegal" },
    ],
    [
      "a deletion that was refused excuses nothing",
      [
        operation("put", "1", 0),
        operation("get", "1", 2),
        operation("delete", undefined, 3, { client: "d", outcome: "not-applied" }),
        operation("get", undefined, 5),
      ],
      { ryw: "illegal", mr: "illegal" },
    ],
  ])("%s", (_what, history, expected) => {
    expect(verdictsOf(history)).toMatchObject({ ...LEGAL, ...expected });
  });

  test("a violation names both operations, and each later one is named once", () => {
    const written = operation("put", "3", 0);
    const older = operation("get", "1", 2);
    const oldest = operation("get", "0", 4);
    const again = operation("get", "3", 6);
    const history = [written, older, oldest, again];
    expect(checkReadYourWrites(history, { order: byNumber })).toEqual({
      verdict: "illegal",
      judged: 3,
      unjudged: 0,
      violations: [older, oldest].map((later) => ({
        guarantee: "read-your-writes",
        client: "c",
        key: "k",
        earlier: written,
        later,
      })),
    });
  });

  test("a version beside the one that is demanded does not meet it", () => {
    const beside: VersionOrder = (a, b) => (a === b ? 0 : undefined);
    const history = [operation("put", "a", 0), operation("get", "b", 2)];
    expect(verdictsOf(history, beside)).toEqual({ ...LEGAL, ryw: "illegal" });
  });

  test("nothing can be said where no operation carries a version", () => {
    const history = [operation("put", undefined, 0), operation("put", undefined, 2)];
    expect(checkMonotonicWrites(history)).toMatchObject({
      verdict: "unknown",
      judged: 0,
      unjudged: 2,
    });
  });
});

describe("the order of stamped versions", () => {
  const token = (time: number) => versionTokenOf({ time, actorHigh: 1, actorLow: 2 });

  test("is that of their stamps, and the default", () => {
    expect(Math.sign(stampOrder(token(9), token(10)))).toBe(-1);
    expect(stampOrder(token(9), token(9))).toBe(0);
    const history = [operation("put", token(10), 0), operation("get", token(9), 2)];
    expect(checkReadYourWrites(history).verdict).toBe("illegal");
  });

  test("refuses other versions by name", () => {
    expect(() => stampOrder("x1", token(1))).toThrow(/"x1" is no stamped version/);
  });
});

/** Two counters: versions that neither know of the other are common. */
const byVector: VersionOrder = (a, b) => {
  const [a0 = 0, a1 = 0] = a.split(",").map(Number);
  const [b0 = 0, b1 = 0] = b.split(",").map(Number);
  if (a0 === b0 && a1 === b1) return 0;
  if (a0 <= b0 && a1 <= b1) return -1;
  return a0 >= b0 && a1 >= b1 ? 1 : undefined;
};

type Checker = (
  history: readonly KeyValueOperation[],
  options: { readonly order: VersionOrder },
) => SessionResult;

/** Every pair of operations, as the definition says it. */
function naively(
  history: readonly KeyValueOperation[],
  demands: "get" | "write",
  meets: "get" | "write",
  order: VersionOrder,
): Set<KeyValueOperation> {
  const kind = ({ input }: KeyValueOperation) => (input.type === "get" ? "get" : "write");
  const keyOf = ({ input }: KeyValueOperation) => (input.type === "batch" ? "" : input.key);
  const wasDeleted = (later: KeyValueOperation) =>
    history.some(
      (each) =>
        each.input.type === "delete" &&
        each.outcome !== "not-applied" &&
        keyOf(each) === keyOf(later) &&
        each.calledAt <= later.returnedAt,
    );
  const broken = new Set<KeyValueOperation>();
  for (const earlier of history) {
    for (const later of history) {
      if (earlier.outcome !== "applied" || later.outcome !== "applied") continue;
      if (earlier.client !== later.client || keyOf(earlier) !== keyOf(later)) continue;
      if (kind(earlier) !== demands || kind(later) !== meets) continue;
      if (earlier.returnedAt >= later.calledAt) continue;
      const wanted = earlier.output?.version;
      const found = later.output?.version;
      if (wanted === undefined) continue;
      if (found === undefined) {
        if (meets === "get" && !wasDeleted(later)) broken.add(later);
        continue;
      }
      const compared = order(found, wanted);
      const isMet = compared !== undefined && (meets === "get" ? compared >= 0 : compared > 0);
      if (!isMet) broken.add(later);
    }
  }
  return broken;
}

const arbitraryHistory = fc.array(
  fc
    .record({
      client: fc.constantFrom("c", "d"),
      type: fc.constantFrom<Kind>("get", "get", "get", "put", "put", "put", "delete"),
      key: fc.constantFrom("j", "k"),
      version: fc.option(
        fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]) => `${a},${b}`),
        { nil: undefined, freq: 8 },
      ),
      calledAt: fc.nat(40),
      lastsFor: fc.integer({ min: 1, max: 6 }),
      outcome: fc.constantFrom("applied", "applied", "applied", "unknown", "not-applied"),
    })
    .map(({ client, type, key, version, calledAt, lastsFor, outcome }) =>
      operation(type, outcome === "applied" ? version : undefined, calledAt, {
        client,
        input: type === "put" ? { type, key, value: 1 } : { type, key },
        outcome: outcome as KeyValueOperation["outcome"],
        returnedAt: outcome === "unknown" ? OPEN_ENDED : calledAt + lastsFor,
      }),
    ),
  { maxLength: 20 },
);

test.each<[string, Checker, "get" | "write", "get" | "write"]>([
  ["read your writes", checkReadYourWrites, "write", "get"],
  ["monotonic reads", checkMonotonicReads, "get", "get"],
  ["monotonic writes", checkMonotonicWrites, "write", "write"],
  ["writes follow reads", checkWritesFollowReads, "get", "write"],
])("%s agrees with comparing every pair", (_name, check, demands, meets) => {
  fc.assert(
    fc.property(arbitraryHistory, (history) => {
      const result = check(history, { order: byVector });
      const broken = naively(history, demands, meets, byVector);
      expect(new Set(result.violations.map(({ later }) => later))).toEqual(broken);
      expect(result.verdict === "illegal").toBe(broken.size > 0);
    }),
    { numRuns: 500, seed: 1 },
  );
});
