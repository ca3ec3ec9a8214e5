import { describe, expect, test } from "vitest";
import {
  type KeyValueOperation,
  OPEN_ENDED,
  renderTimeline,
} from "../../../src/verification/index.ts";
import { batch, read, write } from "./histories.ts";

function by(client: string, operation: KeyValueOperation): KeyValueOperation {
  return { ...operation, client };
}

function drawn(...lines: readonly string[]): string {
  return lines.join("\n");
}

describe("a timeline", () => {
  test("has a lane for each client, the violated read marked, and a list with places", () => {
    const stale = { ...by("c2", read(undefined, 3, 4)), node: "n1", level: "strong" };
    const operations = [
      { ...by("c1", write("a", 0, 1)), calledAtMs: 1.25, returnedAtMs: 10 / 3 },
      by("c3", write("b", 2, OPEN_ENDED)),
      stale,
    ];
    expect(renderTimeline(operations, { violated: stale })).toBe(
      drawn(
        'c1     |1 put "k" = "a"|',
        'c3                       |2 put "k" = "b" (unknown)....',
        'c2@n1                      |3 get "k" -> nothing| <==',
        "",
        'c1     1 put "k" = "a"            called 0 (1.25 ms), returned 1 (3.333 ms)',
        'c3     2 put "k" = "b" (unknown)  called 2, never returned',
        'c2@n1  3 get "k" -> nothing       called 3, returned 4 at strong <==',
      ),
    );
  });

  test("shows by their ends which operations overlapped", () => {
    const operations = [
      by("a", write("x", 0, 3)),
      by("b", read("x", 1, 2)),
      by("a", write(undefined, 4, 5)),
    ];
    const [a, b] = renderTimeline(operations).split("\n") as [string, string];
    expect(a).toBe('a  |1 put "k" = "x"-----| |3 delete "k"|');
    expect(b).toBe('b    |2 get "k" -> "x"|');
  });

  test("gives a client that did two things at once two lanes", () => {
    const operations = [by("a", write("x", 0, 9)), by("a", read("x", 1, 2))];
    expect(renderTimeline(operations).split("\n").slice(0, 2)).toEqual([
      'a  |1 put "k" = "x"-----|',
      'a    |2 get "k" -> "x"|',
    ]);
  });

  test("that is too wide shows numbers, which the list explains", () => {
    const operations = Array.from({ length: 12 }, (_, at) =>
      by("a", write(`v${at}`, at * 2, at * 2 + 1)),
    );
    const lines = renderTimeline(operations, { maxWidth: 100 }).split("\n");
    expect(lines[0]?.startsWith("a  |1| |2| |3|")).toBe(true);
    expect(lines[0]?.length).toBeLessThan(100);
    expect(lines.at(-1)).toBe('a  12 put "k" = "v11"  called 22, returned 23');
  });

  test.each<[string, KeyValueOperation]>([
    ['get "k" -> siblings "a", "b"', { ...read("a", 0, 1), output: { siblings: ["a", "b"] } }],
    [
      'batch "a" = {"n":"5n"}, "b" deleted',
      batch(
        [
          { key: "a", value: { n: 5n } },
          { key: "b", value: undefined },
        ],
        0,
        1,
      ),
    ],
    ['get "k" -> "bytes 01ff"', read(new Uint8Array([1, 255]), 0, 1)],
    ['get "k" -> "1970-01-01T00:00:00.000Z"', read(new Date(0), 0, 1)],
    ['get "k" -> "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx..', read("x".repeat(99), 0, 1)],
  ])("says %s", (text, operation) => {
    expect(renderTimeline([operation]).split("\n")[0]).toContain(text);
  });
});
