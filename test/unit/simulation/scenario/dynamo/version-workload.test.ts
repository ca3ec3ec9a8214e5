import { describe, expect, test } from "vitest";
import type { GetResult } from "../../../../../src/core/store/api.ts";
import type { Draw } from "../../../../../src/simulation/scenario/draw.ts";
import { VersionWorkload } from "../../../../../src/simulation/scenario/dynamo/version-workload.ts";
import { CausalContext } from "../../../../../src/strategies/dynamo/causal-context.ts";

/** Draws that always, or never, take the rare way: here, to delete. */
const drawing = (chance: boolean) => ({ chance: () => chance }) as unknown as Draw;

function shows(...values: readonly string[]): GetResult<unknown> {
  const [value] = values;
  if (values.length === 0)
    return { found: false, version: values.at(-1) ?? "a" } as GetResult<unknown>;
  const said =
    values.length > 1 ? { conflict: true, siblings: values } : { conflict: false, value };
  return { found: true, version: values.at(-1) ?? "a", ...said } as GetResult<unknown>;
}

const LAST = "z";

/** Writes are named by letters, in the order of their events: all up to that one. */
function upTo(letter: string): CausalContext {
  const at = letter.charCodeAt(0);
  return CausalContext.of([{ actor: { high: 1, low: 1 }, counter: at, time: at }]);
}

/** Clients of one key: whom they have seen, and what became of their writes. */
class Clients {
  readonly workload = new VersionWorkload("siblings", {
    seenIn: (_key, letter) => ({ context: upTo(letter), unseen: [] }),
  });

  put(id: string, ...seen: readonly string[]) {
    return this.#acknowledge(id, seen, false);
  }

  delete(id: string, ...seen: readonly string[]) {
    return this.#acknowledge(id, seen, true);
  }

  /** One whose answer never came: it may have been applied. */
  deleteUnanswered(id: string, ...seen: readonly string[]): void {
    this.workload.failed(this.#draw(id, seen, true), true);
  }

  refused(id: string, ...seen: readonly string[]): void {
    this.workload.failed(this.#draw(id, seen, false), false);
  }

  /** What the end shows, of which every acknowledged write is known. */
  found(...values: readonly string[]): readonly string[] {
    return this.foundKnowing(LAST, values);
  }

  /** And of whose events those up to the letter alone are known. */
  foundKnowing(letter: string, values: readonly string[]): readonly string[] {
    const known = upTo(letter);
    const final = { key: "k", result: shows(...values), covers: () => true, known };
    return this.workload.judgeFinal(final).map(({ check, message }) => `${check}: ${message}`);
  }

  #acknowledge(id: string, seen: readonly string[], deletes: boolean): void {
    const call = this.#draw(id, seen, deletes);
    this.workload.acknowledged(call, id);
  }

  #draw(id: string, seen: readonly string[], deletes: boolean) {
    const read = seen.length === 0 ? undefined : shows(...seen);
    const call = this.workload.draw(drawing(deletes), "k", read, id);
    expect(call.isDeletion).toBe(deletes);
    return call;
  }
}

describe("in the end", () => {
  test("concurrent versions stand side by side, and nothing that was seen is there", () => {
    const clients = new Clients();
    clients.put("a");
    clients.put("b");
    clients.put("c", "a");
    expect(clients.found("b", "c")).toEqual([]);
    clients.delete("d", "b", "c");
    expect(clients.found()).toEqual([]);
  });

  test("a version that is gone, and that nobody had seen, is found", () => {
    const clients = new Clients();
    clients.put("a");
    clients.put("b");
    expect(clients.found("b")).toEqual([
      "false-dominance: k: a is gone, and no write that is known had seen it",
    ]);
  });

  test("a write that was refused is no reason for what it had seen to be gone", () => {
    const clients = new Clients();
    clients.put("a");
    clients.refused("b", "a");
    expect(clients.found()).toEqual([
      "false-dominance: k: a is gone, and no write that is known had seen it",
    ]);
    clients.deleteUnanswered("c", "a");
    expect(clients.found()).toEqual([]);
  });

  test("nor is one of which the end does not know", () => {
    const clients = new Clients();
    clients.put("a");
    clients.delete("b", "a");
    expect(clients.foundKnowing("b", [])).toEqual([]);
    expect(clients.foundKnowing("a", [])).toEqual([
      "false-dominance: k: a is gone, and no write that is known had seen it",
    ]);
  });

  test("what was deleted and is there again is found: deletes stay deleted", () => {
    const clients = new Clients();
    clients.put("a");
    clients.put("b", "a");
    clients.delete("c", "b");
    expect(clients.found("b")).toEqual([
      "resurrection: k: b is there, though c had replaced or deleted it",
    ]);
    // Also what the deleted one had replaced before.
    expect(clients.found("a")).toContain(
      "resurrection: k: a is there, though c had replaced or deleted it",
    );
  });

  test("nothing is said of an acknowledged write that is not known any more at all", () => {
    const clients = new Clients();
    clients.put("a");
    const final = { key: "k", result: shows(), covers: () => false };
    expect(clients.workload.judgeFinal(final)).toEqual([]);
  });
});

test("a read that shows a write which was said not to be applied is found", () => {
  const { workload } = new Clients();
  const call = workload.draw(drawing(false), "k", undefined, "a");
  workload.failed(call, true);
  workload.noteRead("k", shows("a"));
  expect(workload.judgeOutcomes()).toEqual([]);
  workload.failed(call, false);
  workload.noteRead("k", shows("a", "b"));
  expect(workload.judgeOutcomes()).toEqual([
    { check: "outcome", message: "k: a read found a, whose write was said not to be applied" },
  ]);
});
