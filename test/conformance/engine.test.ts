import { describe, expect, test } from "vitest";
import { engineConformance } from "../../src/conformance/strategy-engine.ts";
import type { EngineHarness } from "../../src/conformance/strategy-engine-harness.ts";
import { strategyConformance } from "../../src/conformance/strategy-engine-settings.ts";
import type { Completion, Engine, EngineStrategy } from "../../src/core/contracts/strategy.ts";
import { CapstanError } from "../../src/core/model/errors.ts";
import type { OperationResult, ReadResult, WriteResult } from "../../src/core/model/operations.ts";
import { encodeValue } from "../../src/core/model/values.ts";
import { bindSuite, failureOf } from "../support/bind-suite.ts";
import { withMembers } from "../support/broken-storage.ts";
import { SimulatedEngine } from "../support/simulated-engine.ts";
import { VirtualEnvironment, VirtualTime } from "../support/virtual-environment.ts";

type Members = (engine: SimulatedEngine, environment: VirtualEnvironment) => Partial<Engine>;

/** One that needs no environment. */
type PlainMembers = (engine: SimulatedEngine) => Partial<Engine>;

function simulatedHarness(time: VirtualTime, defect: Members = () => ({})): EngineHarness {
  const environment = new VirtualEnvironment({ time });
  return {
    clock: environment,
    create: async () => {
      const engine = new SimulatedEngine(environment);
      return {
        engine: withMembers<Engine>(engine, defect(engine, environment)),
        level: "quorum",
        scanLevel: "quorum",
        bound: engine.bound,
        ownDeadlineMs: engine.ownDeadlineMs,
        slackMs: 20,
        shardOf: () => 0,
        cut: () => {
          engine.isCut = true;
        },
        heal: async () => {
          engine.isCut = false;
        },
        dispose: () => engine.close({ drain: false, timeoutMs: 0 }),
      };
    },
  };
}

const time = new VirtualTime();
bindSuite("a simulated engine", engineConformance(simulatedHarness(time)), time);

/** Changes the answers to operations. */
function answers(change: (done: Completion) => Completion): PlainMembers {
  return (engine) => ({ execute: (operation, done) => engine.execute(operation, change(done)) });
}

/** Changes the results. */
function results(change: (result: OperationResult) => OperationResult): PlainMembers {
  return answers((done) => ({
    succeed: (result) => done.succeed(change(result)),
    fail: (fault) => done.fail(fault),
  }));
}

/** Changes the faults. */
function faults(change: (fault: CapstanError) => CapstanError): PlainMembers {
  return answers((done) => ({
    succeed: (result) => done.succeed(result),
    fail: (fault) => done.fail(change(fault)),
  }));
}

/** In step at once, and nothing behind that. */
const silentWatches: Members = (engine, environment) => ({
  capabilities: { ...engine.capabilities, watch: true },
  watch: (_request, sink) => {
    const nothing = { key: undefined, value: undefined, version: undefined };
    environment.soon(() => sink({ type: "synced", shardIndex: 0, cursor: "c", ...nothing }));
    return { cancel: () => undefined };
  },
});

const isRead = (result: OperationResult): result is ReadResult => "found" in result;

