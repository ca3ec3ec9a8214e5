import { describe, expect, test } from "vitest";
import { Loader, type LoaderOptions } from "../../../../src/cli/loading/loader.ts";
import { readLines } from "../../../../src/cli/loading/read-lines.ts";
import { verify } from "../../../../src/cli/loading/verify.ts";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import type { GetResult } from "../../../../src/core/store/api.ts";
import { runVirtually } from "../../../support/run-virtually.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";
import { streamOf } from "../fake-surroundings.ts";
import { receipt } from "../receipts.ts";

const time = new VirtualTime();
const environment = new VirtualEnvironment({ time });

function load(text: string, overrides: Partial<LoaderOptions>): Promise<Loader> {
  const loader = new Loader({
    write: () => Promise.resolve(),
    concurrency: 4,
    skipBad: false,
    remember: true,
    environment,
    signal: new AbortController().signal,
    onLine: () => undefined,
    ...overrides,
  });
  return runVirtually(
    time,
    loader.run(readLines(streamOf(text))).then(() => loader),
  );
}

const line = (key: string, value: unknown): string => `${JSON.stringify({ key, value })}\n`;
const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => line(`k${index}`, index)).join("");

const unavailable = () => new CapstanError("UNAVAILABLE", "1 of 3 replicas");
const unknown = (operationId: string) =>
  new CapstanError("OUTCOME_UNKNOWN", "no answer", { operationId });

/** Writes into a map, a turn later; remembers how many were under way at once. */
function slowMap() {
  const content = new Map<string, unknown>();
  const gauge = { now: 0, most: 0 };
  const write = async (key: string, value: unknown): Promise<void> => {
    gauge.now += 1;
    gauge.most = Math.max(gauge.most, gauge.now);
    await new Promise<void>((resolve) => environment.setTimer(1, resolve));
    content.set(key, value);
    gauge.now -= 1;
  };
  return { content, gauge, write };
}

describe("a load", () => {
  test("writes every line, as many at once as it may", async () => {
    const { content, gauge, write } = slowMap();
    const loader = await load(lines(50), { write });
    expect(content.size).toBe(50);
    expect(loader.written).toBe(50);
    expect(loader.expected.size).toBe(50);
    expect(gauge.most).toBe(4);
  });

  test("lets the last line of a key win, whatever its writes' durations", async () => {
    const content = new Map<string, unknown>();
    const write = async (key: string, value: unknown): Promise<void> => {
      await new Promise<void>((resolve) => environment.setTimer(10 - Number(value), resolve));
      content.set(key, value);
    };
    const text = [1, 2, 3, 4, 5].map((value) => line("same", value)).join("");
    const loader = await load(text, { write });
    expect(content).toEqual(new Map([["same", 5]]));
    expect(loader.expected.get("same")?.line).toBe(5);
    expect(loader.written).toBe(5);
  });

  test("passes over blank lines without a word", async () => {
    const loader = await load(`\n${line("a", 1)}\n  \n${line("b", 2)}`, {});
    expect([loader.written, loader.badLines]).toEqual([2, 0]);
  });

  test("stops at the first bad line and knows how many were written", async () => {
    const loader = await load(`${lines(3)}nonsense\n${lines(100)}`, { concurrency: 1 });
    expect(loader.written).toBe(3);
    expect(loader.bad).toEqual([{ number: 4, problem: expect.stringContaining("not JSON") }]);
  });

  test("passes over bad lines if it may, and names the first few", async () => {
    const text = Array.from({ length: 12 }, (_, index) => `bad\n${line(`k${index}`, index)}`);
    const loader = await load(text.join(""), { skipBad: true });
    expect([loader.written, loader.badLines, loader.bad.length]).toEqual([12, 12, 10]);
  });

  test("takes a line that the server refuses for a bad one", async () => {
    const write = (key: string) =>
      key === "k1" ? Promise.reject(new CapstanError("INVALID_KEY", "no")) : Promise.resolve();
    const loader = await load(lines(3), { write, skipBad: true });
    expect(loader.bad).toEqual([{ number: 2, problem: "no" }]);
    expect([loader.written, loader.failed.length]).toEqual([2, 0]);
  });

  test.each(["INVALID_VALUE", "VALUE_TOO_LARGE"] as const)(
    "takes %s for the line's",
    async (code) => {
      const write = () => Promise.reject(new CapstanError(code, "no"));
      expect((await load(lines(2), { write, skipBad: true })).badLines).toBe(2);
    },
  );

  test.each(["UNKNOWN_KEYSPACE", "INVALID_LEVEL", "INVALID_ARGUMENT"] as const)(
    "never passes over %s, which every line would meet",
    async (code) => {
      const write = () => Promise.reject(new CapstanError(code, "no"));
      const loader = await load(lines(9), { write, skipBad: true, concurrency: 1 });
      expect([loader.written, loader.badLines]).toEqual([0, 0]);
      expect(loader.failed).toEqual([{ number: 1, key: "k0", error: expect.any(CapstanError) }]);
    },
  );

  test("takes no further line once it was interrupted, and ends those under way", async () => {
    const interruption = new AbortController();
    const { content, write } = slowMap();
    const loader = await load(lines(100), {
      write,
      signal: interruption.signal,
      onLine: () => interruption.abort(),
    });
    expect(loader.written).toBe(4);
    expect(content.size).toBe(4);
  });
});

