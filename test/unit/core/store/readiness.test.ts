import { describe, expect, it } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import { Lifecycle } from "../../../../src/core/store/lifecycle.ts";
import { Readiness } from "../../../../src/core/store/readiness.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";
import { FakeEngine } from "./fake-engine.ts";

function setUp() {
  const environment = new VirtualEnvironment();
  const lifecycle = new Lifecycle();
  lifecycle.advance("joining");
  const engine = new FakeEngine();
  engine.ready = false;
  const defaults = { read: "quorum", write: "quorum" } as const;
  const keyspaces = [{ name: "things", engine, defaults }];
  const unmet = { peers: [] as string[], causes: [] as string[], text: "" };
  const words = { awaited: false };
  const readiness = new Readiness(
    ...([keyspaces, lifecycle, environment, 60_000, () => unmet] as const),
    () => false,
    () => words.awaited,
  );
  return { readiness, words, unmet, engine, lifecycle, time: environment.time };
}

describe("ready", () => {
  it("settles at once if everything can be served", async () => {
    const { readiness, engine, time } = setUp();
    engine.ready = true;
    await readiness.wait(undefined);
    expect(time.pendingTimers).toBe(0);
  });

  it("settles with the notice that changed it", async () => {
    const { readiness, engine } = setUp();
    const waiting = readiness.wait({ level: "strong" });
    engine.ready = true;
    readiness.check();
    await waiting;
  });

  it("waits while a peer is about to say what it rebuilds", async () => {
    const { readiness, engine, words, time } = setUp();
    engine.ready = true;
    words.awaited = true;
    expect(readiness.missing("one")).toEqual(["things"]);
    const waiting = readiness.wait(undefined);
    let settled = false;
    void waiting.then(() => {
      settled = true;
    });
    time.advance(1_000);
    await Promise.resolve();
    expect(settled).toBe(false);
    words.awaited = false;
    time.advance(25);
    await waiting;
  });

  it("looks by itself where nobody gives notice", async () => {
    const { readiness, engine, time } = setUp();
    const waiting = readiness.wait(undefined);
    time.advance(1_000);
    engine.ready = true;
    time.advance(25);
    await waiting;
    expect(time.pendingTimers).toBe(0);
  });

  it("names what is not ready at its deadline", async () => {
    const { readiness, time } = setUp();
    const waiting = readiness.wait({ timeoutMs: 500 });
    time.advance(500);
    await expect(waiting).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "after 500 ms these keyspaces cannot serve at their own levels yet: things",
      details: { keyspaces: ["things"] },
    });
  });

  it("is ready where it came to be so while the event loop was held", async () => {
    const { readiness, engine, time } = setUp();
    const waiting = readiness.wait({ timeoutMs: 10 });
    time.stall(1_000);
    time.advance(0);
    engine.ready = true;
    time.advance(100);
    await waiting;
    expect(time.pendingTimers).toBe(0);
  });

  it("names the peers that it waits for, as they are at its deadline", async () => {
    const { readiness, unmet, time } = setUp();
    const waiting = readiness.wait({ timeoutMs: 500 });
    Object.assign(unmet, { peers: ["n2"], causes: ["unheard"], text: "n2 was not heard yet" });
    time.advance(500);
    await expect(waiting).rejects.toMatchObject({
      message: expect.stringMatching(/: things; n2 was not heard yet$/),
      details: { keyspaces: ["things"], peers: ["n2"], causes: ["unheard"] },
    });
  });

  it("ends with the caller's signal, and with the store", async () => {
    const { readiness, lifecycle, time } = setUp();
    const controller = new AbortController();
    const aborted = readiness.wait({ signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });

    const failed = readiness.wait(undefined);
    lifecycle.fail(new CapstanError("INTERNAL", "a fault"));
    readiness.check();
    await expect(failed).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(time.pendingTimers).toBeLessThanOrEqual(1);
  });

  it("refuses a level that no keyspace has", async () => {
    const { readiness } = setUp();
    await expect(readiness.wait({ level: "lease" })).rejects.toMatchObject({
      code: "INVALID_LEVEL",
      allowed: ["one", "quorum", "strong"],
    });
  });
});
