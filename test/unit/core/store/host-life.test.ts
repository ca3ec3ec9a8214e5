import { beforeEach, describe, expect, test } from "vitest";
import type { Observer } from "../../../../src/core/contracts/observer.ts";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import { HostLife } from "../../../../src/core/store/host-life.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const BROKEN = new CapstanError("STORE_FAILED", "the disk is broken");

let time: VirtualTime;
let said: string[];
let life: HostLife;
/** Ends the storage's writing of that the data is given up. */
let written: { readonly resolve: () => void; readonly reject: (error: Error) => void };
let drained: () => void;

beforeEach(() => {
  time = new VirtualTime();
  said = [];
  life = new HostLife({
    environment: new VirtualEnvironment({ time }),
    observer: {
      log: (_level: string, message: string) => said.push(`warned: ${message.slice(0, 28)}`),
    } as unknown as Observer,
    storage: {
      disown: (why) =>
        new Promise((resolve, reject) => {
          said.push(`disown: ${why}`);
          written = { resolve, reject };
        }),
    },
    halt: (refusal) => said.push(`halted, ${refusal.code}`),
    onFatal: (error) => said.push(`fatal: ${error.message}`),
  });
});

function close(timeoutMs = 1_000): Promise<void> {
  return life.close(timeoutMs, {
    drain: () =>
      new Promise((resolve) => {
        said.push("drains");
        drained = resolve;
      }),
    stop: (isInOrder) => said.push(isInOrder ? "stops" : "stops, halted before"),
  });
}

/** What waits for promises that are settled. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

test("before its end it refuses nothing", () => {
  expect([life.refusal, life.isOver, life.mayKeepRecords]).toEqual([undefined, false, true]);
});

describe("a host that is closed", () => {
  test("takes nothing more, sees through what is under way, and is over then", async () => {
    const closing = close();
    expect(life.refusal?.code).toBe("STORE_CLOSED");
    expect([life.isOver, life.mayKeepRecords]).toEqual([false, true]);
    drained();
    await closing;
    expect(life.isOver).toBe(true);
    expect(said).toEqual(["drains", "stops"]);
  });

  test("twice is closed once", async () => {
    const closing = close();
    await close();
    drained();
    await closing;
    expect(said).toEqual(["drains", "stops"]);
  });

  test("is halted by a fault while it drains, and says that it failed", async () => {
    const closing = close();
    life.fail(BROKEN);
    expect(life.refusal?.code).toBe("STORE_FAILED");
    drained();
    await closing;
    expect(said).toEqual([
      "drains",
      "halted, STORE_FAILED",
      `fatal: ${BROKEN.message}`,
      "stops, halted before",
    ]);
  });

  test("meets no fault any more once its machines have stopped", async () => {
    const closing = close();
    drained();
    await closing;
    life.fail(BROKEN);
    life.disown(BROKEN);
    expect(said).toEqual(["drains", "stops"]);
  });
});

describe("a host that fails", () => {
  test("answers what is pending before the node is told, once", () => {
    life.fail(BROKEN);
    life.fail(BROKEN);
    life.disown(BROKEN);
    expect(said).toEqual(["halted, STORE_FAILED", `fatal: ${BROKEN.message}`]);
    expect(life.refusal?.cause).toBe(BROKEN);
    expect([life.isOver, life.mayKeepRecords]).toEqual([true, false]);
  });

  test("goes on saying so when it is closed", async () => {
    life.fail(BROKEN);
    const closing = close();
    drained();
    await closing;
    expect(life.refusal?.code).toBe("STORE_FAILED");
  });
});

describe("a host that gives up its data", () => {
  test("stops at once, and tells the node when that is written down", async () => {
    life.disown(BROKEN);
    expect(said).toEqual(["halted, STORE_FAILED", `disown: ${BROKEN.message}`]);
    written.resolve();
    await settle();
    expect(said.at(-1)).toBe(`fatal: ${BROKEN.message}`);
  });

  test("tells, too, that it could not be written down", async () => {
    life.disown(BROKEN);
    written.reject(new Error("EIO"));
    await settle();
    expect(said.at(-1)).toBe(`fatal: ${BROKEN.message}; and that could not be written down: EIO`);
  });

  test("is closed only when it is written down, but waits no longer than it may", async () => {
    life.disown(BROKEN);
    let isClosed = false;
    const closing = close(1_000).then(() => {
      isClosed = true;
    });
    time.advance(600);
    drained();
    await settle();
    time.advance(399);
    await settle();
    expect(isClosed).toBe(false);
    time.advance(1);
    await closing;
    expect(said.at(-1)).toBe("warned: it is not written down yet t");
  });
});
