import { expect, test } from "vitest";
import { AbortListeners } from "../../../src/client/abort-listeners.ts";
import { CallDeadline } from "../../../src/client/call-deadline.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

function holdTheLoop(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

test("a call whose time passed while the event loop was held has a moment for its answer", async () => {
  const deadline = new CallDeadline(10, undefined, new AbortListeners());
  holdTheLoop(50);
  // Timers that are due run before this.
  await turn();
  await turn();
  expect(deadline.cause).toBeUndefined();
  await new Promise((resolve) => deadline.signal.addEventListener("abort", resolve));
  expect(deadline.cause).toBe("timeout");
});

test("one that is over keeps no timer", async () => {
  const deadline = new CallDeadline(10, undefined, new AbortListeners());
  holdTheLoop(50);
  await turn();
  deadline.dispose();
  const later = new CallDeadline(600, undefined, new AbortListeners());
  await new Promise((resolve) => later.signal.addEventListener("abort", resolve));
  expect(deadline.cause).toBeUndefined();
});

test("a pause has none", async () => {
  const spared = new CallDeadline(10, undefined, new AbortListeners());
  const pause = new CallDeadline(10, undefined, new AbortListeners(), true);
  const ended = new Promise((resolve) => pause.signal.addEventListener("abort", resolve));
  holdTheLoop(50);
  await ended;
  expect([pause.cause, spared.cause]).toEqual(["timeout", undefined]);
  spared.dispose();
});
