import { beforeEach, describe, expect, test } from "vitest";
import { encodeValue } from "../../../../../src/core/model/values.ts";
import { CommitCheck } from "../../../../../src/simulation/scenario/dynamo/commit-check.ts";
import type { GhostWrites } from "../../../../../src/simulation/scenario/dynamo/ghost-writes.ts";
import { VersionWorkload } from "../../../../../src/simulation/scenario/dynamo/version-workload.ts";
import { CausalContext } from "../../../../../src/strategies/dynamo/causal-context.ts";
import {
  encodeRecord,
  NOTHING,
  type Sibling,
} from "../../../../../src/strategies/dynamo/dotted-record.ts";

const ACTOR = { high: 1, low: 1 };

/** The write that is named so, as its minter's dot of that counter. */
function version(id: string, counter: number): Sibling {
  return { dot: { actor: ACTOR, counter }, time: counter, value: encodeValue(id) };
}

/** All events up to the counter. */
function upTo(counter: number): CausalContext {
  return CausalContext.of([{ actor: ACTOR, counter, time: counter }]);
}

/** Of all events up to the counter these are alive. */
function record(counter: number, ...siblings: readonly Sibling[]): Uint8Array {
  return encodeRecord({ ...NOTHING, context: upTo(counter), newestTime: counter, siblings });
}

function stateRecord(counter: number, state: unknown): Uint8Array {
  const context = upTo(counter);
  return encodeRecord({ ...NOTHING, context, newestTime: counter, states: [encodeValue(state)] });
}

const DROPPED_A = "false-dominance: n1: k dropped a, and knows of no write that had seen it";

let check: CommitCheck;
let ghosts: GhostWrites;

beforeEach(() => {
  const workload = new VersionWorkload("siblings", {
    seenIn: () => ({ context: CausalContext.EMPTY, unseen: [] }),
  });
  check = new CommitCheck(workload);
  ghosts = workload.ghosts as GhostWrites;
});

const found = () => check.violations().map(({ check: name, message }) => `${name}: ${message}`);

describe("a record that comes to be held", () => {
  test("may have what concurrent writers made, and lack what a writer had seen", () => {
    ghosts.add("a", []);
    ghosts.add("b", []);
    ghosts.add("c", ["a"]);
    check.onPut("n1", "k", undefined, record(1, version("a", 1)));
    check.onPut("n1", "k", record(1, version("a", 1)), record(2, version("a", 1), version("b", 2)));
    const both = record(2, version("a", 1), version("b", 2));
    check.onPut("n1", "k", both, record(3, version("b", 2), version("c", 3)));
    expect(found()).toEqual([]);
  });

  test("is found where it knows less than the one before it", () => {
    ghosts.add("a", []);
    check.onPut("n1", "k", record(2, version("a", 1)), record(1, version("a", 1)));
    expect(found()).toEqual(["falling-context: n1: k knows less than before"]);
  });

  test("is found where it lacks a version that no writer had seen: no false dominance", () => {
    ghosts.add("a", []);
    ghosts.add("b", []);
    check.onPut("n1", "k", record(1, version("a", 1)), record(2, version("b", 2)));
    expect(found()).toEqual([DROPPED_A]);
  });

  test("may lack what a deletion had seen that it knows, or that may have happened unanswered", () => {
    ghosts.add("a", []);
    ghosts.add("d", ["a"], true);
    check.onPut("n1", "k", record(1, version("a", 1)), record(2));
    expect(found()).toEqual([]);
    ghosts.deleted("d", { seen: upTo(1), answered: upTo(3) });
    expect(found()).toEqual([]);
  });

  test("is found where a write has seen the version, and the record knows nothing of that write", () => {
    ghosts.add("a", []);
    ghosts.add("d", ["a"], true);
    ghosts.deleted("d", { seen: upTo(2), answered: upTo(3) });
    check.onPut("n1", "k", record(1, version("a", 1)), record(2));
    expect(found()).toEqual([DROPPED_A]);
  });

  test("is found where those who had seen the version were refused, or kept nowhere", () => {
    ghosts.add("a", []);
    ghosts.add("b", ["a"]);
    ghosts.add("d", ["a"], true);
    check.onPut("n1", "k", record(1, version("a", 1)), record(2));
    expect(found()).toEqual([]);
    ghosts.refused("d");
    expect(found()).toEqual([DROPPED_A]);
    // Some other copy has it, and this one knows its event.
    check.onPut("n2", "k", undefined, record(2, version("b", 2)));
    expect(found()).toEqual([]);
  });

  test("is found where it has a version beside one that had seen it: no false siblings", () => {
    ghosts.add("a", []);
    ghosts.add("b", ["a"]);
    ghosts.add("c", ["b"]);
    check.onPut("n1", "k", undefined, record(3, version("a", 1), version("c", 3)));
    expect(found()).toEqual(["false-siblings: n1: k holds a beside c"]);
  });

  test("is found where it has one write under two names", () => {
    ghosts.add("a", []);
    check.onPut("n1", "k", undefined, record(2, version("a", 1), version("a", 2)));
    expect(found()).toEqual(["doubled-write: n1: k holds the write a twice"]);
  });

  test("is found where its state is another one than that of a copy that knows the same", () => {
    check.onPut("n1", "k", undefined, stateRecord(2, ["x"]));
    check.onPut("n2", "k", undefined, stateRecord(2, ["x"]));
    check.onPut("n2", "other", undefined, stateRecord(2, ["y"]));
    check.onPut("n2", "k", undefined, stateRecord(3, ["y"]));
    expect(found()).toEqual([]);
    check.onPut("n3", "k", undefined, stateRecord(2, ["y"]));
    expect(found()).toEqual([
      "two-states: n3: k has another state than a copy that knows the same",
    ]);
  });
});
