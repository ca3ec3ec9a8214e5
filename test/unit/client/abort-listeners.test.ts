import { describe, expect, test } from "vitest";
import { AbortListeners } from "../../../src/client/abort-listeners.ts";

/** A signal that counts what listens to it. */
function countedSignal() {
  const controller = new AbortController();
  let listening = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listening++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listening--;
    remove(...args);
  };
  return { controller, signal, listening: () => listening };
}

describe("AbortListeners", () => {
  // Eleven calls with one signal printed MaxListenersExceededWarning on Node 20.
  test("listens once to a signal that many calls share, and not after the last", () => {
    const { signal, listening } = countedSignal();
    const listeners = new AbortListeners();
    const calls = Array.from({ length: 20 }, () => ({ onAbort: () => undefined }));
    for (const call of calls) listeners.add(signal, call);
    expect(listening()).toBe(1);
    for (const call of calls) listeners.remove(signal, call);
    expect(listening()).toBe(0);
    listeners.add(signal, calls[0] as { onAbort: () => undefined });
    expect(listening()).toBe(1);
  });

  test("tells all that are still there, also when one of them leaves meanwhile", () => {
    const { controller, signal } = countedSignal();
    const listeners = new AbortListeners();
    const told: string[] = [];
    const second = { onAbort: () => void told.push("second") };
    const first = {
      onAbort: () => {
        told.push("first");
        listeners.remove(signal, first);
      },
    };
    const gone = { onAbort: () => void told.push("gone") };
    for (const listener of [first, second, gone]) listeners.add(signal, listener);
    listeners.remove(signal, gone);
    controller.abort();
    expect(told).toEqual(["first", "second"]);
  });
});
