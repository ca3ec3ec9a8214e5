import type { Transport } from "../../contracts/transport.ts";
import type { ClusterId, NodeId } from "../../model/ids.ts";
import type { PeerDescription, PeerStanding } from "../seams.ts";
import type { FilteredTransport } from "./filtered-transport.ts";
import { IdentityLedger } from "./identity-ledger.ts";
import { Outbox } from "./outbox.ts";
import type { PeerNetworkOptions } from "./peer-network-options.ts";
import { PeerSession } from "./session.ts";

/**
 * Some 40 small writes: with 64 in flight this node and its peers work at the same time, and not in
 * turns (docs/performance.md).
 */
const FIRST_FRAME_BYTES = 6 * 1024;
/**
 * Where writes wait for a disk: a peer begins a sync with what came first, and the rest of the turn
 * has to wait for the next one. A sync costs more than working at the same time saves.
 */
const FIRST_DURABLE_FRAME_BYTES = 64 * 1024;
/** Large enough that a frame's own cost vanishes, small enough to be gone in a few milliseconds. */
const FRAME_TARGET_BYTES = 1024 * 1024;

/** One for every configured node but this one. */
export function makeSessions(
  { configuration, self, transport, met, planted, isPersistent }: PeerNetworkOptions,
  wire: FilteredTransport,
): ReadonlyMap<NodeId, PeerSession> {
  const firstBytes = isPersistent === true ? FIRST_DURABLE_FRAME_BYTES : FIRST_FRAME_BYTES;
  const limits = {
    firstBytes: Math.min(firstBytes, transport.maxFrameBytes),
    targetBytes: Math.min(FRAME_TARGET_BYTES, transport.maxFrameBytes),
    maxBytes: transport.maxFrameBytes,
  };
  const sessions = new Map<NodeId, PeerSession>();
  for (const { id } of configuration.cluster.nodes) {
    if (id === self.node) continue;
    const outbox = new Outbox(wire, id, limits, configuration.limits.queuedBytes);
    const { nodes } = configuration.cluster;
    const save = (bytes: Uint8Array): void => met.save(id, bytes);
    const ledger = new IdentityLedger(met.load(id), save, nodes.length, planted);
    sessions.set(id, new PeerSession(id, outbox, ledger));
  }
  return sessions;
}

export function describeSession(
  session: PeerSession,
  transport: Transport,
  nowMs: number,
  clusterId: ClusterId | undefined,
): PeerDescription {
  const { node, connected, reachable, identity, lastFrameMs, refusal } = session;
  const isBorn = clusterId !== undefined && session.clusterId !== undefined;
  const joining = connected && session.accepted && session.alive && !isBorn;
  const silentMs = lastFrameMs === undefined ? undefined : nowMs - lastFrameMs;
  const inTransport = connected ? transport.bufferedBytes(node) : 0;
  const bufferedBytes = session.outbox.bytes + inTransport;
  const refusedDigest = refusal === "configuration-mismatch" ? session.refusedDigest : undefined;
  return {
    ...{ node, connected, reachable, joining, identity, silentMs, bufferedBytes },
    refusedPaths: refusedDigest === undefined ? undefined : session.refusedPaths,
    ...{ refusal, refusedDigest, isTaken: session.deniedAs !== undefined },
    ...(session.open && {
      lacking: session.agreement?.onlyHere,
      further: session.agreement?.onlyThere,
    }),
  };
}

/** What one peer has said of a keyspace of this node, in its present life. */
export function standingOf(session: PeerSession, keyspace: string): PeerStanding {
  const { node, identity, told, clusterId, accepted, acceptedUs } = session;
  const known = { node, storeId: identity?.storeId, acceptsUs: acceptedUs };
  // A store that belongs to no cluster yet is not the one that will: nothing is built upon it.
  if (!accepted || clusterId === undefined || told === undefined) {
    return { ...known, standing: "unmet", persistent: false };
  }
  if (told === "all-born") return { ...known, standing: "born", persistent: false };
  const { standings, leftOut, persistent } = told;
  const absent = leftOut.includes(keyspace) ? "left-out" : "never";
  return { ...known, standing: standings.get(keyspace) ?? absent, persistent };
}