describe("a load that meets faults", () => {
  test("writes again what was not applied", async () => {
    let faults = 3;
    const write = () => {
      faults -= 1;
      return faults >= 0 ? Promise.reject(unavailable()) : Promise.resolve();
    };
    const loader = await load(lines(1), { write });
    expect([loader.written, loader.failed]).toEqual([1, []]);
  });

  test("repeats an unknown write under its operation id, as the very same one", async () => {
    const ids: (string | undefined)[] = [];
    const answers = [unknown("op-1"), unavailable(), undefined];
    const write = (_key: string, _value: unknown, operationId: string | undefined) => {
      ids.push(operationId);
      const answer = answers[ids.length - 1];
      return answer === undefined ? Promise.resolve() : Promise.reject(answer);
    };
    const loader = await load(lines(1), { write });
    expect(ids).toEqual([undefined, "op-1", "op-1"]);
    expect(loader.written).toBe(1);
  });

  test("gives up in the end, and says truly what became of the line", async () => {
    let calls = 0;
    const write = () => {
      calls += 1;
      return Promise.reject(unknown("op-1"));
    };
    const loader = await load(lines(10), { write, concurrency: 1 });
    expect(calls).toBe(8);
    expect(loader.failed).toEqual([{ number: 1, key: "k0", error: expect.any(CapstanError) }]);
    expect([loader.written, loader.unknown]).toEqual([0, 1]);
  });

  test.each([
    ["UNAVAILABLE", 1],
    ["STORE_CLOSED", 1],
    // That one says what became of all tries.
    ["OPERATION_FENCED", 0],
  ] as const)(
    "says so where an earlier try may have been done, whatever the last one says (%s)",
    async (code, isUnknown) => {
      let calls = 0;
      const write = () => {
        calls += 1;
        return Promise.reject(calls === 1 ? unknown("op-1") : new CapstanError(code, "refused"));
      };
      const loader = await load(lines(1), { write });
      expect([loader.written, loader.unknown]).toEqual([0, isUnknown]);
      const [failed] = loader.failed;
      if (isUnknown === 1) {
        expect(failed?.error).toMatchObject({ code: "OUTCOME_UNKNOWN", operationId: "op-1" });
      } else expect(failed?.error).toMatchObject({ code, outcome: "not-applied" });
    },
  );

  test("does not repeat what would fail again", async () => {
    let calls = 0;
    const write = () => {
      calls += 1;
      return Promise.reject(new CapstanError("STORE_CLOSED", "closed"));
    };
    const loader = await load(lines(10), { write, concurrency: 1 });
    expect([calls, loader.unknown, loader.failed.length]).toEqual([1, 0, 1]);
  });
});

describe("reading back", () => {
  const found = (value: unknown): GetResult<unknown> => {
    return { found: true, conflict: false, value, version: "v", receipt };
  };

  async function check(
    loader: Loader,
    read: (key: string) => Promise<GetResult<unknown>>,
    signal = new AbortController().signal,
  ) {
    const options = { read, concurrency: 3, environment, signal, onKey: () => undefined };
    return runVirtually(time, verify(loader.expected, options));
  }

  test("counts what is equal, whatever the order of its fields", async () => {
    const loader = await load(line("a", { x: 1, y: [2] }) + line("b", "text"), {});
    const content = new Map<string, unknown>([
      ["a", { y: [2], x: 1 }],
      ["b", "text"],
    ]);
    const result = await check(loader, (key) => Promise.resolve(found(content.get(key))));
    expect(result).toEqual({ verified: 2, different: 0, differences: [] });
  });

  test("names what is not, with the line that wrote it", async () => {
    const loader = await load(lines(4), {});
    const answers: Record<string, GetResult<unknown>> = {
      k0: found(0),
      k1: found(-1),
      k2: { found: false, receipt },
      k3: { found: true, conflict: true, siblings: [3, 4], version: "v", receipt },
    };
    const result = await check(loader, (key) => Promise.resolve(answers[key]!));
    expect([result.verified, result.different]).toEqual([1, 3]);
    expect([...result.differences].sort((a, b) => a.line - b.line)).toEqual([
      { key: "k1", line: 2, found: "another value" },
      { key: "k2", line: 3, found: "nothing" },
      { key: "k3", line: 4, found: "several values" },
    ]);
  });

  test("survives faults that pass", async () => {
    const loader = await load(lines(1), {});
    let faults = 2;
    const result = await check(loader, () => {
      faults -= 1;
      return faults >= 0 ? Promise.reject(unavailable()) : Promise.resolve(found(0));
    });
    expect(result.verified).toBe(1);
  });

  test("ends early when it is interrupted", async () => {
    const loader = await load(lines(10), {});
    const result = await check(loader, () => Promise.resolve(found(0)), AbortSignal.abort());
    expect(result.verified).toBe(0);
  });
});
