import { LANES, type Lane } from "../core/contracts/transport.ts";
import { check, checkEqual } from "./suite.ts";
import { patternedFrame, readPatternedFrame } from "./transport-pattern.ts";
import {
  NODE_A,
  NODE_B,
  NODE_C,
  type TestNetwork,
  type TestNode,
  type TransportCase,
} from "./transport-testbed.ts";

const MIB = 1024 * 1024;
const SMALL_FRAMES = 100_000;
const LEAST_MAX_FRAME_BYTES = 8 * MIB + 64 * 1024;

/** What arrives: whole, from whom it says, and whose the buffers are. */
export const FRAME_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  ["a frame arrives whole, on its lane, from the node that sent it", wholeFrames],
  ["a frame names its sender among several", sendersAmongSeveral],
  ["frames of 8 MiB arrive whole on each lane", largeFrames],
  ["maxFrameBytes is at least 8 MiB and 64 KiB, and such a frame arrives", largestFrame],
  ["100,000 small frames arrive whole", smallFrames],
  ["send borrows the frame only until it returns", borrowedBuffer],
  ["control does not wait for megabytes of the other lanes", controlFirst],
]);

/** For transports that say `ordered`. */
export const ORDER_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  ["frames of one lane arrive in order while a connection lasts", inOrder],
]);

async function wholeFrames(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const lengths = [16, 17, 255, 256, 1_000, 65_531, 65_532, 65_535, 65_536, 65_537, 300_000];
  for (const [sender, receiver] of [
    [a, b],
    [b, a],
  ] as const) {
    const seen = new Set<number>();
    let sequence = 0;
    const laneOf = (at: number): Lane => LANES[at % LANES.length] as Lane;
    receiver.onFrame = (from, frame, lane) => {
      const read = readPatternedFrame(frame);
      checkEqual(from, sender.id, `sender of frame ${read.sequence}`);
      checkEqual(lane, laneOf(read.sequence), `lane of frame ${read.sequence}`);
      checkEqual(frame.length, lengths[Math.floor(read.sequence / 3)], "length of a frame");
      seen.add(read.sequence);
    };
    const faults = collectFaults(receiver);
    for (const length of lengths) {
      for (const lane of LANES) {
        const frame = patternedFrame(sequence, length);
        await sender.sendWhenWritable(receiver.id, frame, lane);
        sequence += 1;
      }
    }
    await network.until(
      () => faults.length > 0 || seen.size === sequence,
      () => `${sequence} frames of several lengths; ${seen.size} came`,
    );
    check(faults.length === 0, () => faults.join("; "));
  }
}

async function sendersAmongSeveral(network: TestNetwork): Promise<void> {
  const nodes = await network.connected(NODE_A, NODE_B, NODE_C);
  const frames = 50;
  let arrived = 0;
  const faults: string[] = [];
  for (const node of nodes) {
    node.onFrame = (from, frame) => {
      arrived += 1;
      const { sequence } = readPatternedFrame(frame);
      const expected = nodes[Math.floor(sequence / frames)]?.id;
      if (from !== expected) faults.push(`a frame of ${expected} was handed over as from ${from}`);
    };
  }
  for (let at = 0; at < frames; at += 1) {
    for (const [index, sender] of nodes.entries()) {
      for (const receiver of nodes) {
        if (receiver === sender) continue;
        await sender.sendWhenWritable(receiver.id, patternedFrame(index * frames + at, 40), "log");
      }
    }
  }
  await network.until(() => faults.length > 0 || arrived === frames * 6, "300 frames of 3 nodes");
  check(faults.length === 0, () => faults[0] ?? "");
}

async function largeFrames(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const arrived = new Map<Lane, number>();
  const faults = collectFaults(b, (sequence, lane, frame) => {
    checkEqual(lane, LANES[sequence], `lane of frame ${sequence}`);
    arrived.set(lane, frame.length);
  });
  for (const [sequence, lane] of LANES.entries()) {
    await a.sendWhenWritable(NODE_B, patternedFrame(sequence, 8 * MIB), lane);
  }
  await network.until(
    () => faults.length > 0 || arrived.size === LANES.length,
    () => `a frame of 8 MiB on each lane; there came: ${[...arrived.keys()].join(", ")}`,
  );
  check(faults.length === 0, () => faults.join("; "));
}

async function largestFrame(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const { maxFrameBytes } = a.transport;
  check(
    maxFrameBytes >= LEAST_MAX_FRAME_BYTES,
    () => `maxFrameBytes is ${maxFrameBytes}, less than ${LEAST_MAX_FRAME_BYTES}`,
  );
  let arrived = 0;
  const faults = collectFaults(b, (_sequence, _lane, frame) => {
    arrived = frame.length;
  });
  await a.sendWhenWritable(NODE_B, patternedFrame(1, maxFrameBytes), "log");
  await network.until(() => faults.length > 0 || arrived > 0, `a frame of ${maxFrameBytes} bytes`);
  check(faults.length === 0, () => faults.join("; "));
  checkEqual(arrived, maxFrameBytes, "length of the largest frame");
}

