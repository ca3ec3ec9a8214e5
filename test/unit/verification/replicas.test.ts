import { describe, expect, test } from "vitest";
import {
  checkConvergence,
  checkFalseDominance,
  checkFalseSiblings,
  type GhostVersion,
  type KeyCopy,
} from "../../../src/verification/index.ts";

describe("convergence", () => {
  const copies = (entries: Record<string, KeyCopy>) => new Map(Object.entries(entries));

  test("replicas that hold the same have converged, whatever the order of siblings", () => {
    const replicas = new Map([
      ["n1", copies({ a: { versions: ["1", "2"], context: "x" }, b: { versions: ["3"] } })],
      ["n2", copies({ b: { versions: ["3"] }, a: { versions: ["2", "1"], context: "x" } })],
    ]);
    expect(checkConvergence(replicas)).toEqual({ verdict: "legal", judged: 2, violations: [] });
  });

  test("a key that one lacks, another version, or another context is a divergence", () => {
    const first = {
      a: { versions: ["1"] },
      b: { versions: ["1"] },
      c: { versions: ["1"], context: "x" },
      d: { versions: ["1"] },
    };
    const second = {
      b: { versions: ["2"] },
      c: { versions: ["1"], context: "y" },
      d: { versions: ["1"] },
    };
    const result = checkConvergence(
      new Map([
        ["n1", copies(first)],
        ["n2", copies(second)],
      ]),
    );
    expect(result).toMatchObject({ verdict: "illegal", judged: 4 });
    expect(result.violations.map(({ key }) => key)).toEqual(["a", "b", "c"]);
    expect(result.violations[0]?.copies).toEqual(
      new Map([
        ["n1", first.a],
        ["n2", undefined],
      ]),
    );
  });

  test("what is not there, and what is there without version and context, are the same", () => {
    const replicas = new Map([
      ["n1", copies({ a: { versions: [] } })],
      ["n2", copies({})],
    ]);
    expect(checkConvergence(replicas).verdict).toBe("legal");
  });

  test("a context that stayed behind alone is a divergence", () => {
    const replicas = new Map([
      ["n1", copies({ a: { versions: [], context: "x" } })],
      ["n2", copies({})],
    ]);
    expect(checkConvergence(replicas).verdict).toBe("illegal");
  });

  test("one replica alone has converged", () => {
    expect(checkConvergence(new Map([["n1", copies({ a: { versions: ["1"] } })]])).verdict).toBe(
      "legal",
    );
  });
});

describe("ghost histories", () => {
  const version = (id: string, ...from: string[]): GhostVersion => ({
    id,
    descendsFrom: new Set(from),
  });
  const [first, second, beside] = [version("w1"), version("w2", "w1"), version("w3")];
  const place = { key: "k", node: "n1", at: 7 };

  test("a version may go if one that stays descends from it", () => {
    const drops = [
      { ...place, dropped: first, kept: [beside, second] },
      { ...place, dropped: first, kept: [version("w1")] },
    ];
    expect(checkFalseDominance(drops)).toEqual({ verdict: "legal", judged: 2, violations: [] });
  });

  test("a version that nobody descends from was lost", () => {
    const fine = { ...place, dropped: first, kept: [second] };
    const wrong = { ...place, dropped: beside, kept: [second] };
    const alone = { ...place, dropped: beside, kept: [] };
    expect(checkFalseDominance([fine, wrong, alone])).toEqual({
      verdict: "illegal",
      judged: 3,
      violations: [wrong, alone],
    });
  });

  test("versions stand side by side if neither knows of the other", () => {
    const sightings = [
      { ...place, versions: [second, beside] },
      { ...place, versions: [first] },
      { ...place, versions: [] },
    ];
    expect(checkFalseSiblings(sightings).verdict).toBe("legal");
  });

  test("one that the other descends from should be gone, in whatever order they stand", () => {
    for (const versions of [
      [first, second],
      [second, beside, first],
    ]) {
      expect(checkFalseSiblings([{ ...place, versions }])).toEqual({
        verdict: "illegal",
        judged: 1,
        violations: [{ ...place, versions, older: first, newer: second }],
      });
    }
  });

  test("the same write twice is a false sibling too", () => {
    const versions = [version("w1"), version("w1")];
    expect(checkFalseSiblings([{ ...place, versions }]).verdict).toBe("illegal");
  });
});
