import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { LaneWriter } from "../../../../src/transports/tcp/lane-writer.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";
import { frameOf } from "./foreign-socket.ts";

const KIB = 1024;
const BOUND = 1024 * KIB;

/** Takes what is written at once, as a kernel with room does, or holds it until `drain`. */
class FakeSocket {
  readonly writes: Uint8Array[] = [];
  writableLength = 0;
  isFull = false;
  isEnded = false;
  #finished: (() => void)[] = [];
  #pending: (() => void)[] = [];

  write(bytes: Uint8Array, callback: () => void): boolean {
    this.writes.push(Uint8Array.from(bytes));
    if (this.isFull) this.writableLength += bytes.length;
    (this.isFull ? this.#pending : this.#finished).push(callback);
    return !this.isFull;
  }

  end(): void {
    this.isEnded = true;
  }

  /** The callbacks of finished writes, which come later than the writes end. */
  runCallbacks(): void {
    const callbacks = this.#finished;
    this.#finished = [];
    for (const callback of callbacks) callback();
  }

  drain(): void {
    this.writableLength = 0;
    this.#finished.push(...this.#pending);
    this.#pending = [];
    this.runCallbacks();
  }

  get written(): Buffer {
    return Buffer.concat(this.writes);
  }
}

function setup() {
  const socket = new FakeSocket();
  const environment = new VirtualEnvironment();
  const told: number[] = [];
  const writer: LaneWriter = new LaneWriter(socket as unknown as Socket, environment, BOUND, () =>
    told.push(writer.bufferedBytes),
  );
  return { socket, environment, writer, told };
}

function bodyOf(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at + seed) & 0xff);
}

describe("LaneWriter", () => {
  test("sends all small frames of a turn in one write", () => {
    const { socket, writer } = setup();
    const bodies = Array.from({ length: 30 }, (_, at) => bodyOf(100, at));
    for (const body of bodies) expect(writer.append(body)).toBe(true);
    expect(socket.writes).toHaveLength(0);
    expect(writer.flush()).toBe(false);
    expect(socket.writes).toHaveLength(1);
    expect(socket.written).toEqual(Buffer.concat(bodies.map((body) => frameOf(body))));
    expect(writer.bufferedBytes).toBe(0);
  });

  test("writes 4 KiB at once, so that the peer need not wait for the end of the turn", () => {
    const { socket, writer } = setup();
    const bodies = Array.from({ length: 100 }, (_, at) => bodyOf(100, at));
    for (const body of bodies) writer.append(body);
    expect(socket.writes.map(({ length }) => length)).toEqual([40 * 104, 40 * 104]);
    expect(writer.bufferedBytes).toBe(20 * 104);
    expect(writer.flush()).toBe(false);
    expect(socket.written).toEqual(Buffer.concat(bodies.map((body) => frameOf(body))));
  });

  test("gathers what comes while the kernel is full, and sends it in one write afterwards", () => {
    const { socket, writer } = setup();
    socket.isFull = true;
    writer.append(bodyOf(10, 1));
    expect(writer.flush()).toBe(true);
    for (let at = 0; at < 50; at += 1) {
      writer.append(bodyOf(10, at));
      expect(writer.flush()).toBe(true);
    }
    expect(socket.writes).toHaveLength(1);
    expect(writer.bufferedBytes).toBe(51 * 14);
    socket.isFull = false;
    socket.drain();
    expect(socket.writes.map(({ length }) => length)).toEqual([14, 50 * 14]);
    expect(writer.bufferedBytes).toBe(0);
  });

  test("a late callback of a write that was taken at once does not end the next one", () => {
    const { socket, writer } = setup();
    writer.append(bodyOf(10));
    writer.flush();
    socket.isFull = true;
    writer.append(bodyOf(20));
    writer.flush();
    socket.runCallbacks();
    expect(writer.bufferedBytes).toBe(24);
    socket.drain();
    expect(writer.bufferedBytes).toBe(0);
  });

  test("cuts a large frame into writes of 256 KiB at the most, and nothing is lost", () => {
    const { socket, writer } = setup();
    const body = bodyOf(900 * KIB);
    writer.append(body);
    socket.isFull = true;
    writer.flush();
    while (writer.bufferedBytes > 0) socket.drain();
    expect(Math.max(...socket.writes.map(({ length }) => length))).toBe(256 * KIB);
    expect(Buffer.compare(socket.written, frameOf(body))).toBe(0);
  });

  test("is saturated at its bound, and tells once half of it has left", () => {
    const { socket, writer, told } = setup();
    socket.isFull = true;
    const body = bodyOf(100 * KIB);
    let accepted = 0;
    while (writer.append(body)) accepted += 1;
    expect(accepted).toBe(10);
    expect(writer.bufferedBytes).toBeLessThanOrEqual(BOUND);
    writer.flush();
    while (told.length === 0) socket.drain();
    expect(told[0]).toBeLessThanOrEqual(BOUND / 2);
    while (writer.bufferedBytes > 0) socket.drain();
    expect(told).toHaveLength(1);
  });

  test("takes a frame above its bound when it holds nothing", () => {
    const { socket, writer, told } = setup();
    socket.isFull = true;
    expect(writer.append(bodyOf(BOUND + 1))).toBe(true);
    expect(writer.append(bodyOf(1))).toBe(false);
    while (writer.bufferedBytes > 0) socket.drain();
    expect(told).toHaveLength(1);
    expect(socket.written).toHaveLength(BOUND + 5);
  });

  test("is stalled after a time without progress, not while a slow kernel takes something", () => {
    const { socket, environment, writer } = setup();
    const isStalled = (): boolean => writer.isStalled(environment.monotonicMs(), 1_000);
    environment.advance(5_000);
    expect(isStalled()).toBe(false);
    socket.isFull = true;
    writer.append(bodyOf(900 * KIB));
    writer.flush();
    for (let step = 0; step < 3; step += 1) {
      environment.advance(900);
      expect(isStalled()).toBe(false);
      socket.drain();
    }
    environment.advance(1_000);
    expect(isStalled()).toBe(true);
    writer.destroy();
    expect(isStalled()).toBe(false);
  });

  test("ends the socket only when everything has left", () => {
    const { socket, writer } = setup();
    socket.isFull = true;
    writer.append(bodyOf(10));
    writer.flush();
    writer.append(bodyOf(20));
    writer.finish();
    expect(socket.isEnded).toBe(false);
    socket.drain();
    expect(socket.isEnded).toBe(false);
    socket.drain();
    expect(socket.isEnded).toBe(true);
    expect(socket.written).toHaveLength(14 + 24);
  });
});
