import { expect, test } from "vitest";
import type { Lane, Transport } from "../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { createMemoryHub, type MemoryHub } from "../../../../src/transports/memory/memory-hub.ts";
import { memoryTransport } from "../../../../src/transports/memory/memory-transport.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";
import { contextOf } from "../testbeds.ts";

const A = "a" as NodeId;
const B = "b" as NodeId;

interface Member {
  readonly transport: Transport;
  readonly events: string[];
}

/** Everything under virtual time: nothing happens but in `time.settle()`. */
function setup(): { time: VirtualTime; hub: MemoryHub; join: (self: string) => Member } {
  const time = new VirtualTime();
  const hub = createMemoryHub();
  const join = (self: string): Member => {
    const environment = new VirtualEnvironment({ time });
    const transport = memoryTransport({ hub }, { ...contextOf(self, "test"), environment });
    const events: string[] = [];
    const others = [A, B].filter((node) => node !== self);
    transport.setPeers(others.map((node) => ({ node, address: undefined })));
    void transport.start({
      onFrame: (from: NodeId, frame: Uint8Array, lane: Lane) =>
        events.push(`${from} ${lane} ${frame.length}`),
      onPeer: (peer, state) => events.push(`${peer} ${state}`),
      onWritable: (peer, lane) => events.push(`${peer} ${lane} writable`),
      onFailed: (error) => events.push(error.message),
    });
    return { transport, events };
  };
  return { time, hub, join };
}

test("a node that is detached is disconnected, loses what was on its way, and comes back", () => {
  const { time, hub, join } = setup();
  const [a, b] = [join("a"), join("b")];
  time.settle();
  expect(a.transport.send(B, Buffer.alloc(5), "log")).toBe("accepted");
  hub.detach("b");
  expect(a.transport.send(B, Buffer.alloc(6), "log")).toBe("disconnected");
  time.settle();
  expect(a.events).toEqual(["b connected", "b disconnected"]);
  expect(b.events).toEqual(["a connected", "a disconnected"]);
  hub.reattach("b");
  time.settle();
  expect(a.transport.send(B, Buffer.alloc(7), "log")).toBe("accepted");
  time.settle();
  expect(b.events.slice(2)).toEqual(["a connected", "a log 7"]);
});

test("a node that is attached twice: the newcomer replaces the older", () => {
  const { time, join } = setup();
  const [a, old] = [join("a"), join("b")];
  time.settle();
  a.transport.send(B, Buffer.alloc(1), "log");
  const reborn = join("b");
  time.settle();
  expect(old.events).toEqual(["a connected", "a disconnected"]);
  expect(reborn.events).toEqual(["a connected"]);
  expect(a.events).toEqual(["b connected", "b disconnected", "b connected"]);
  expect(old.transport.send(A, Buffer.alloc(1), "log")).toBe("disconnected");
  a.transport.send(B, Buffer.alloc(2), "log");
  time.settle();
  expect(reborn.events).toEqual(["a connected", "a log 2"]);
  expect(old.events).toHaveLength(2);
});

test("frames of one turn are delivered in the next one, control first", () => {
  const { time, join } = setup();
  const [a, b] = [join("a"), join("b")];
  time.settle();
  b.events.length = 0;
  for (const lane of ["bulk", "log", "control"] as const) {
    for (let at = 1; at <= 2; at += 1) a.transport.send(B, Buffer.alloc(at), lane);
  }
  expect(b.events).toEqual([]);
  time.runTurn();
  expect(b.events).toEqual([
    ...["a control 1", "a control 2"],
    ...["a log 1", "a log 2"],
    ...["a bulk 1", "a bulk 2"],
  ]);
});

test("a lane brings at most 64 KiB in a turn, so that control can overtake", () => {
  const { time, join } = setup();
  const [a, b] = [join("a"), join("b")];
  time.settle();
  b.events.length = 0;
  for (let at = 0; at < 8; at += 1) a.transport.send(B, Buffer.alloc(32 * 1024), "bulk");
  time.runTurn();
  expect(b.events).toHaveLength(2);
  a.transport.send(B, Buffer.alloc(1), "control");
  time.runTurn();
  expect(b.events[2]).toBe("a control 1");
});

test("close waits for delivery, up to its timeout", async () => {
  const { time, join } = setup();
  const [a, b] = [join("a"), join("b")];
  time.settle();
  for (let at = 0; at < 4; at += 1) a.transport.send(B, Buffer.alloc(64 * 1024), "bulk");
  let isClosed = false;
  const closed = a.transport.close({ timeoutMs: 1_000 }).then(() => {
    isClosed = true;
  });
  expect(isClosed).toBe(false);
  time.settle();
  await closed;
  time.settle();
  expect(b.events.filter((event) => event.startsWith("a bulk"))).toHaveLength(4);
  expect(b.events.at(-1)).toBe("a disconnected");
  expect(time.pendingTimers).toBe(0);
});

test("without a hub a node is alone; what is no hub, and other options, are refused", async () => {
  const alone = memoryTransport({}, contextOf("a", "test"));
  alone.setPeers([{ node: B, address: undefined }]);
  expect(alone.send(B, Buffer.alloc(1), "log")).toBe("disconnected");
  await alone.close();
  const make = (options: Record<string, unknown>) => () =>
    memoryTransport(options, contextOf("a", "test"));
  expect(make({ hub: {} })).toThrow("allowed: what createMemoryHub() returns");
  expect(make({ hubs: 1 })).toThrow("transport.hubs is not an option");
});
