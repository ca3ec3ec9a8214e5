import type { FrameHeader } from "../../model/frames.ts";
import type { ClusterId } from "../../model/ids.ts";
import type { Hello, Verdict } from "./hello.ts";
import type { PeerSession } from "./session.ts";

/** What a hello is held against. */
export interface Expectations {
  readonly sessionTag: number;
  readonly clusterName: string;
  readonly digest: string;
  readonly clusterId: ClusterId | undefined;
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
  /** It may as well be an old frame: tell its sender, but nobody else. */
  readonly quiet?: true;
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
  if (hello.digest !== expected.digest) return refuse("configuration-mismatch");
  if (
    hello.clusterId !== undefined &&
    expected.clusterId !== undefined &&
    hello.clusterId !== expected.clusterId
  ) {
    return refuse("cluster-mismatch");
  }
  if (known) return { action: "continue", verdict: "accepted" };
  // A broker may deliver a hello long after its sender died. Only one that names our own session
  // was said by somebody who lived after we started.
  if (header.receiverTag !== expected.sessionTag) return refuse("unheard");
  return admitIdentity(session, hello);
}

/** A fresh hello of a session other than the accepted one. */
function admitIdentity(session: PeerSession, hello: Hello): Admission {
  switch (session.ledger.recognise(hello.storeId, hello.incarnation, hello.logPosition)) {
    case "earlier-start":
      // While the later start answers, this is an old frame, or another process on a copy of the
      // data; afterwards it is the copy alone, which must not vote with what it has forgotten.
      if (!session.alive) return refuse("old-copy");
      return { action: "refuse", verdict: "identity-conflict", quiet: true };
    case "later-start":
      return replaces(session, hello) ? BEGIN : refuse("identity-conflict");
    case "old-copy":
      return refuse(replaces(session, hello) ? "old-copy" : "identity-conflict");
    case "new":
      return session.alive ? refuse("identity-conflict") : BEGIN;
  }
}

/** A later start of the accepted store replaces it at once; of another store only when that is dead. */
function replaces(session: PeerSession, hello: Hello): boolean {
  return !session.alive || session.identity?.storeId === hello.storeId;
}

function isContinuation(session: PeerSession, hello: Hello): boolean {
  return (
    session.identity?.storeId === hello.storeId &&
    session.identity.incarnation === hello.incarnation &&
    hello.sequence > session.sequence
  );
}

function refuse(verdict: Verdict): Admission {
  return { action: "refuse", verdict };
}
