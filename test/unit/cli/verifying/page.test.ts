import { describe, expect, test } from "vitest";
import { escapeHtml } from "../../../../src/cli/verifying/escape-html.ts";
import { lanesPicture } from "../../../../src/cli/verifying/lanes-picture.ts";
import { TimeScale } from "../../../../src/cli/verifying/time-scale.ts";
import type { FaultSpan } from "../../../../src/simulation/verify/fault-log.ts";
import { type KeyValueOperation, OPEN_ENDED } from "../../../../src/verification/index.ts";
import { read, write } from "../../verification/histories.ts";

describe("text of anybody", () => {
  test("is text in a page", () => {
    expect(escapeHtml(`<a href='x'>"&"</a>`)).toBe(
      "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;",
    );
  });

  test("keeps lines and tabs, and shows that there was a control character", () => {
    expect(escapeHtml("a\tb\nc\u0000d\u001be")).toBe("a\tb\nc\uFFFDd\uFFFDe");
  });
});

describe("a scale of time", () => {
  const scale = new TimeScale([5_000, 10, 10, 11], 100);

  test("keeps the order, and moments of one time in one place", () => {
    const places = [10, 10.5, 11, 400, 5_000].map((at) => scale.placeOf(at));
    expect(places[0]).toBe(100);
    expect([...places].sort((a, b) => a - b)).toEqual(places);
    expect(new Set(places).size).toBe(5);
    expect(scale.placeOf(5_000)).toBe(scale.width);
  });

  test("does not grow with the time between", () => {
    expect(scale.width).toBeLessThan(400);
  });
});

function at(operation: KeyValueOperation, node: string, fromMs: number, toMs?: number) {
  return {
    ...operation,
    node,
    calledAtMs: fromMs,
    ...(toMs === undefined ? { returnedAt: OPEN_ENDED } : { returnedAtMs: toMs }),
  };
}

function fault(kind: FaultSpan["kind"], fromMs: number, toMs: number, nodes: string[]): FaultSpan {
  return { kind, fromMs, toMs, nodes, cuts: [] };
}

describe("the picture of a counterexample", () => {
  const written = at(write("a<b", 0, 1), "n1", 100, 110);
  const open = at({ ...write("c", 2, 3), outcome: "unknown" }, "n2", 120);
  const found = at(read("a<b", 4, 5), "n2", 200, 210);
  const picture = lanesPicture({
    sentence: "",
    seed: 1,
    nodes: ["n1", "n2", "n3"],
    operations: [found, written, open],
    violated: found,
    faults: [
      fault("pause", 90, 150, ["n1"]),
      fault("kill", 205, 900, ["n3"]),
      fault("wipe", 1, 50, ["n2"]),
    ],
  });

  test("has a lane for each node, those without operations too", () => {
    expect(picture.match(/class="lane"/g)).toHaveLength(3);
    for (const node of ["n1", "n2", "n3"]) expect(picture).toContain(`<title>${node}</title>`);
  });

  test("shows each operation in its order, and marks the violating one", () => {
    expect(picture).toContain("1 put &quot;k&quot; = &quot;a&lt;b&quot;");
    expect(picture).toContain('<g class="bar write open">');
    expect(picture.match(/<g class="bar read violated">/g)).toHaveLength(1);
    expect(picture.match(/class="mark"/g)).toHaveLength(1);
  });

  test("shows the faults of that time, and no others", () => {
    expect(picture.match(/<g class="fault">/g)).toHaveLength(2);
    expect(picture).toContain("pause n1");
    expect(picture).toContain("kill n3");
    expect(picture.match(/class="band"/g)).toHaveLength(2);
  });

  test("an operation that stands over another one has a row of its own", () => {
    const beside = at(write("d", 6, 7), "n1", 101, 109);
    const text = lanesPicture({
      ...{ sentence: "", seed: 1, nodes: ["n1"], faults: [], violated: undefined },
      operations: [written, beside],
    });
    const rows = [...text.matchAll(/class="bar write">.*?<rect x="[\d.]+" y="([\d.]+)"/g)];
    expect(new Set(rows.map(([, y]) => y)).size).toBe(2);
  });
});
