import { describe, expect, it } from "vitest";
import type { StrategyCapabilities } from "../../../../src/core/contracts/strategy.ts";
import { resolveConfiguration } from "../../../../src/core/model/configuration.ts";
import type { CapstanError } from "../../../../src/core/model/errors.ts";
import type { OpenKeyspace } from "../../../../src/core/store/node-store.ts";
import { MembersDesk } from "../../../../src/core/store/shard-members.ts";
import { EVERYTHING, openBench } from "./fake-engine.ts";

/** A desk over `things`, whose strategy can move shards, and `fixed`, a user's own that cannot. */
function openDesk() {
  const moving: StrategyCapabilities = { ...EVERYTHING, replicaChanges: true };
  const { lifecycle, ...bench } = openBench(moving);
  const fixed = openBench();
  const keyspaces = new Map(
    [["things", bench] as const, ["fixed", fixed] as const].map(
      ([name, { engine, keyspace }]): [string, OpenKeyspace] => [
        name,
        { name, hash: 1, handle: keyspace, engine, defaults: { read: "quorum", write: "quorum" } },
      ],
    ),
  );
  const configuration = resolveConfiguration({
    cluster: { name: "c", nodes: { n1: "127.0.0.1:7401", n2: "127.0.0.1:7402" } },
    transport: { type: "tcp" },
    keyspaces: { things: { shards: 2 }, fixed: {} },
  });
  const now = { monotonicMs: () => 0, lackedBy: () => [] };
  const desk = new MembersDesk({ configuration, keyspaces, lifecycle, ...now });
  return { desk, engines: [bench.engine, fixed.engine] };
}

async function faultOf(call: Promise<unknown>): Promise<CapstanError> {
  return call.then(
    () => Promise.reject(new Error("it succeeded")),
    (fault: CapstanError) => fault,
  );
}

const anything = (value: unknown) => value as never;

describe("what is asked about who holds a shard", () => {
  it("is refused of a strategy that leaves shards where they are, naming those that do not", async () => {
    const { desk, engines } = openDesk();
    const change = { keyspace: "fixed", shard: 0, replicas: ["n1"] };
    const fault = await faultOf(desk.changeReplicas(change));
    expect(fault).toMatchObject({ code: "NOT_SUPPORTED", outcome: "not-applied" });
    expect(fault.message).toContain('"fixed"');
    expect(fault.message).toContain("they can be changed in: things");
    expect(fault.allowed).toEqual(["things"]);
    expect(await faultOf(desk.members({ keyspace: "fixed", shard: 0 }))).toMatchObject({
      code: "NOT_SUPPORTED",
    });
    expect(engines.flatMap(({ executed }) => executed)).toEqual([]);
  });

  it.each([
    ["a shard", { keyspace: "things", shard: 1n, replicas: ["n1"] }, "from 0 to 1, not 1n"],
    [
      "a shard's number as text",
      { keyspace: "things", shard: "1", replicas: ["n1"] },
      'from 0 to 1, not "1"',
    ],
    ["a keyspace", { keyspace: 7n, shard: 0, replicas: ["n1"] }, "no keyspace 7n is declared"],
    ["the whole question", 5, "an object with keyspace, shard, replicas is needed, not 5"],
    ["a node", { keyspace: "things", shard: 0, replicas: [1n] }, "replicas names 1n; allowed"],
    ["nodes that are text", { keyspace: "things", shard: 0, replicas: "n1" }, 'n1, n2, not "n1"'],
    ["no nodes", { keyspace: "things", shard: 0, replicas: [] }, "n1, n2, not a list of 0"],
  ])("refuses %s of a wrong type, naming it", async (_, given, text) => {
    const { desk, engines } = openDesk();
    const fault = await faultOf(desk.changeReplicas(anything(given)));
    expect(fault).toMatchObject({ outcome: "not-applied", message: expect.stringContaining(text) });
    expect(engines.flatMap(({ executed }) => executed)).toEqual([]);
  });

  it("does not offer to go on alone where the strategy does not", async () => {
    const { desk, engines } = openDesk();
    const recovery = { keyspace: "things", shard: 0, acceptLoss: true } as const;
    expect(await faultOf(desk.recover(recovery))).toMatchObject({ code: "NOT_SUPPORTED" });
    expect(engines.flatMap(({ executed }) => executed)).toEqual([]);
  });

  it("takes no word but true for the acceptance of a loss", async () => {
    const { desk } = openDesk();
    const recovery = anything({ keyspace: "things", shard: 0, acceptLoss: 1n });
    expect(await faultOf(desk.recover(recovery))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("acceptLoss has to be true, not 1n"),
    });
  });
});
