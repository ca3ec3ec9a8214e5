import { describe, expect, test } from "vitest";
import { httpAddressOf } from "../../../src/cli/http-address.ts";

const nodes = {
  n1: { peer: "127.0.0.1:7401", http: "127.0.0.1:8401" },
  n2: { peer: "[::1]:7402", http: "[::1]:8402" },
  n3: "127.0.0.1:7403",
  n4: { http: "localhost" },
  n5: { http: "localhost:70000" },
};
const of = (node: string, cluster: object = { nodes }) =>
  httpAddressOf({ cluster }, node, "my.json");

describe("where a node serves HTTP", () => {
  test("is what the configuration says, in both kinds of address", () => {
    expect(of("n1")).toEqual({ host: "127.0.0.1", port: 8401 });
    expect(of("n2")).toEqual({ host: "::1", port: 8402 });
  });

  test("of a node that is not there names those that are", () => {
    expect(() => of("n9")).toThrow('my.json has no node "n9" in cluster.nodes; it names n1, n2');
    expect(() => of("n1", {})).toThrow("it names none");
    expect(() => of("n9", { nodes: ["n1"] })).toThrow("it names n1");
  });

  test("that is not said says how to say it", () => {
    expect(() => of("n3")).toThrow('cluster.nodes.n3 as { "peer": "host:port", "http"');
    expect(() => of("n1", { nodes: ["n1"] })).toThrow("does not say where");
  });

  test.each(["n4", "n5"])("that is no address is shown (%s)", (node) => {
    expect(() => of(node)).toThrow(`cluster.nodes.${node}.http is "localhost`);
  });
});
