import { describe, expect, test } from "vitest";
import { observerConformance } from "../../src/conformance/observer.ts";
import { type Observer, SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import { bindSuite, failureOf } from "../support/bind-suite.ts";
import { withMembers } from "../support/broken-storage.ts";

/** Keeps what it is told, without looking inside. */
function recordingObserver(records: unknown[][] = []): Observer {
  const record =
    (name: string) =>
    (...args: unknown[]): void => {
      records.push([name, ...args]);
    };
  return {
    log: record("log"),
    count: record("count"),
    gauge: record("gauge"),
    observe: record("observe"),
    span: (name, fields) => {
      records.push(["span", name, fields]);
      return { end: record(`end of ${name}`) };
    },
  };
}

bindSuite("the silent observer", observerConformance({ open: () => SILENT_OBSERVER }));
bindSuite("a recording observer", observerConformance({ open: () => recordingObserver() }));

/** What is wrong → how, and the case that notices. */
const DEFECTS: Readonly<Record<string, readonly [Partial<Observer>, string]>> = {
  "cannot do without fields": [
    {
      count: (_name, _by, labels) => {
        if (labels === undefined) throw new TypeError("no labels");
      },
    },
    "every call takes plain fields, and none",
  ],
  "writes fields as JSON, unguarded": [
    { log: (_level, _message, fields) => void JSON.stringify(fields) },
    "no call throws, whatever the fields and numbers are",
  ],
  "adds a label of its own to the caller's": [
    { gauge: (_name, _value, labels) => void Object.assign(labels ?? {}, { node: "n1" }) },
    "fields are not changed",
  ],
  "is asynchronous": [
    { observe: (async () => undefined) as unknown as Observer["observe"] },
    "a call returns at once, with nothing to wait for",
  ],
  "keeps its spans on a stack": [
    (() => {
      const stack: string[] = [];
      return {
        span: (name: string) => {
          stack.push(name);
          const end = (): void => {
            if (stack.pop() !== name) throw new Error(`${name} is not the innermost span`);
          };
          return { end };
        },
      };
    })(),
    "spans may lie inside one another, and end in any order",
  ],
};

describe("the Observer suite notices an observer that", () => {
  test.each(Object.entries(DEFECTS))("%s", async (_what, [members, caseName]) => {
    const open = (): Observer => withMembers(recordingObserver(), members);
    await failureOf(observerConformance({ open }), caseName);
  });
});

test("every case of the suite is proven by a defect", () => {
  const { cases } = observerConformance({ open: () => SILENT_OBSERVER });
  const proven = new Set(Object.values(DEFECTS).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});
