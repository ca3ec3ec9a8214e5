import { describe, expect, test } from "vitest";
import type { ConformanceSuite } from "../../src/conformance/suite.ts";
import { runVirtually } from "./run-virtually.ts";
import type { VirtualTime } from "./virtual-environment.ts";

/** Each case becomes a test. With `time`, virtual time passes while the case waits. */
export function bindSuite(
  over: string,
  suite: ConformanceSuite,
  time?: VirtualTime,
  runWith: typeof runVirtually = runVirtually,
): void {
  describe(`${suite.name} over ${over}`, () => {
    for (const { name, run } of suite.cases) {
      test(name, () => (time === undefined ? run() : runWith(time, run())));
    }
  });
}

/** Runs the whole suite over something broken, and gives the names of the cases that noticed. */
export async function casesThatFail(
  suite: ConformanceSuite,
  time?: VirtualTime,
): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of suite.cases) {
    try {
      await (time === undefined ? run() : runVirtually(time, run()));
    } catch {
      failed.push(name);
    }
  }
  return failed;
}

/** Runs the one case that is to notice, and gives what it says. Fails if it says nothing. */
export async function failureOf(
  suite: ConformanceSuite,
  caseName: string,
  time?: VirtualTime,
): Promise<Error> {
  const found = suite.cases.find(({ name }) => name === caseName);
  if (found === undefined) throw new Error(`no case is called "${caseName}"`);
  const running = time === undefined ? found.run() : runVirtually(time, found.run());
  const outcome = await running.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome, `"${caseName}" passes over a broken adapter`).toBeInstanceOf(Error);
  expect((outcome as Error).name).toBe("ConformanceFailure");
  return outcome as Error;
}
