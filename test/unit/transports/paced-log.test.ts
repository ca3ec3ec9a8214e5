import { expect, test } from "vitest";
import { PacedLog } from "../../../src/transports/paced-log.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { RecordingObserver } from "./recording-observer.ts";

const INTERVAL_MS = 10_000;

function pacedLog() {
  const environment = new VirtualEnvironment();
  const observer = new RecordingObserver();
  const log = new PacedLog(environment, observer);
  const note = (fault: string, reason: string) => log.note("warn", fault, "refused", { reason });
  const reasons = () => observer.lines.map(({ fields }) => fields.reason);
  return { environment, observer, log, note, reasons };
}

test("a fault is logged once an interval, and counted each time", () => {
  const { environment, observer, note, reasons } = pacedLog();
  note("magic", "first");
  environment.time.advance(INTERVAL_MS - 1);
  note("magic", "too soon");
  environment.time.advance(1);
  note("magic", "second");
  expect(reasons()).toEqual(["first", "second"]);
  expect(observer.counted("transport_refusals magic")).toBe(3);
});

test("one fault does not keep another out of the log", () => {
  const { note, observer } = pacedLog();
  note("magic", "a");
  note("cluster", "b");
  expect(observer.lines).toEqual([
    { message: "refused", fields: { fault: "magic", reason: "a" } },
    { message: "refused", fields: { fault: "cluster", reason: "b" } },
  ]);
});

test("what is only counted says nothing, and leaves the next line free", () => {
  const { log, note, observer, reasons } = pacedLog();
  log.count("magic");
  note("magic", "a");
  expect(reasons()).toEqual(["a"]);
  expect(observer.counted("transport_refusals magic")).toBe(2);
});
