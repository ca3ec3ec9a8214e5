import { expect, test } from "vitest";
import { observerConformance } from "../../../../src/conformance/observer.ts";
import { countingObserver } from "../../../../src/core/store/counting-observer.ts";
import { bindSuite } from "../../../support/bind-suite.ts";

bindSuite("a counting observer", observerConformance({ open: () => countingObserver() }));

test("adds up by name and labels, in whatever order these are named", () => {
  const metrics = countingObserver();
  expect(metrics.prometheus()).toBe("");
  metrics.count("conflicts", 2, { keyspace: "carts", resolution: "lww" });
  metrics.count("conflicts", 3, { resolution: "lww", keyspace: "carts" });
  metrics.count("conflicts", 1, { keyspace: "notes", resolution: "siblings" });
  metrics.count("bare", 1);
  expect(metrics.counters()).toEqual([
    { name: "bare", labels: {}, value: 1 },
    { name: "conflicts", labels: { keyspace: "carts", resolution: "lww" }, value: 5 },
    { name: "conflicts", labels: { keyspace: "notes", resolution: "siblings" }, value: 1 },
  ]);
});

test("says it as Prometheus reads it", () => {
  const metrics = countingObserver();
  metrics.count("b", 1, { why: 'a "quoted"\nback\\slash' });
  metrics.count("a", 1);
  metrics.count("a", 1, { peer: "n2" });
  expect(metrics.prometheus({ node: "n1" })).toBe(
    [
      "# TYPE a counter",
      'a{node="n1",peer="n2"} 1',
      'a{node="n1"} 1',
      "# TYPE b counter",
      'b{node="n1",why="a \\"quoted\\"\\nback\\\\slash"} 1',
      "",
    ].join("\n"),
  );
});

test("hands logs on", () => {
  const logs: unknown[][] = [];
  const metrics = countingObserver({ log: (...log) => void logs.push(log) });
  metrics.log("warn", "slow", { peer: "n2" });
  expect(logs).toEqual([["warn", "slow", { peer: "n2" }]]);
});
