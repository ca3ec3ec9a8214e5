import { check, checkEqual, pause } from "./suite.ts";
import { patternedFrame } from "./transport-pattern.ts";
import {
  NODE_A,
  NODE_B,
  NODE_C,
  QUIET_MS,
  type TestNetwork,
  type TestNode,
  type TransportCase,
} from "./transport-testbed.ts";

/** Who is connected with whom. */
export const PEER_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  ["onPeer says connected on both sides, and send answers accepted from then on", connects],
  ["a peer that is away answers disconnected, and is connected once it starts", waitsForPeer],
  [
    "a peer that closes is disconnected; under the same id again it is connected",
    (network) => restarts(network, NODE_B),
  ],
  ["the same with the node of the smaller id restarting", (network) => restarts(network, NODE_A)],
  ["reconnecting does not end after some restarts", reconnectsAgain],
  ["a peer that closes leaves the other peers alone", leavesOthersAlone],
  ["a node that setPeers no longer names is closed, and its frames are refused", removesPeer],
  ["a node that setPeers names again is connected again", namesAgain],
  ["setPeers with the same list leaves connections alone", keepsPeers],
  ["a node that setPeers does not name is not connected", refusesUnnamed],
  ["clusters of different names on one network stay apart", keepsClustersApart],
]);

async function checkFramesFlow(network: TestNetwork, a: TestNode, b: TestNode): Promise<void> {
  for (const [sender, receiver] of [
    [a, b],
    [b, a],
  ] as const) {
    let arrived = false;
    receiver.onFrame = (from) => {
      if (from === sender.id) arrived = true;
    };
    await sender.sendWhenWritable(receiver.id, patternedFrame(1, 1_000), "log");
    await network.until(() => arrived, `a frame from ${sender.id} to ${receiver.id}`);
  }
}

async function connects(network: TestNetwork): Promise<void> {
  const a = network.node(NODE_A, [NODE_B]);
  const b = network.node(NODE_B, [NODE_A]);
  const results: string[] = [];
  for (const node of [a, b]) {
    node.onPeer = (peer, state) => {
      if (state === "connected") results.push(node.send(peer, patternedFrame(1, 50), "control"));
    };
  }
  await Promise.all([a.start(), b.start()]);
  await network.untilConnected(a, NODE_B);
  await network.untilConnected(b, NODE_A);
  checkEqual(results, ["accepted", "accepted"], "send within onPeer(connected)");
  await checkFramesFlow(network, a, b);
}

async function waitsForPeer(network: TestNetwork): Promise<void> {
  const a = network.node(NODE_A, [NODE_B]);
  const b = network.node(NODE_B, [NODE_A]);
  const frame = patternedFrame(1, 50);
  checkEqual(a.send(NODE_B, frame, "log"), "disconnected", "send before start");
  await a.start();
  await pause(network.environment, QUIET_MS);
  checkEqual(a.send(NODE_B, frame, "log"), "disconnected", "send to a peer that is away");
  checkEqual(a.peerEvents, [], "onPeer calls for a peer that is away");
  checkEqual(b.handlerCalls, 0, "handler calls before start");
  await b.start();
  await network.untilConnected(a, NODE_B);
  await network.untilConnected(b, NODE_A);
  await checkFramesFlow(network, a, b);
}

async function restarts(network: TestNetwork, restarting: typeof NODE_A): Promise<void> {
  const [a, b] = await network.pair();
  const [old, other] = restarting === NODE_A ? [a, b] : [b, a];
  await old.close();
  await network.untilDisconnected(other, old.id);
  const result = other.send(old.id, patternedFrame(1, 50), "log");
  checkEqual(result, "disconnected", "send to a peer that closed");
  const reborn = network.node(old.id, [other.id]);
  await reborn.start();
  await network.untilConnected(reborn, other.id);
  await network.until(
    () => other.timesOf(old.id, "connected") === 2,
    `${other.id} to be told: ${old.id} connected again`,
  );
  await checkFramesFlow(network, reborn, other);
}

