import type { EngineCase } from "./strategy-engine-answer-cases.ts";
import {
  type Call,
  checkFault,
  checkOneAnswerEach,
  checkOutcome,
  type EngineProbe,
} from "./strategy-engine-probe.ts";
import { check, checkEqual, shown } from "./suite.ts";

function checkInTime(call: Call<unknown>, deadlineMs: number, probe: EngineProbe): void {
  const limitMs = deadlineMs + probe.under.slackMs;
  check(
    call.tookMs <= limitMs,
    `answered after ${call.tookMs} ms with a deadline of ${deadlineMs}`,
  );
}

function checkFailed(call: Call<unknown>): void {
  check(call.fault !== undefined, () => `an operation without others: ${shown(call.results[0])}`);
}

/** Deadlines that are well apart, and below the level's own. */
function deadlinesOf(probe: EngineProbe): number[] {
  return [0.2, 0.5, 0.8].map((part) => Math.ceil(probe.under.ownDeadlineMs * part));
}

const DEADLINES: readonly EngineCase[] = [
  {
    name: "an operation that gets no answer from others is answered by its deadline",
    run: async (probe) => {
      await probe.written("k", "before");
      probe.under.cut();
      for (const deadlineInMs of deadlinesOf(probe)) {
        const calls = [
          probe.put("k", "after", { deadlineInMs }),
          probe.execute(probe.operation("get", { key: "k", deadlineInMs })),
          probe.execute(probe.operation("delete", { key: "other", deadlineInMs })),
          probe.scan({ deadlineMs: probe.clock.monotonicMs() + deadlineInMs }),
        ];
        await checkOneAnswerEach(probe, calls);
        for (const call of calls) {
          checkFailed(call);
          checkInTime(call, deadlineInMs, probe);
        }
      }
    },
  },
  {
    name: "an operation without a deadline is answered by the level's own",
    run: async (probe) => {
      probe.under.cut();
      const calls = [
        probe.put("k", "v"),
        probe.execute(probe.operation("get", { key: "k" })),
        probe.scan({}),
      ];
      await checkOneAnswerEach(probe, calls);
      for (const call of calls) {
        checkFailed(call);
        checkInTime(call, probe.under.ownDeadlineMs, probe);
      }
    },
  },
  {
    name: "an operation whose deadline has passed is answered all the same",
    run: async (probe) => {
      const calls = [
        probe.put("k", "v", { deadlineInMs: -1 }),
        probe.execute(probe.operation("get", { key: "k", deadlineInMs: -1 })),
      ];
      await checkOneAnswerEach(probe, calls);
      for (const call of calls) checkInTime(call, 0, probe);
    },
  },
];

const OUTCOMES: readonly EngineCase[] = [
  {
    name: "a write's fault tells the truth: not applied, applied, or unknown with an id",
    run: async (probe) => {
      const keys = Array.from({ length: 6 }, (_, at) => `k${at}`);
      for (const key of keys) await probe.written(key, "before");
      probe.under.cut();
      const calls = keys.map((key) => probe.put(key, "after", { deadlineInMs: 50 }));
      await checkOneAnswerEach(probe, calls);
      // Later ones may meet an engine that has noticed: its refusals have to be as true.
      await probe.pause(probe.under.ownDeadlineMs);
      const late = keys.map((key) => probe.put(`late ${key}`, "after", { deadlineInMs: 50 }));
      await checkOneAnswerEach(probe, late);
      await probe.under.heal();
      for (const [at, key] of keys.entries()) {
        const fault = calls[at]?.fault;
        check(fault !== undefined, "a write succeeded without others");
        await checkOutcome(probe, fault, key, { before: "before", after: "after" });
      }
      for (const [at, key] of keys.entries()) {
        const fault = late[at]?.fault;
        if (fault?.outcome !== "not-applied") continue;
        checkEqual(await probe.value(`late ${key}`), undefined, `a write refused by ${fault.code}`);
      }
    },
  },
  {
    name: "a read's fault says that nothing was applied",
    run: async (probe) => {
      probe.under.cut();
      const call = probe.execute(probe.operation("get", { key: "k", deadlineInMs: 50 }));
      await call.answered();
      checkEqual(call.fault?.outcome, "not-applied", "the outcome of a read that failed");
    },
  },
  {
    name: "operations above the bound are refused at once with OVERLOADED, and nothing is applied",
    run: async (probe) => {
      const { bound } = probe.under;
      probe.under.cut();
      const calls = Array.from({ length: bound }, (_, at) => probe.put(`k${at}`, "v"));
      const surplus = Array.from({ length: 5 }, (_, at) => probe.put(`surplus ${at}`, "v"));
      for (const call of surplus) {
        checkEqual(call.fault?.code, "OVERLOADED", "the fault of an operation above the bound");
        checkEqual(call.fault?.outcome, "not-applied", "its outcome");
      }
      check(
        calls.every(({ fault }) => fault?.code !== "OVERLOADED"),
        "refused below the bound",
      );
      await checkOneAnswerEach(probe, [...calls, ...surplus]);
      await probe.under.heal();
      checkEqual(await probe.value("surplus 0"), undefined, "what was refused");
      await probe.written("k", "v");
    },
  },
];

