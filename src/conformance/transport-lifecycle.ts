import { LANES } from "../core/contracts/transport.ts";
import { isCapstanError } from "../core/model/errors.ts";
import { check, checkEqual, checkRejects, pause } from "./suite.ts";
import { patternedFrame, readPatternedFrame } from "./transport-pattern.ts";
import {
  NODE_A,
  NODE_B,
  QUIET_MS,
  type TestNetwork,
  type TransportCase,
} from "./transport-testbed.ts";

const CLOSE_TIMEOUT_MS = 10_000;

/** From start to close. */
export const LIFECYCLE_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  ["start settles although no peer is there", startsAlone],
  ["start is called once: the second call rejects", startsOnce],
  ["close lets leave what was accepted", closeDrains],
  ["close settles although what waits has nowhere to go", closeIsBounded],
  ["close is idempotent, also without a start", closeTwice],
  ["after close send answers disconnected", silentSend],
  ["after close no handler runs", silentHandlers],
]);

/** For transports that say `addressed`. */
export const ADDRESS_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  ["start rejects with PORT_IN_USE, naming the address, where another listens", portInUse],
]);

async function startsAlone(network: TestNetwork): Promise<void> {
  const alone = network.node(NODE_A, []);
  const waiting = network.node(NODE_B, [NODE_A]);
  let started = 0;
  for (const node of [alone, waiting]) {
    void node.start().then(() => {
      started += 1;
    });
  }
  await network.until(() => started === 2, "start to settle without a peer");
  await pause(network.environment, QUIET_MS);
  checkEqual([alone.handlerCalls, waiting.handlerCalls], [0, 0], "handler calls without a peer");
}

async function startsOnce(network: TestNetwork): Promise<void> {
  const a = network.node(NODE_A, []);
  await a.start();
  await checkRejects(a.start(), () => true, "a second start");
}

async function closeDrains(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const seen = new Set<number>();
  b.onFrame = (_from, frame) => seen.add(readPatternedFrame(frame).sequence);
  let sequence = 0;
  for (const lane of LANES) {
    for (const length of [100, 1_000_000, 4_000_000, 100]) {
      const result = a.send(NODE_B, patternedFrame(sequence, length), lane);
      checkEqual(result, "accepted", `send of ${length} bytes on ${lane}`);
      sequence += 1;
    }
  }
  await a.close(CLOSE_TIMEOUT_MS);
  await network.until(
    () => seen.size === sequence,
    () => `${sequence} frames that were accepted before close; ${seen.size} came`,
  );
  await network.untilDisconnected(b, NODE_A);
}

async function closeIsBounded(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const frame = patternedFrame(1, 1_000_000);
  while (a.send(NODE_B, frame, "bulk") === "accepted");
  // The peer is gone, and with it whoever could take what waits.
  const closedB = b.close(0);
  const closedA = a.close(500);
  let isClosed = false;
  void closedA.then(() => {
    isClosed = true;
  });
  await network.until(() => isClosed, "close with a timeout of 500 ms to settle");
  await closedB;
}

async function closeTwice(network: TestNetwork): Promise<void> {
  const [a] = await network.pair();
  await Promise.all([a.close(), a.close()]);
  await a.close();
  const unstarted = network.node(NODE_A, [NODE_B]);
  await unstarted.close();
  await unstarted.close();
  await checkRejects(unstarted.start(), () => true, "start after close");
}

async function silentSend(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  let arrived = 0;
  b.onFrame = () => {
    arrived += 1;
  };
  const closed = a.close();
  const frame = patternedFrame(1, 50);
  checkEqual(a.send(NODE_B, frame, "log"), "disconnected", "send while closing");
  await closed;
  for (const lane of LANES) {
    checkEqual(a.send(NODE_B, frame, lane), "disconnected", `send on ${lane} after close`);
  }
  await network.untilDisconnected(b, NODE_A);
  checkEqual(arrived, 0, "frames that arrived although send answered disconnected");
}

async function silentHandlers(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  for (let at = 0; at < 100; at += 1) b.send(NODE_A, patternedFrame(at, 1_000), "log");
  await a.close();
  const calls = a.handlerCalls;
  b.send(NODE_A, patternedFrame(1, 50), "log");
  await pause(network.environment, QUIET_MS);
  checkEqual(a.handlerCalls, calls, "handler calls once close has settled");
}

async function portInUse(network: TestNetwork): Promise<void> {
  const first = network.node(NODE_A, []);
  await first.start();
  const second = network.node(NODE_A, []);
  const isPortInUse = (error: unknown): boolean =>
    isCapstanError(error) && error.code === "PORT_IN_USE";
  const error = await checkRejects(second.start(), isPortInUse, "start where another listens");
  const address = network.addresses([NODE_A])[0]?.address ?? "";
  const message = error instanceof Error ? error.message : "";
  check(message.includes(address), () => `the message "${message}" does not name ${address}`);
  await second.close();
  checkEqual(first.failures, [], "failures of the first");
}