async function reconnectsAgain(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  let peer = b;
  for (let round = 0; round < 4; round += 1) {
    await peer.close();
    await network.untilDisconnected(a, NODE_B);
    peer = network.node(NODE_B, [NODE_A]);
    await peer.start();
    await network.untilConnected(a, NODE_B);
    await network.untilConnected(peer, NODE_A);
  }
  await checkFramesFlow(network, a, peer);
}

async function leavesOthersAlone(network: TestNetwork): Promise<void> {
  const [a, b, c] = (await network.connected(NODE_A, NODE_B, NODE_C)) as [
    TestNode,
    TestNode,
    TestNode,
  ];
  await b.close();
  await network.untilDisconnected(a, NODE_B);
  await checkFramesFlow(network, a, c);
  checkEqual([a.timesOf(NODE_C, "disconnected"), a.timesOf(NODE_C, "connected")], [0, 1], "onPeer");
}

async function removesPeer(network: TestNetwork): Promise<void> {
  const [a, b, c] = (await network.connected(NODE_A, NODE_B, NODE_C)) as [
    TestNode,
    TestNode,
    TestNode,
  ];
  const senders: string[] = [];
  a.onFrame = (from) => senders.push(from);
  b.send(NODE_A, patternedFrame(1, 50), "log");
  a.setPeers(network.addresses([NODE_C]));
  await network.untilDisconnected(b, NODE_A);
  b.send(NODE_A, patternedFrame(2, 50), "log");
  c.send(NODE_A, patternedFrame(3, 50), "log");
  await network.until(() => senders.includes(NODE_C), "a frame of the peer that stayed");
  await pause(network.environment, QUIET_MS);
  check(!senders.includes(NODE_B), "a frame arrived from a node that setPeers no longer names");
  check(!b.isConnected(NODE_A), "a node that setPeers no longer names was connected again");
  checkEqual(a.timesOf(NODE_C, "disconnected"), 0, "disconnects of the peer that stayed");
}

async function namesAgain(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  for (const node of [a, b]) {
    const other = node === a ? b : a;
    node.setPeers([]);
    await network.untilDisconnected(other, node.id);
    node.setPeers(network.addresses([other.id]));
    await network.untilConnected(other, node.id);
    await network.untilConnected(node, other.id);
    await checkFramesFlow(network, node, other);
  }
}

async function keepsPeers(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  for (let round = 0; round < 3; round += 1) {
    a.setPeers(network.addresses([NODE_B]));
    b.setPeers(network.addresses([NODE_A]));
    await checkFramesFlow(network, a, b);
  }
  checkEqual([a.peerEvents.length, b.peerEvents.length], [1, 1], "onPeer calls");
}

async function refusesUnnamed(network: TestNetwork): Promise<void> {
  // Each names the one in the middle; only one of the two outer ones names the other.
  const a = network.node(NODE_A, [NODE_B, NODE_C]);
  const b = network.node(NODE_B, [NODE_A, NODE_C]);
  const c = network.node(NODE_C, [NODE_B]);
  await Promise.all([a.start(), b.start(), c.start()]);
  await network.untilConnected(a, NODE_B);
  await network.untilConnected(b, NODE_C);
  await network.untilConnected(c, NODE_B);
  await pause(network.environment, QUIET_MS);
  const result = a.send(NODE_C, patternedFrame(1, 50), "log");
  checkEqual(result, "disconnected", "send to a node that does not name this one");
  checkEqual(a.timesOf(NODE_C, "connected"), 0, "connections with a node that does not name this");
  checkEqual(c.timesOf(NODE_A, "connected"), 0, "connections with a node that is not named");
  await checkFramesFlow(network, a, b);
}

async function keepsClustersApart(network: TestNetwork): Promise<void> {
  const a = network.node(NODE_A, [NODE_B, NODE_C]);
  const b = network.node(NODE_B, [NODE_A, NODE_C], "another-cluster");
  const c = network.node(NODE_C, [NODE_A, NODE_B]);
  await Promise.all([a.start(), b.start(), c.start()]);
  await network.untilConnected(a, NODE_C);
  await pause(network.environment, QUIET_MS);
  checkEqual(b.peerEvents, [], "onPeer calls in the other cluster");
  const result = a.send(NODE_B, patternedFrame(1, 50), "log");
  checkEqual(result, "disconnected", "send to a node of another cluster");
  await checkFramesFlow(network, a, c);
}