const CANCELLATIONS: readonly EngineCase[] = [
  {
    name: "a cancelled operation is answered at once, and with the truth",
    run: async (probe) => {
      for (const key of ["k", "l"]) await probe.written(key, "before");
      probe.under.cut();
      const write = probe.put("k", "after");
      const read = probe.execute(probe.operation("get", { key: "l" }));
      const scan = probe.scan({});
      for (const call of [write, read, scan]) call.cancellation?.cancel();
      await checkOneAnswerEach(probe, [write, read, scan]);
      for (const call of [write, read, scan]) {
        checkFailed(call);
        checkInTime(call, 0, probe);
      }
      checkEqual(read.fault?.outcome, "not-applied", "the outcome of a cancelled read");
      await probe.under.heal();
      const fault = write.fault;
      if (fault === undefined) return;
      await checkOutcome(probe, fault, "k", { before: "before", after: "after" });
    },
  },
  {
    name: "to cancel again, or what was answered, does nothing",
    run: async (probe) => {
      const call = probe.put("k", "v");
      await call.result();
      call.cancellation?.cancel();
      call.cancellation?.cancel();
      probe.under.cut();
      const cut = probe.put("k", "w");
      for (let again = 0; again < 3; again += 1) cut.cancellation?.cancel();
      await checkOneAnswerEach(probe, [call, cut]);
    },
  },
];

const ENDINGS: readonly EngineCase[] = [
  {
    name: "close with drain lets operations end",
    run: async (probe) => {
      const { engine, ownDeadlineMs, bound } = probe.under;
      const count = Math.min(10, bound);
      const calls = Array.from({ length: count }, (_, at) => probe.put(`k${at}`, "v"));
      await engine.close({ drain: true, timeoutMs: ownDeadlineMs });
      checkEqual(
        calls.map(({ answers }) => answers),
        calls.map(() => 1),
        "answers at closing",
      );
      for (const call of calls) await call.result();
    },
  },
  {
    name: "close answers what does not end within its time, with the truth",
    run: async (probe) => {
      const { engine, ownDeadlineMs } = probe.under;
      await probe.written("k", "before");
      probe.under.cut();
      const calls = [
        probe.put("k", "after"),
        probe.execute(probe.operation("get", { key: "k" })),
        probe.scan({}),
      ];
      const startedAtMs = probe.clock.monotonicMs();
      const timeoutMs = Math.ceil(ownDeadlineMs / 4);
      await engine.close({ drain: true, timeoutMs });
      const tookMs = probe.clock.monotonicMs() - startedAtMs;
      check(tookMs <= timeoutMs + probe.under.slackMs, `closing took ${tookMs} of ${timeoutMs} ms`);
      await checkOneAnswerEach(probe, calls);
      for (const call of calls) checkFailed(call);
      checkEqual(calls[1]?.fault?.outcome, "not-applied", "the outcome of the read");
    },
  },
  {
    name: "close without drain does not wait",
    run: async (probe) => {
      probe.under.cut();
      const call = probe.put("k", "v");
      const startedAtMs = probe.clock.monotonicMs();
      await probe.under.engine.close({ drain: false, timeoutMs: 60_000 });
      const tookMs = probe.clock.monotonicMs() - startedAtMs;
      check(tookMs <= probe.under.slackMs, `closing took ${tookMs} ms`);
      await checkOneAnswerEach(probe, [call]);
      checkFailed(call);
    },
  },
  {
    name: "a closed engine refuses what comes, may be closed again, and throws nothing",
    run: async (probe) => {
      const { engine, level } = probe.under;
      await engine.close({ drain: true, timeoutMs: 1_000 });
      const calls: Call<unknown>[] = [
        probe.put("k", "v"),
        probe.execute(probe.operation("get", { key: "k" })),
        probe.scan({}),
      ];
      await checkOneAnswerEach(probe, calls);
      for (const { fault } of calls) {
        checkFault(fault);
        checkEqual(fault?.outcome, "not-applied", `the outcome of ${fault?.code}`);
      }
      checkEqual(engine.isReady(level), false, "isReady of a closed engine");
      await engine.close({ drain: true, timeoutMs: 1_000 });
      await engine.close({ drain: false, timeoutMs: 0 });
    },
  },
];

/** Answers of an engine that is cut off, overloaded, cancelled or closed. */
export const FAULT_CASES: readonly EngineCase[] = Object.freeze([
  ...DEADLINES,
  ...OUTCOMES,
  ...CANCELLATIONS,
  ...ENDINGS,
]);