/** What is wrong → how, and the case that notices. */
const DEFECTS: Readonly<Record<string, readonly [Members, string]>> = {
  "offers a level that nothing is promised about": [
    (engine) => ({ capabilities: { ...engine.capabilities, readLevels: ["quorum", "all"] } }),
    "capabilities and guarantees speak of the same levels",
  ],
  "describes itself by a Map": [
    () => ({ describe: () => ({ shards: new Map([[1, 2]]) }) }),
    "describe gives plain data",
  ],
  "is never ready": [
    () => ({ isReady: () => false }),
    "an engine that can serve a level says that it is ready",
  ],
  "says that a level was met, and that it was not": [
    results((result) => ({
      ...(result as WriteResult),
      receipt: { ...(result as WriteResult).receipt, consistent: false },
    })),
    "what was written is read, overwritten and deleted, with receipts that are true",
  ],
  "counts versions in one": [
    results((result) => ({ ...(result as WriteResult), version: "v1" })),
    "each write has a version of its own",
  ],
  "answers twice": [
    answers((done) => ({
      succeed: (result) => {
        done.succeed(result);
        done.succeed(result);
      },
      fail: (fault) => done.fail(fault),
    })),
    "operations that run at once are each answered once",
  ],
  "changes its mind between two reads": [
    (engine) => {
      let count = 0;
      return results((result) => {
        if (!isRead(result) || result.value === undefined) return result;
        count += 1;
        return { ...result, value: encodeValue(`v${count % 2}`) };
      })(engine);
    },
    "concurrent writes of one key leave one of them",
  ],
  "uses the operation's bytes as a buffer": [
    (engine) => ({
      execute: (operation, done) => {
        const cancellation = engine.execute({ ...operation, key: operation.key.slice() }, done);
        operation.key.fill(0);
        return cancellation;
      },
    }),
    "an operation's bytes are not changed, nor those of a result",
  ],
  "reads at once what nobody wrote": [
    () => ({
      readNow: () =>
        ({
          found: true,
          value: encodeValue("never written"),
          siblings: undefined,
          version: "v",
          receipt: { asked: "quorum" },
        }) as unknown as OperationResult,
    }),
    "readNow answers with a value that was written, or not at all",
  ],
  "offers watches, and never says synced": [
    (engine) => ({
      capabilities: { ...engine.capabilities, watch: true },
      watch: () => ({ cancel: () => undefined }),
    }),
    "a watch says synced over nothing, then gives each change of a key in its order",
  ],
  "watches without ever telling of a change": [
    silentWatches,
    "a watch goes on behind the event whose cursor it is given",
  ],
  "leaves its watches open when it is closed": [
    silentWatches,
    "a watch ends with its engine, once",
  ],
  "takes any cursor": [
    (engine) => ({
      capabilities: { ...engine.capabilities, watch: true },
      watch: () => ({ cancel: () => undefined }),
    }),
    "a cursor that no watch has given is refused",
  ],
  "offers sessions, and says nothing of what they have seen": [
    (engine) => ({ capabilities: { ...engine.capabilities, sessions: true } }),
    "an operation in a session says what it has seen, and one without says nothing",
  ],
  "scans in the order of writing": [
    (engine) => ({
      scan: (request, done) =>
        engine.scan(request, {
          succeed: (page) => done.succeed({ ...page, entries: [...page.entries].reverse() }),
          fail: (fault) => done.fail(fault),
        }),
    }),
    "a scan gives what was written, in the order of the key's bytes, and goes on by pages",
  ],
  "scans beyond the range": [
    (engine) => ({
      scan: (request, done) =>
        engine.scan({ ...request, range: { ...request.range, to: undefined } }, done),
    }),
    "a scan's range is half-open, and may be empty",
  ],
  "makes a new write of a retry": [
    (engine) => ({
      execute: (operation, done) => engine.execute({ ...operation, operationId: undefined }, done),
    }),
    "operation ids differ, and the same id makes the same write",
  ],
  "takes what it does not know for not applied": [
    () => ({ resolve: (_id, done) => done("not-applied") }),
    "resolve answers once, and never says of a write that it was not applied",
  ],
  "takes its own deadline for everybody's": [
    (engine) => ({
      execute: (operation, done) => engine.execute({ ...operation, deadlineMs: undefined }, done),
    }),
    "an operation that gets no answer from others is answered by its deadline",
  ],
  "waits twice as long as it should": [
    (engine, environment) => ({
      scan: (request, done) => {
        const deadlineMs = environment.monotonicMs() + 2 * engine.ownDeadlineMs;
        return engine.scan({ ...request, deadlineMs }, done);
      },
    }),
    "an operation without a deadline is answered by the level's own",
  ],
  "forgets an operation whose deadline has passed": [
    (engine, environment) => ({
      execute: (operation, done) => {
        const isLate = (operation.deadlineMs ?? Infinity) <= environment.monotonicMs();
        return isLate ? { cancel: () => undefined } : engine.execute(operation, done);
      },
    }),
    "an operation whose deadline has passed is answered all the same",
  ],
  "says that a write without an answer was not applied": [
    faults((fault) => (fault.outcome === "unknown" ? new CapstanError("UNAVAILABLE", "") : fault)),
    "a write's fault tells the truth: not applied, applied, or unknown with an id",
  ],
  "says that a read is unknown": [
    faults((fault) => new CapstanError("OUTCOME_UNKNOWN", fault.message, { operationId: "x" })),
    "a read's fault says that nothing was applied",
  ],
  "applies what it refuses": [
    (engine) => ({
      execute: (operation, done) => {
        const isSurplus = Buffer.from(operation.key).toString().startsWith("surplus");
        if (!isSurplus || operation.type === "get") return engine.execute(operation, done);
        done.fail(new CapstanError("OVERLOADED", "too much", { outcome: "applied" }));
        return { cancel: () => undefined };
      },
    }),
    "operations above the bound are refused at once with OVERLOADED, and nothing is applied",
  ],
  "does not cancel": [
    (engine) => ({
      execute: (operation, done) => {
        engine.execute(operation, done);
        return { cancel: () => undefined };
      },
    }),
    "a cancelled operation is answered at once, and with the truth",
  ],
  "answers every cancel": [
    (engine) => ({
      execute: (operation, done) => {
        const inner = engine.execute(operation, done);
        const cancel = (): void => {
          inner.cancel();
          done.fail(new CapstanError("ABORTED", "cancelled"));
        };
        return { cancel };
      },
    }),
    "to cancel again, or what was answered, does nothing",
  ],
  "drops what is under way when it closes": [
    (engine) => ({ close: () => engine.close({ drain: false, timeoutMs: 0 }) }),
    "close with drain lets operations end",
  ],
  "waits for ever when it closes": [
    (engine) => ({ close: () => engine.close({ drain: true, timeoutMs: 10_000 }) }),
    "close answers what does not end within its time, with the truth",
  ],
  "drains though it should not": [
    (engine) => ({ close: ({ timeoutMs }) => engine.close({ drain: true, timeoutMs }) }),
    "close without drain does not wait",
  ],
  "is ready when it is closed": [
    () => ({ isReady: () => true }),
    "a closed engine refuses what comes, may be closed again, and throws nothing",
  ],
};

