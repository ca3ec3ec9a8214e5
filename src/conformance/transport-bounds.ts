import { LANES } from "../core/contracts/transport.ts";
import type { NodeId } from "../core/model/ids.ts";
import { check, checkEqual, checkThrows } from "./suite.ts";
import { patternedFrame, readPatternedFrame } from "./transport-pattern.ts";
import { NODE_A, NODE_B, type TestNetwork, type TransportCase } from "./transport-testbed.ts";

/** Above this nobody would speak of a bound. */
const UNBOUNDED_BYTES = 128 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** What `send` answers, and how handlers are called. */
export const BOUND_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  ["what waits for a peer is bounded: a full lane answers saturated", saturates],
  ["the bound is per lane: a full lane leaves the others free", saturatesPerLane],
  ["a frame that was not accepted does not arrive", nothingTakenWhenSaturated],
  ["onWritable tells when a saturated lane takes frames again", becomesWritable],
  ["bufferedBytes counts what has not left, and falls to 0", countsBufferedBytes],
  ["send throws a RangeError for 0 bytes and above maxFrameBytes", refusesSizes],
  ["send throws a TypeError for a peer that setPeers has not named", refusesStrangers],
  ["no handler runs inside a call into the transport", handlersOutsideCalls],
  ["send within onFrame does not recurse: handlers run one at a time", sendWithinHandler],
]);

/** Fills the lane within one turn; returns how many frames were accepted. */
function fill(send: (frame: Uint8Array) => string): {
  readonly accepted: number;
  /** The one that was refused. */
  readonly frame: Uint8Array;
} {
  let accepted = 0;
  for (;;) {
    const frame = patternedFrame(accepted, CHUNK_BYTES);
    const result = send(frame);
    if (result === "saturated") return { accepted, frame };
    checkEqual(result, "accepted", "send on a lane that is not full");
    accepted += 1;
    check(
      accepted * CHUNK_BYTES <= UNBOUNDED_BYTES,
      () => `${accepted} frames of ${CHUNK_BYTES} bytes were accepted in one turn, without a bound`,
    );
  }
}

async function saturates(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  let arrived = 0;
  b.onFrame = () => {
    arrived += 1;
  };
  const { accepted } = fill((frame) => a.send(NODE_B, frame, "bulk"));
  check(accepted > 0, "a lane that holds nothing refused a frame");
  await network.until(() => arrived === accepted, `${accepted} accepted frames`);
}

async function saturatesPerLane(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const arrived = new Set<string>();
  b.onFrame = (_from, _frame, lane) => arrived.add(lane);
  // Of the size that has just been refused: a bound that the lanes share would refuse it, too.
  const { frame } = fill((each) => a.send(NODE_B, each, "bulk"));
  checkEqual(a.send(NODE_B, frame, "log"), "accepted", "log beside full bulk");
  fill((each) => a.send(NODE_B, each, "log"));
  checkEqual(a.send(NODE_B, frame, "control"), "accepted", "control beside full lanes");
  await network.until(() => arrived.size === LANES.length, "a frame on each lane");
}

async function nothingTakenWhenSaturated(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const refused = 4_000_000;
  const seen = new Set<number>();
  b.onFrame = (_from, frame) => seen.add(readPatternedFrame(frame).sequence);
  const { accepted } = fill((frame) => a.send(NODE_B, frame, "log"));
  const again = a.send(NODE_B, patternedFrame(refused, CHUNK_BYTES), "log");
  checkEqual(again, "saturated", "send on a full lane");
  await network.until(() => seen.size >= accepted, `${accepted} accepted frames`);
  // The last in the same lane: what was taken before it would have come.
  await a.sendWhenWritable(NODE_B, patternedFrame(refused + 1, CHUNK_BYTES), "log");
  await network.until(() => seen.has(refused + 1), "a frame sent after the lane was full");
  check(!seen.has(refused) && !seen.has(accepted), "a frame arrived that send had refused");
}

