import { beforeEach, describe, expect, it } from "vitest";
import type { Lane, SendResult, Transport } from "../../../../../src/core/contracts/transport.ts";
import { ByteReader } from "../../../../../src/core/model/bytes.ts";
import {
  newFrameHeader,
  newMessageHeader,
  readFrameHeader,
  readMessageHeader,
} from "../../../../../src/core/model/frames.ts";
import { FilteredTransport } from "../../../../../src/core/store/peers/filtered-transport.ts";
import { Outbox } from "../../../../../src/core/store/peers/outbox.ts";
import { VirtualEnvironment } from "../../../../support/virtual-environment.ts";
import { ADDRESS, nodeId, textCodec } from "./world.ts";

const TAGS = { cluster: 1, sender: 2, receiver: 3 };

class Wire {
  result: SendResult = "accepted";
  /** Larger frames find it saturated. */
  largestTaken = Number.POSITIVE_INFINITY;
  /** Frames that are taken before it is saturated. */
  capacity = Number.POSITIVE_INFINITY;
  readonly frames: { readonly texts: string[]; readonly lane: Lane; readonly bytes: number }[] = [];

  send(_peer: string, frame: Uint8Array, lane: Lane): SendResult {
    if (this.result !== "accepted") return this.result;
    if (this.capacity <= 0 || frame.length > this.largestTaken) return "saturated";
    this.capacity -= 1;
    this.frames.push({ texts: textsOf(frame), lane, bytes: frame.length });
    return "accepted";
  }

  texts(): string[] {
    return this.frames.flatMap(({ texts }) => texts);
  }
}

function textsOf(frame: Uint8Array): string[] {
  const reader = new ByteReader(frame);
  const header = newFrameHeader();
  readFrameHeader(reader, header);
  const tags = { clusterTag: 1, senderTag: 2, receiverTag: 3 };
  expect(header).toEqual({ kind: "messages", ...tags, sequence: expect.any(Number) });
  const texts: string[] = [];
  while (reader.remaining > 0) {
    const address = newMessageHeader();
    const length = readMessageHeader(reader, address);
    expect(address).toEqual(ADDRESS);
    texts.push(textCodec.decode(new ByteReader(reader.raw(length))));
  }
  return texts;
}