describe("the Engine suite notices an engine that", () => {
  test.each(Object.entries(DEFECTS))("%s", async (_what, [members, caseName]) => {
    const virtual = new VirtualTime();
    await failureOf(engineConformance(simulatedHarness(virtual, members)), caseName, virtual);
  });
});

test("every case of the Engine suite is proven by a defect", () => {
  const { cases } = engineConformance(simulatedHarness(new VirtualTime()));
  const proven = new Set(Object.values(DEFECTS).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});

const STRATEGY: EngineStrategy = {
  kind: "engine",
  name: "simulated",
  capabilities: new SimulatedEngine(new VirtualEnvironment()).capabilities,
  guarantees: () => new SimulatedEngine(new VirtualEnvironment()).guarantees(),
  parseSettings: (options, path) => {
    for (const [name, value] of Object.entries(options)) {
      if (name === "read" && value === "quorum") continue;
      const message = `${path}.${name} is ${JSON.stringify(value)}; only read "quorum" is allowed`;
      throw new CapstanError("INVALID_CONFIGURATION", message);
    }
    return Object.freeze({ read: "quorum", write: "quorum" });
  },
  openEngine: async () => new SimulatedEngine(new VirtualEnvironment()),
};

const refusedOptions = [{ options: { read: "one" }, names: "read" }];
bindSuite("a simulated strategy", strategyConformance({ strategy: STRATEGY, refusedOptions }));

const STRATEGY_DEFECTS: Readonly<Record<string, readonly [Partial<EngineStrategy>, string]>> = {
  "has no name": [{ name: "" }, "it has a name and a kind"],
  "promises nothing": [
    { guarantees: () => [] },
    "capabilities and guarantees speak of the same levels",
  ],
  "writes by default at a level that it does not have": [
    { parseSettings: () => ({ write: "all" }) },
    "no options give settings, whose levels are offered",
  ],
  "counts its parsings": [
    (() => {
      let count = 0;
      return {
        parseSettings: () => {
          count += 1;
          return { count };
        },
      };
    })(),
    "the same options give the same settings, and are not changed",
  ],
  "takes every option": [
    { parseSettings: () => ({}) },
    "options that are not allowed are refused, with their path",
  ],
};

describe("the Strategy suite notices a strategy that", () => {
  test.each(Object.entries(STRATEGY_DEFECTS))("%s", async (_what, [members, caseName]) => {
    const strategy = { ...STRATEGY, ...members };
    await failureOf(strategyConformance({ strategy, refusedOptions }), caseName);
  });
});

test("every case of the Strategy suite is proven by a defect", () => {
  const { cases } = strategyConformance({ strategy: STRATEGY, refusedOptions });
  const proven = new Set(Object.values(STRATEGY_DEFECTS).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});