async function smallFrames(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const seen = new Uint8Array(SMALL_FRAMES);
  let distinct = 0;
  const faults = collectFaults(b, (sequence) => {
    if (seen[sequence] === 0) distinct += 1;
    seen[sequence] = 1;
  });
  for (let sequence = 0; sequence < SMALL_FRAMES; sequence += 1) {
    const lane = LANES[sequence % LANES.length] as Lane;
    const frame = patternedFrame(sequence, 16 + (sequence % 48));
    if (a.send(NODE_B, frame, lane) !== "accepted") await a.sendWhenWritable(NODE_B, frame, lane);
  }
  await network.until(
    () => faults.length > 0 || distinct === SMALL_FRAMES,
    () => `${SMALL_FRAMES} small frames; ${distinct} came`,
  );
  check(faults.length === 0, () => faults[0] ?? "");
}

async function inOrder(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const frames = 3_000;
  const last = new Map<Lane, number>();
  const faults = collectFaults(b, (sequence, lane) => {
    const before = last.get(lane) ?? -1;
    check(sequence > before, () => `lane ${lane}: frame ${sequence} came after ${before}`);
    last.set(lane, sequence);
  });
  for (let sequence = 0; sequence < frames; sequence += 1) {
    const length = sequence % 100 === 0 ? 70_000 : 20;
    for (const lane of LANES) {
      await a.sendWhenWritable(NODE_B, patternedFrame(sequence, length), lane);
    }
  }
  const allCame = (): boolean => LANES.every((lane) => last.get(lane) === frames - 1);
  await network.until(
    () => faults.length > 0 || allCame(),
    `the last of ${frames} frames per lane`,
  );
  check(faults.length === 0, () => faults[0] ?? "");
}

async function borrowedBuffer(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const frames = 20;
  let arrived = 0;
  const faults = collectFaults(b, () => {
    arrived += 1;
  });
  const buffer = new Uint8Array(100_000);
  for (let sequence = 0; sequence < frames; sequence += 1) {
    const frame = patternedFrame(sequence, sequence % 2 === 0 ? 50 : buffer.length);
    buffer.set(frame);
    await a.sendWhenWritable(NODE_B, buffer.subarray(0, frame.length), LANES[sequence % 3] as Lane);
    buffer.fill(0xdd);
  }
  await network.until(() => faults.length > 0 || arrived === frames, `${frames} frames`);
  check(
    faults.length === 0,
    () => `${faults[0]}: the sender's buffer was read after send returned`,
  );
}

/** Observes the order of arrival, not time: control overtakes what was accepted before it. */
async function controlFirst(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  let overtaken = 0;
  let sent = 0;
  const overtakenAtControl: number[] = [];
  b.onFrame = (_from, _frame, lane) => {
    if (lane === "control") overtakenAtControl.push(overtaken);
    else overtaken += 1;
    // Again, in the middle of the stream: the next control frame meets lanes that are full.
    if (lane !== "control" && overtaken === 1) a.send(NODE_B, patternedFrame(1, 64), "control");
  };
  const frame = patternedFrame(0, MIB);
  for (const lane of ["bulk", "log"] as const) {
    for (let at = 0; at < 8 && a.send(NODE_B, frame, lane) === "accepted"; at += 1) sent += 1;
  }
  check(sent >= 8, () => `${sent} MiB were taken on two lanes; 8 is the least`);
  checkEqual(a.send(NODE_B, patternedFrame(1, 64), "control"), "accepted", "send on control");
  await network.until(() => overtaken === sent, `${sent} frames of a MiB`);
  await network.until(() => overtakenAtControl.length === 2, "2 frames on control");
  const [first = 0, second = 0] = overtakenAtControl;
  check(
    first <= sent / 2 && second < sent,
    () => `of ${sent} MiB, ${first} came before the control frame, ${second} before the second`,
  );
}

/** A throw in a handler is the process's end, so what is wrong is kept for the case to report. */
function collectFaults(
  node: TestNode,
  inspect?: (sequence: number, lane: Lane, frame: Uint8Array) => void,
): string[] {
  const faults: string[] = [];
  const before = node.onFrame;
  node.onFrame = (from, frame, lane) => {
    try {
      if (inspect === undefined) before(from, frame, lane);
      else inspect(readPatternedFrame(frame).sequence, lane, frame);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  };
  return faults;
}
