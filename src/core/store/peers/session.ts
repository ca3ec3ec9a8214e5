import type { Sender } from "../../contracts/machine.ts";
import type { Denial } from "../../contracts/transport.ts";
import type { ClusterId, NodeId, StoreId } from "../../model/ids.ts";
import type { Agreement } from "./agreements.ts";
import type { Watched } from "./failure-detector.ts";
import type { Verdict } from "./hello.ts";
import type { HelloOutline } from "./hello-outline.ts";
import type { IdentityLedger } from "./identity-ledger.ts";
import type { Outbox } from "./outbox.ts";
import { SequenceWindow } from "./sequence-window.ts";

/** A session that says to be who the accepted one is. */
export interface Rival {
  /** Our newest hello, and the time, when it was heard first. */
  readonly sinceSequence: number;
  readonly sinceMs: number;
}

/** Hellos outside the heartbeat, per peer and heartbeat: enough to meet at once, no storm. */
export const REPLY_CREDITS = 4;

/**
 * All that is known of one configured peer. Plain state, changed by the greeter and the peer
 * network alone.
 *
 * Meeting takes three hellos each way: mine that says I am here; mine that names the session whose
 * hello I heard, which proves it fresh to the other side; mine that says that I accept it. Each is
 * repeated as the heartbeat, so that any of them may be lost.
 */
export class PeerSession {
  readonly node: NodeId;
  readonly outbox: Outbox;
  readonly ledger: IdentityLedger;
  /** Of the accepted session's frames of messages, by lane. */
  readonly came = {
    control: new SequenceWindow(),
    log: new SequenceWindow(),
    bulk: new SequenceWindow(),
  };

  /** As the transport says. */
  connected = false;
  /** The transport lost it, and nothing was heard of the accepted session since. */
  gone = false;

  /** The session that was accepted last; `tag` is 0 if none was. */
  tag = 0;
  identity: Sender | undefined;
  watched: Watched | undefined;
  /** Between its configuration and ours; as long as the session is the accepted one. */
  agreement: Agreement | undefined;
  /** What it has said of its keyspaces; `all-born` where it need not say; undefined before. */
  told: HelloOutline | "all-born" | undefined;
  /** False again if that session turns out to be of another cluster. */
  accepted = false;
  /** The other side takes our frames. */
  acceptedUs = false;
  /** This node, in whatever session, has accepted this start of ours: what we write counts there. */
  hasAcceptedUs = false;
  clusterId: ClusterId | undefined;
  /** Of its newest hello. */
  rebuilding = false;
  sequence = 0;
  /** Our newest hello when that session was accepted: whoever was dead by then has heard no later. */
  acceptedAtSequence = 0;
  /** Our newest hello that it has answered. */
  answeredSequence = 0;
  /** By tag, or by what the transport calls it; of the newest few only. */
  readonly rivals = new Map<number | string, Rival>();
  lastFrameMs: number | undefined;

  /** The session that was heard last, accepted or not, and what is to be told to it. */
  heardTag = 0;
  /** Of its newest hello. */
  heardSequence = 0;
  heardDigest: string | undefined;
  heardStoreId: StoreId | undefined;
  heardRelearns = false;
  verdict: Verdict = "unheard";
  /** Nothing but the accepted session's being alive kept the heard one out. */
  isNext = false;
  /** The last refusal; undefined again once somebody is accepted. */
  refusal: Verdict | undefined;
  /** Of the configuration that the last refused hello named, and where it differs from ours. */
  refusedDigest: string | undefined;
  refusedPaths: readonly string[] | undefined;

  /** What our newest hello said, and how often we may say more before the next heartbeat. */
  sentTag = 0;
  sentVerdict: Verdict = "unheard";
  sentClusterId: ClusterId | undefined;
  sentSequence = 0;
  /** The first of our hellos to it that had an outline; 0 if none did. */
  outlinedSequence = 0;
  replyCredits = REPLY_CREDITS;

  /** Since when this peer has refused our identity without a break, how, and when it did so last. */
  refusedUsSinceMs: number | undefined;
  refusedUsAs: Verdict = "unheard";
  refusedUsAtMs = 0;
  /** The transport of this peer says that it is connected with another process of our id; since when. */
  deniedAs: Denial | undefined;
  deniedSinceMs = 0;
  skewed = false;

  /** Messages may be queued: connected, and each accepted the other into the same cluster. */
  open = false;
  /** Messages of the accepted session were taken. */
  hasCounted = false;
  /** `open`, and not suspected. */
  reachable = false;

  /** It is there, and has replicas that are being rebuilt; which, it is about to say. */
  get awaitsWord(): boolean {
    return this.reachable && this.rebuilding && !this.hasCounted;
  }

  constructor(node: NodeId, outbox: Outbox, ledger: IdentityLedger) {
    this.node = node;
    this.outbox = outbox;
    this.ledger = ledger;
  }

  get suspected(): boolean {
    return this.watched?.suspected ?? false;
  }

  /** It is here, and says that another store is to be who we are. */
  get refusesUs(): boolean {
    if (this.deniedAs !== undefined) return true;
    return this.refusedUsSinceMs !== undefined && this.accepted && this.alive;
  }

  /** Somebody was accepted and, for all that is known, still answers. */
  get alive(): boolean {
    return this.identity !== undefined && !this.gone && !this.suspected;
  }
}