async function becomesWritable(network: TestNetwork): Promise<void> {
  const [a] = await network.pair();
  for (const lane of LANES) {
    const told = a.writable.length;
    const { frame } = fill((each) => a.send(NODE_B, each, lane));
    checkEqual(
      a.writable.length,
      told,
      `onWritable calls for ${lane} within the turn that filled it`,
    );
    await network.until(() => a.writable.length > told, `onWritable for lane ${lane}`);
    checkEqual(a.writable.at(-1), lane, "the lane that onWritable names");
    await network.until(
      () => a.send(NODE_B, frame, lane) === "accepted",
      `${lane} to take a frame`,
    );
  }
}

async function countsBufferedBytes(network: TestNetwork): Promise<void> {
  const [a] = await network.pair();
  checkEqual(a.transport.bufferedBytes(NODE_B), 0, "bufferedBytes of an idle peer");
  // What the medium takes at once has left; a lane that is full has not.
  for (const lane of LANES) fill((frame) => a.send(NODE_B, frame, lane));
  const buffered = a.transport.bufferedBytes(NODE_B);
  check(buffered > 0, () => `bufferedBytes is ${buffered} with all lanes full`);
  await network.until(() => a.transport.bufferedBytes(NODE_B) === 0, "bufferedBytes to fall to 0");
}

async function refusesSizes(network: TestNetwork): Promise<void> {
  const [a] = await network.pair();
  const isRangeError = (error: unknown): boolean => error instanceof RangeError;
  const { maxFrameBytes } = a.transport;
  for (const length of [0, maxFrameBytes + 1]) {
    const frame = new Uint8Array(length);
    checkThrows(() => a.send(NODE_B, frame, "log"), isRangeError, `a frame of ${length} bytes`);
  }
  const one = a.send(NODE_B, new Uint8Array(1), "log");
  checkEqual(one, "accepted", "a frame of one byte");
}

async function refusesStrangers(network: TestNetwork): Promise<void> {
  const isTypeError = (error: unknown): boolean => error instanceof TypeError;
  const [a] = await network.pair();
  const frame = patternedFrame(1, 20);
  const strangers = ["stranger", "__proto__", NODE_A] as NodeId[];
  for (const peer of strangers) {
    checkThrows(() => a.send(peer, frame, "log"), isTypeError, `send to ${peer}`);
  }
  a.setPeers([]);
  checkThrows(() => a.send(NODE_B, frame, "log"), isTypeError, "send to a peer no longer named");
}

async function handlersOutsideCalls(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  let arrived = 0;
  b.onFrame = () => {
    arrived += 1;
    b.send(NODE_A, patternedFrame(arrived, 30), "log");
  };
  const { accepted } = fill((frame) => a.send(NODE_B, frame, "log"));
  a.transport.bufferedBytes(NODE_B);
  a.setPeers(network.addresses([NODE_B]));
  await network.until(() => arrived === accepted && a.writable.length > 0, "all frames");
  a.setPeers([]);
  await network.untilDisconnected(b, NODE_A);
  a.setPeers(network.addresses([NODE_B]));
  await network.untilConnected(b, NODE_A);
  await a.close();
  for (const { id, handlersInsideCalls } of [a, b]) {
    checkEqual(handlersInsideCalls, 0, `handlers of ${id} that ran inside a call`);
  }
}

async function sendWithinHandler(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const rounds = 2_000;
  let returned = 0;
  b.onFrame = (from, frame, lane) => b.send(from, frame, lane);
  a.onFrame = (from, frame, lane) => {
    returned += 1;
    if (returned < rounds) a.send(from, frame, lane);
  };
  for (let at = 0; at < 8; at += 1) a.send(NODE_B, patternedFrame(at, 40), "log");
  await network.until(() => returned >= rounds, `${rounds} frames to go there and back`);
  checkEqual([a.deepest, b.deepest], [1, 1], "handlers at once");
}
