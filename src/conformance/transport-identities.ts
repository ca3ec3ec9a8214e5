import type { NodeId } from "../core/model/ids.ts";
import { check, checkEqual } from "./suite.ts";
import { patternedFrame } from "./transport-pattern.ts";
import {
  NODE_A,
  NODE_B,
  type TestNetwork,
  type TestNode,
  type TransportCase,
} from "./transport-testbed.ts";

/** Two processes under one id. */
export const IDENTITY_CASES: readonly (readonly [string, TransportCase])[] = Object.freeze([
  [
    "of two processes under one id one is connected, and the other is told what the peer answers",
    (network) => deniesOne(network, NODE_A),
  ],
  ["likewise of two under the greater id", (network) => deniesOne(network, NODE_B)],
  ["a process that takes the place of one that closed is denied nothing", deniesNoRestart],
]);

/** The peer, the process that is connected with it, and the one that is not. */
interface Doubled {
  readonly peer: TestNode;
  readonly holder: TestNode;
  readonly other: TestNode;
}

async function doubled(network: TestNetwork, id: NodeId): Promise<Doubled> {
  const nodes = await network.pair();
  const [first, peer] = id === NODE_A ? nodes : ([nodes[1], nodes[0]] as const);
  const second = network.nodeBeside(id, [peer.id]);
  await second.start();
  const both = [first, second];
  await network.until(
    () => {
      speak(both, peer);
      return both.some((node) => denialsOf(node).length > 0);
    },
    () => `one of two processes under the id ${id} to be told that ${peer.id} has the other`,
  );
  const other = both.find((node) => denialsOf(node).length > 0) as TestNode;
  return { peer, holder: other === first ? second : first, other };
}

/** A process counts as there as long as frames come from it. */
function speak(nodes: readonly TestNode[], peer: TestNode): void {
  for (const node of nodes) node.send(peer.id, patternedFrame(1, 50), "control");
}

function denialsOf(node: TestNode): readonly string[] {
  return node.denials.flatMap(({ denial }) => denial ?? []);
}

async function deniesOne(network: TestNetwork, id: NodeId): Promise<void> {
  const { peer, holder, other } = await doubled(network, id);
  for (const denial of ["identity-conflict", "identity-forked"] as const) {
    peer.denial = denial;
    await network.until(
      () => {
        speak([holder], peer);
        return denialsOf(other).at(-1) === denial;
      },
      () => `the process that is not let in to be told "${denial}"`,
    );
  }
  const frame = patternedFrame(1, 50);
  checkEqual(other.send(peer.id, frame, "log"), "disconnected", "send of the one not let in");
  checkEqual(holder.send(peer.id, frame, "log"), "accepted", "send of the one that is");
  checkEqual(denialsOf(holder), [], "denials of the one that is connected");
  const peers = new Set(peer.claims.map((claim) => claim.peer));
  checkEqual([...peers], [id], "the peer that was claimed to be");
  const names = new Set(peer.claims.map(({ claimant }) => claimant));
  checkEqual(names.size, 1, "names of the one process that was not let in");
  await holder.close();
  await network.until(
    () => other.isConnected(peer.id) || other.denials.at(-1)?.denial === undefined,
    () => "the second to be connected, or denied no more, once the first is gone",
  );
}

async function deniesNoRestart(network: TestNetwork): Promise<void> {
  const [a, b] = await network.pair();
  await b.close();
  await network.untilDisconnected(a, NODE_B);
  const next = network.node(NODE_B, [NODE_A]);
  await next.start();
  await network.untilConnected(next, NODE_A);
  await network.untilConnected(a, NODE_B);
  check(next.denials.length === 0, () => `a restart was denied: ${denialsOf(next).join(", ")}`);
  checkEqual(a.claims, [], "claims of the process that was started again");
}
