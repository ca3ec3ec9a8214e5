import type { FrameHeader } from "../../model/frames.ts";
import type { ClusterId } from "../../model/ids.ts";
import { type Agreement, isConflict, pathsOf } from "./agreements.ts";
import type { Hello, Verdict } from "./hello.ts";
import type { PeerSession } from "./session.ts";

/** What a hello is held against. */
export interface Expectations {
  readonly sessionTag: number;
  readonly clusterName: string;
  /** In how far the hello's configuration is that of this node; undefined if nobody has said. */
  readonly agreement: Agreement | undefined;
  readonly clusterId: ClusterId | undefined;
  readonly nowMs: number;
  /** For how long a session that answers waits for one that was accepted and does not. */
  readonly patienceMs: number;
}

/**
 * - `drop`: overtaken, or not from where it says: as if it had never arrived.
 * - `refuse`: its frames are not taken; the verdict says why.
 * - `continue`: the session that was accepted before.
 * - `begin`: a session that is to be accepted in the place of what was there.
 */
export interface Admission {
  readonly action: "drop" | "refuse" | "continue" | "begin";
  readonly verdict: Verdict;
  /** Where the two configurations differ, as far as it is known; of a `configuration-mismatch`. */
  readonly differs?: readonly string[];
  /** Of a refusal: nothing but the accepted session's being alive stands in the way. */
  readonly isNext?: boolean;
}

const BEGIN: Admission = Object.freeze({ action: "begin", verdict: "accepted" });
const DROP: Admission = Object.freeze({ action: "drop", verdict: "unheard" });

/** Decides about one hello; changes nothing. */
export function admit(
  session: PeerSession,
  header: FrameHeader,
  hello: Hello,
  expected: Expectations,
): Admission {
  if (hello.node !== session.node || hello.clusterName !== expected.clusterName) return DROP;
  const known = header.senderTag === session.tag;
  if (known && !isContinuation(session, hello)) return DROP;
  const disagreement = disagreementOf(known, header, hello, expected);
  if (disagreement !== undefined) return disagreement;
  if (
    hello.clusterId !== undefined &&
    expected.clusterId !== undefined &&
    hello.clusterId !== expected.clusterId
  ) {
    return refuse("cluster-mismatch");
  }
  if (known) return { action: "continue", verdict: "accepted" };
  // A broker may deliver a hello long after its sender died. Only one that names our own session
  // was said by somebody who lived after we started; and only one that answers what we said after
  // the accepted session began, by somebody who lived then. Of the lives of one node, each ends
  // before the next begins: one that was over by then has answered nothing later.
  if (header.receiverTag !== expected.sessionTag) return refuse("unheard");
  if (header.sequence <= session.acceptedAtSequence) return refuse("unheard");
  return admitIdentity(session, header, hello, expected);
}

/**
 * Nodes whose keyspaces differ meet if those that both have are equal. But a cluster does not begin
 * with a part of its keyspaces: what differs then is a slip, and nothing would say so later.
 */
function disagreementOf(
  known: boolean,
  header: FrameHeader,
  hello: Hello,
  { agreement, clusterId, sessionTag }: Expectations,
): Admission | undefined {
  if (agreement === undefined) {
    // Whoever has heard us says what it was given, if it is one that can.
    const hasHeardUs = header.receiverTag === sessionTag;
    return refuse(hasHeardUs ? "configuration-mismatch" : "unheard");
  }
  if (agreement.isWhole) return undefined;
  const isUnborn = hello.clusterId === undefined && clusterId === undefined;
  if (!isConflict(agreement) && (known || !isUnborn)) return undefined;
  const differs = pathsOf(agreement);
  return { action: "refuse", verdict: "configuration-mismatch", differs };
}

/** A fresh hello of a session other than the accepted one. */
function admitIdentity(
  session: PeerSession,
  header: FrameHeader,
  hello: Hello,
  expected: Expectations,
): Admission {
  const held = claimOfHolder(session, header, expected);
  // A later start of the accepted store replaces it at once; of another store only when that is dead.
  const isReplaced = held === undefined || session.identity?.storeId === hello.storeId;
  switch (session.ledger.recognise(hello.storeId, hello.incarnation, hello.logPosition)) {
    case "earlier-start":
      // While the later start lives this is another process on a copy of the data; afterwards it is
      // the copy alone, which must not vote with what it has forgotten.
      return refuse(held ?? "old-copy");
    case "later-start":
      return isReplaced ? BEGIN : refuse(held, true);
    case "followed":
      // It may be whole, and hold what nobody else does. But no coordinator may count it for what
      // the store in between has acknowledged.
      if (held !== undefined) return refuse(held, hello.relearns);
      return hello.relearns ? BEGIN : refuse("followed");
    case "old-copy":
      return refuse(isReplaced ? "old-copy" : held);
    case "new":
      return held === undefined ? BEGIN : refuse(held, true);
  }
}

/**
 * What the accepted session's being there means for another one; undefined if it is dead.
 *
 * That something was heard of it does not prove it alive: frames are late, and a node that does not
 * trust its own clock suspects nobody. So the two are only known to live both once each has answered
 * a hello of ours from after the second was heard: at that moment both had started and neither had
 * ended, which two lives of one node never do. A holder that answers nothing all that while, though
 * the other's answers come, is as dead as one that is suspected.
 */
function claimOfHolder(
  session: PeerSession,
  { senderTag, sequence }: FrameHeader,
  { nowMs, patienceMs }: Expectations,
): "identity-taken" | "identity-conflict" | undefined {
  if (!session.alive) return undefined;
  const rival = session.rivals.get(senderTag);
  if (rival === undefined || sequence <= rival.sinceSequence) return "identity-taken";
  if (session.answeredSequence > rival.sinceSequence) return "identity-conflict";
  return nowMs - rival.sinceMs < patienceMs ? "identity-taken" : undefined;
}

function isContinuation(session: PeerSession, hello: Hello): boolean {
  return (
    session.identity?.storeId === hello.storeId &&
    session.identity.incarnation === hello.incarnation &&
    hello.sequence > session.sequence
  );
}

function refuse(verdict: Verdict, isNext = false): Admission {
  return { action: "refuse", verdict, isNext };
}
