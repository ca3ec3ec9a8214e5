import { LANES } from "../core/contracts/transport.ts";
import { check, checkEqual } from "./suite.ts";
import { patternedFrame, readPatternedFrame } from "./transport-pattern.ts";
import {
  NODE_A,
  NODE_B,
  type TestNetwork,
  type TestNode,
  type TransportCase,
} from "./transport-testbed.ts";

const MIB = 1024 * 1024;

/** For transports whose medium can go and come back without the nodes: a broker that restarts. */
export const INTERRUPTION_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  ["an interruption disconnects peers, which are connected again when it is over", comesBack],
  ["frames under way in an interruption come whole or not at all", staysWhole],
]);

async function comesBack(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  for (let round = 1; round <= 2; round += 1) {
    await network.interrupt();
    for (const [node, peer] of [
      [a, NODE_B],
      [b, NODE_A],
    ] as const) {
      await network.until(
        () => node.timesOf(peer, "connected") > round,
        `${node.id} to be told: ${peer} connected, after interruption ${round}`,
      );
      check(
        node.timesOf(peer, "disconnected") >= round,
        () => `${node.id} was not told that ${peer} was disconnected in interruption ${round}`,
      );
    }
    await settle(network, a, b);
    await arrives(network, a, b, round);
    await arrives(network, b, a, round);
  }
  checkEqual([...a.failures, ...b.failures], [], "failures");
}

async function staysWhole(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  const faults: string[] = [];
  let arrived = 0;
  b.onFrame = (_from, frame) => {
    arrived += 1;
    try {
      readPatternedFrame(frame);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  };
  let sequence = 0;
  let isOver = false;
  const pour = (): void => {
    for (const lane of LANES) {
      const length = sequence % 3 === 0 ? 3 * MIB : 10_000 + sequence;
      if (a.send(NODE_B, patternedFrame(sequence, length), lane) === "accepted") sequence += 1;
    }
    if (!isOver) network.environment.setTimer(2, pour);
  };
  try {
    pour();
    await network.until(() => arrived > 10, "frames before the interruption");
    await network.interrupt();
    await network.until(() => a.timesOf(NODE_B, "connected") > 1, "a to be connected again");
    const before = arrived;
    await network.until(() => arrived > before + 10, "frames after the interruption");
  } finally {
    isOver = true;
  }
  check(faults.length === 0, () => faults.join("; "));
}

/** Both ends may need a moment to agree that they are connected. */
async function settle(network: TestNetwork, a: TestNode, b: TestNode): Promise<void> {
  await network.untilConnected(a, b.id);
  await network.untilConnected(b, a.id);
}

async function arrives(
  network: TestNetwork,
  sender: TestNode,
  receiver: TestNode,
  sequence: number,
): Promise<void> {
  let hasArrived = false;
  // What it holds is another case's affair.
  receiver.onFrame = (from) => {
    if (from === sender.id) hasArrived = true;
  };
  await sender.sendWhenWritable(receiver.id, patternedFrame(sequence, 1_000), "log");
  await network.until(() => hasArrived, `a frame from ${sender.id} to ${receiver.id}`);
}