describe("Outbox", () => {
  let wire: Wire;

  beforeEach(() => {
    wire = new Wire();
  });

  function outbox(
    limits: { first?: number; target?: number; max?: number; queued?: number } = {},
  ): Outbox {
    const filtered = new FilteredTransport(
      wire as unknown as Transport,
      undefined,
      new VirtualEnvironment(),
      () => undefined,
    );
    const targetBytes = limits.target ?? 1_000;
    const frames = {
      firstBytes: limits.first ?? targetBytes,
      targetBytes,
      maxBytes: limits.max ?? 4_000,
    };
    const box = new Outbox(filtered, nodeId("b"), frames, limits.queued ?? 100_000);
    box.begin(TAGS);
    return box;
  }

  function add(box: Outbox, text: string, lane: Lane = "log") {
    return box.add(lane, ADDRESS, textCodec, text);
  }

  it("packs a turn's messages into one frame per lane, control first", () => {
    const box = outbox();
    add(box, "bulk", "bulk");
    add(box, "log 1");
    add(box, "log 2");
    add(box, "control", "control");
    expect(wire.frames).toEqual([]);
    box.flush();
    box.flush();
    expect(wire.frames.map(({ lane, texts }) => [lane, texts])).toEqual([
      ["control", ["control"]],
      ["log", ["log 1", "log 2"]],
      ["bulk", ["bulk"]],
    ]);
    expect(box.bytes).toBe(0);
  });

  it("begins another frame rather than let one grow beyond the target", () => {
    const box = outbox();
    const texts = Array.from({ length: 50 }, (_, n) => `${n}`.padEnd(100, "."));
    for (const text of texts) expect(add(box, text)).toBe("queued");
    box.flush();
    expect(wire.texts()).toEqual(texts);
    expect(wire.frames.length).toBeGreaterThan(5);
    for (const { bytes } of wire.frames) expect(bytes).toBeLessThanOrEqual(1_000);
  });

  it("hands the first frame over early, and lets each further one have twice its length", () => {
    const box = outbox({ first: 500, target: 3_000 });
    const texts = Array.from({ length: 60 }, (_, n) => `${n}`.padEnd(100, "."));
    for (const text of texts) add(box, text);
    const sizes = wire.frames.map(({ bytes }) => bytes);
    expect(sizes.length).toBeGreaterThan(3);
    for (const [at, bytes] of sizes.entries()) {
      expect(bytes).toBeLessThanOrEqual(Math.min(500 * 2 ** at, 3_000));
      expect(bytes).toBeGreaterThan(Math.min(500 * 2 ** at, 3_000) - 300);
    }
    box.flush();
    expect(wire.texts()).toEqual(texts);
    // The next turn begins anew.
    const before = wire.frames.length;
    for (const text of texts.slice(0, 8)) add(box, text);
    expect(wire.frames[before]?.bytes).toBeLessThanOrEqual(500);
  });

  it("gives a message above the target a frame of its own", () => {
    const box = outbox();
    const big = "x".repeat(3_000);
    for (const text of ["before", big, "after"]) add(box, text);
    box.flush();
    expect(wire.frames.map(({ texts }) => texts)).toEqual([["before"], [big], ["after"]]);
  });

  it("throws RangeError for a message that no frame can hold, and queues nothing of it", () => {
    const box = outbox();
    add(box, "before");
    expect(() => add(box, "x".repeat(4_000))).toThrow(RangeError);
    add(box, "after");
    box.flush();
    expect(wire.texts()).toEqual(["before", "after"]);
  });

  it("queues nothing of a message whose codec throws", () => {
    const box = outbox();
    const broken = {
      ...textCodec,
      encode: (text: string, writer: Parameters<typeof textCodec.encode>[1]) => {
        writer.string(text);
        throw new Error("cannot encode");
      },
    };
    expect(() => box.add("log", ADDRESS, broken, "half")).toThrow("cannot encode");
    box.flush();
    expect(wire.frames).toEqual([]);
    add(box, "whole");
    box.flush();
    expect(wire.texts()).toEqual(["whole"]);
  });

  it("keeps what a saturated transport did not take, and sends it in order when writable", () => {
    const box = outbox();
    wire.capacity = 1;
    const texts = Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(100, "."));
    for (const text of texts) {
      add(box, text);
      box.flush();
    }
    expect(wire.frames).toHaveLength(1);

    wire.capacity = 2;
    box.onWritable("log");
    expect(wire.frames).toHaveLength(3);
    wire.capacity = Number.POSITIVE_INFINITY;
    box.onWritable("log");
    expect(wire.texts()).toEqual(texts);
    // What came while the lane was blocked was packed, not sent one by one.
    expect(wire.frames.length).toBeLessThan(10);
    expect(box.bytes).toBe(0);
  });

  it("lets nothing pass by what waits, though the transport would take it", () => {
    const box = outbox();
    wire.result = "saturated";
    add(box, "x".repeat(600));
    box.flush();
    add(box, "small");
    wire.result = "accepted";
    wire.largestTaken = 500;
    box.onWritable("log");
    expect(wire.frames).toEqual([]);
    wire.largestTaken = 1_000;
    box.onWritable("log");
    expect(wire.texts()).toEqual(["x".repeat(600), "small"]);
  });

  // A snapshot over a slow link, and what was sent again of it, had left no room for entries and heartbeats.
  it("leaves room for the log where repair waits, and for heartbeats where both do", () => {
    const box = outbox({ queued: 100_000 });
    const fill = (lane: Lane, bytes: number): number => {
      let taken = 0;
      while (add(box, "".padEnd(bytes, "."), lane) === "queued") taken += bytes;
      return taken;
    };
    add(box, "first", "control");
    box.flush();
    wire.result = "saturated";
    expect(fill("bulk", 3_000)).toBeLessThanOrEqual(51_000);
    expect(fill("log", 3_000)).toBeGreaterThanOrEqual(39_000);
    expect(add(box, "".padEnd(3_000, "."), "control")).toBe("queued");
    expect(box.bytes).toBeLessThanOrEqual(100_000);
  });

  it("takes one message of repair, however large, where others wait and it has room", () => {
    const box = outbox({ queued: 10_000, max: 20_000 });
    wire.result = "saturated";
    expect(add(box, "waits", "log")).toBe("queued");
    expect(add(box, "".padEnd(9_000, "."), "bulk")).toBe("queued");
    expect(add(box, "another", "bulk")).toBe("saturated");
    expect(add(box, "log", "log")).toBe("queued");
  });

  it("answers saturated at its bound, over all lanes, and takes messages again below it", () => {
    const box = outbox({ queued: 2_000 });
    wire.result = "saturated";
    let queued = 0;
    const lanes: Lane[] = ["log", "bulk", "control"];
    while (queued < 100 && add(box, "x".repeat(100), lanes[queued % 3]) === "queued") queued += 1;
    expect(queued).toBeGreaterThan(10);
    expect(queued).toBeLessThan(20);
    expect(box.bytes).toBeLessThanOrEqual(2_000);

    wire.result = "accepted";
    for (const lane of lanes) box.onWritable(lane);
    expect(wire.texts()).toHaveLength(queued);
    expect(add(box, "again")).toBe("queued");
  });

  it("hands over early instead of refusing what the transport would take", () => {
    const box = outbox({ queued: 500, target: 1_000 });
    for (let n = 0; n < 20; n += 1) expect(add(box, "x".repeat(100))).toBe("queued");
    box.flush();
    expect(wire.texts()).toHaveLength(20);
  });

  it("takes one message above its bound when nothing else waits", () => {
    const box = outbox({ queued: 500 });
    expect(add(box, "x".repeat(800))).toBe("queued");
    box.flush();
    expect(wire.texts()).toHaveLength(1);
  });

  it("drops everything when its session ends", () => {
    const box = outbox();
    wire.result = "saturated";
    add(box, "waiting");
    box.flush();
    add(box, "open");
    box.drop();
    expect(box.bytes).toBe(0);
    wire.result = "accepted";
    box.onWritable("log");
    box.flush();
    expect(wire.frames).toEqual([]);
  });

  it("loses a frame for a peer that is gone, and goes on", () => {
    const box = outbox();
    wire.result = "disconnected";
    add(box, "lost");
    box.flush();
    wire.result = "accepted";
    add(box, "sent");
    box.flush();
    expect(wire.texts()).toEqual(["sent"]);
  });
});
