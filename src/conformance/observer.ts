import type { LogFields, LogLevel, Observer, ObserverSpan } from "../core/contracts/observer.ts";
import {
  type ConformanceCase,
  ConformanceFailure,
  type ConformanceSuite,
  check,
  shown,
} from "./suite.ts";

export interface ObserverHarness {
  open(): Observer;
}

const LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];

/** Values that a careless observer trips over: it must neither throw nor look inside by force. */
function awkwardFields(): LogFields {
  const cyclic: Record<string, unknown> = { name: "cyclic" };
  cyclic.self = cyclic;
  const throwing = Object.defineProperty({}, "secret", {
    enumerable: true,
    get: () => {
      throw new Error("a field that cannot be read");
    },
  });
  return {
    nothing: undefined,
    empty: null,
    bigint: 10n ** 30n,
    bytes: new Uint8Array(3),
    error: new Error("an error"),
    symbol: Symbol("s"),
    call: () => 1,
    cyclic,
    throwing,
    ["__proto__"]: "a name",
  };
}

/** Every call that the contract has, once for each kind of argument. */
const CALLS: Readonly<Record<string, (observer: Observer, fields: LogFields) => unknown>> = {
  log: (observer, fields) => LEVELS.map((level) => observer.log(level, "message", fields)),
  count: (observer, fields) => observer.count("capstan_things_total", 1, fields),
  gauge: (observer, fields) => observer.gauge("capstan_things", -1.5, fields),
  observe: (observer, fields) => observer.observe("capstan_things_ms", 0.25, fields),
  span: (observer, fields) => observer.span("thing", fields).end(fields),
};

function neverThrows(what: string, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    throw new ConformanceFailure(`${what} threw ${shown(error)}`);
  }
}

type Run = (observer: Observer) => void | Promise<void>;

const CASES: Readonly<Record<string, Run>> = {
  "every call takes plain fields, and none": (observer) => {
    for (const [name, call] of Object.entries(CALLS)) {
      neverThrows(name, () => call(observer, { keyspace: "accounts", shard: 3 }));
      neverThrows(`${name} with empty fields`, () => call(observer, {}));
    }
    neverThrows("calls without fields", () => {
      observer.log("info", "message");
      observer.count("c", 1);
      observer.gauge("g", 1);
      observer.observe("o", 1);
      observer.span("s").end();
    });
  },
  "no call throws, whatever the fields and numbers are": (observer) => {
    for (const [name, call] of Object.entries(CALLS)) {
      neverThrows(`${name} with awkward fields`, () => call(observer, awkwardFields()));
    }
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, Number.MAX_VALUE]) {
      neverThrows(`a value of ${value}`, () => {
        observer.count("c", value);
        observer.gauge("g", value);
        observer.observe("o", value);
      });
    }
    neverThrows("an empty name", () => observer.count("", 1));
  },
  "fields are not changed": (observer) => {
    for (const [name, call] of Object.entries(CALLS)) {
      const inner = Object.freeze({ shard: 3 });
      const fields = { keyspace: "accounts", inner };
      const before = JSON.stringify(fields);
      call(observer, fields);
      check(JSON.stringify(fields) === before, `${name} changed its fields`);
      neverThrows(`${name} with frozen fields`, () => call(observer, Object.freeze(fields)));
    }
  },
  "a call returns at once, with nothing to wait for": (observer) => {
    const results: Readonly<Record<string, unknown>> = {
      log: observer.log("info", "message"),
      count: observer.count("c", 1),
      gauge: observer.gauge("g", 1),
      observe: observer.observe("o", 1),
      "a span's end": observer.span("s").end(),
    };
    for (const [name, result] of Object.entries(results)) {
      check(result === undefined, `${name} answered ${shown(result)}`);
    }
  },
  "spans may lie inside one another, and end in any order": (observer) => {
    neverThrows("spans", () => {
      const spans: ObserverSpan[] = Array.from({ length: 5 }, (_, at) => observer.span(`s${at}`));
      for (const at of [2, 0, 4, 1, 3]) spans[at]?.end({ at });
    });
  },
};

/** One case for each obligation of the `Observer` contract. */
export function observerConformance(harness: ObserverHarness): ConformanceSuite {
  const cases = Object.entries(CASES).map(
    ([name, run]): ConformanceCase => ({ name, run: async () => run(harness.open()) }),
  );
  return { name: "Observer", cases };
}
