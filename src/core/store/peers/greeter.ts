import type { ByteReader } from "../../model/bytes.ts";
import { ByteWriter } from "../../model/bytes.ts";
import { CapstanError } from "../../model/errors.ts";
import { type FrameHeader, patchFrameSequence, writeFrameHeader } from "../../model/frames.ts";
import type { NodeId } from "../../model/ids.ts";
import { type Admission, admit } from "./admission.ts";
import { type Agreement, Agreements } from "./agreements.ts";
import type { Birth } from "./birth.ts";
import type { FilteredTransport } from "./filtered-transport.ts";
import { type Hello, readHello, type Verdict, writeHello } from "./hello.ts";
import type { HelloOutline } from "./hello-outline.ts";
import type { Notices } from "./notices.ts";
import type { PeerNetworkOptions } from "./peer-network-options.ts";
import { conflictError, conflictPatienceMs, noteRival } from "./rivals.ts";
import type { PeerSession } from "./session.ts";

/** With these a peer says that another store or process is to be who we are. */
const REFUSALS_OF_IDENTITY: readonly Verdict[] = Object.freeze([
  "identity-taken",
  "identity-conflict",
  "old-copy",
  "followed",
]);

/** What the greeter asks of the peer network. */
export interface GreeterHost {
  /** The session is accepted in the place of the one before. */
  begin(session: PeerSession, tag: number, hello: Hello, agreement: Agreement | undefined): void;
  /** Something was heard of the accepted session. */
  heard(session: PeerSession): void;
  /** Its state changed: say what follows from it. */
  refresh(session: PeerSession): void;
  /** A peer that was accepted has said what it thinks of its keyspaces. */
  told(): void;
  /** Another live process has this node's id: if this one has counted, its data is not gone on with. */
  giveWay(error: CapstanError): void;
  /** This node's data is an older copy. */
  disown(error: CapstanError): void;
  /** Another store has stood in the place of this one. `done`: what that cost can count nowhere. */
  relearn(done: () => void): void;
}

export interface GreeterOptions {
  readonly network: PeerNetworkOptions;
  readonly wire: FilteredTransport;
  readonly birth: Birth;
  readonly notices: Notices;
  readonly sessions: ReadonlyMap<NodeId, PeerSession>;
  readonly host: GreeterHost;
  readonly clusterTag: number;
  /** Names this life of this process; never 0. */
  readonly sessionTag: number;
}

/** Says hello, and judges the hellos of others. */
export class Greeter {
  readonly #options: GreeterOptions;
  readonly #writer = new ByteWriter();
  readonly #agreements: Agreements;
  /** Whether a peer has told this start that its store was followed, and what came of it. */
  #relearning: "not-asked" | "asked" | "done" = "not-asked";

  constructor(options: GreeterOptions) {
    this.#options = options;
    this.#agreements = new Agreements(options.network.configuration);
  }

  /** Out of turn, as often as the heartbeat allows. */
  sayAgain(session: PeerSession): void {
    if (session.replyCredits <= 0) return;
    session.replyCredits -= 1;
    this.say(session);
  }

  say(session: PeerSession): void {
    if (!session.connected) return;
    const { wire, birth, clusterTag, sessionTag } = this.#options;
    letGoOfHolder(session);
    session.sentSequence += 1;
    session.sentTag = session.heardTag;
    session.sentVerdict = session.verdict;
    session.sentClusterId = birth.clusterId;
    this.#writer.reset();
    writeFrameHeader(this.#writer, "hello", clusterTag, sessionTag, session.heardTag);
    patchFrameSequence(this.#writer, session.heardSequence);
    const hello = this.#helloFor(session);
    if (hello.outline !== undefined) session.outlinedSequence ||= session.sentSequence;
    writeHello(this.#writer, hello);
    // Refused or lost, the heartbeat repeats it.
    wire.send(session.node, this.#writer.view(), "control");
  }

  /** False: the hello was dropped. Throws `MalformedBytesError`. */
  hear(session: PeerSession, header: FrameHeader, reader: ByteReader): boolean {
    const hello = readHello(reader);
    const { network, birth, sessionTag } = this.#options;
    const { environment, configuration } = network;
    const isKnown = header.senderTag === session.tag;
    const agreement = (isKnown ? session.agreement : undefined) ?? this.#agreements.with(hello);
    const admission = admit(session, header, hello, {
      sessionTag,
      clusterName: configuration.cluster.name,
      agreement,
      clusterId: birth.clusterId,
      nowMs: environment.monotonicMs(),
      patienceMs: conflictPatienceMs(configuration),
    });
    if (admission.action === "drop") return false;
    const isSameAsBefore = session.heardTag === header.senderTag;
    session.heardSequence = isSameAsBefore
      ? Math.max(session.heardSequence, hello.sequence)
      : hello.sequence;
    session.heardTag = header.senderTag;
    session.heardDigest = hello.digest;
    session.heardStoreId = hello.storeId;
    session.heardRelearns = hello.relearns;
    session.verdict = admission.verdict;
    session.isNext = admission.isNext === true;
    const namesUs = header.receiverTag === sessionTag;
    if (admission.action === "refuse") this.#refuse(session, header, hello, admission);
    else this.#accept(session, header, hello, admission, agreement);
    // What nobody knows to be fresh may be about another time, or said by an earlier life of the peer.
    if (namesUs && admission.verdict !== "unheard") this.#consider(session, header, hello);
    if (!namesUs || this.#hasNews(session)) this.sayAgain(session);
    return true;
  }

  #accept(
    session: PeerSession,
    header: FrameHeader,
    hello: Hello,
    admission: Admission,
    agreement: Agreement | undefined,
  ): void {
    const { host, birth, sessions } = this.#options;
    if (admission.action === "begin") {
      host.begin(session, header.senderTag, hello, agreement);
      this.#noticeDifference(session, agreement);
      session.acceptedAtSequence = session.sentSequence;
      session.answeredSequence = 0;
      session.rivals.clear();
    }
    session.accepted = true;
    session.refusal = undefined;
    session.sequence = hello.sequence;
    session.clusterId = hello.clusterId;
    session.rebuilding = hello.rebuilding;
    const nowMs = this.#options.network.environment.monotonicMs();
    session.ledger.advance(hello.storeId, hello.logPosition, nowMs);
    if (header.receiverTag === this.#options.sessionTag) {
      session.acceptedUs = hello.verdict === "accepted";
      if (session.acceptedUs) session.hasAcceptedUs = true;
      session.answeredSequence = Math.max(session.answeredSequence, header.sequence);
    }
    this.#hearStandings(session, header, hello);
    host.heard(session);
    this.#watchClock(session, hello);
    birth.onHello(hello);
    birth.review(sessions);
    host.refresh(session);
    host.told();
  }

  /**
   * Who has nothing to tell apart says nothing of its keyspaces: they are what they are everywhere. But
   * while one of ours is new, only once it has heard so from us, as it may know more of it then.
   */
  #hearStandings(session: PeerSession, header: FrameHeader, hello: Hello): void {
    // What was said to another session of this node may be about another store.
    if (header.receiverTag !== this.#options.sessionTag) return;
    if (hello.outline !== undefined) {
      session.told = hello.outline;
      return;
    }
    const { keyspaces, configuration } = this.#options.network;
    if (hello.digest !== configuration.digest) return;
    const { outlinedSequence } = session;
    const hasTaken = hello.verdict === "accepted" && header.sequence >= outlinedSequence;
    const hasHeard = outlinedSequence > 0 && hasTaken;
    if (hasHeard || keyspaces?.isWaiting !== true) session.told = "all-born";
  }

  #noticeDifference({ node }: PeerSession, agreement: Agreement | undefined): void {
    if (agreement === undefined || agreement.isWhole) return;
    const { onlyHere, onlyThere } = agreement;
    this.#options.notices.say("keyspaces-differ", { peer: node, onlyHere, onlyThere });
  }

  #refuse(session: PeerSession, header: FrameHeader, hello: Hello, admission: Admission): void {
    const { verdict } = admission;
    if (verdict === "unheard") return;
    session.refusal = verdict;
    session.refusedDigest = hello.digest;
    session.refusedPaths = admission.differs;
    if (verdict === "identity-taken" || verdict === "identity-conflict") {
      noteRival(session, header.senderTag, this.#options.network.environment.monotonicMs());
    }
    this.#noticeRefusal(session, header, hello);
    if (header.senderTag !== session.tag) return;
    session.accepted = false;
    this.#options.host.refresh(session);
  }

  #noticeRefusal(session: PeerSession, header: FrameHeader, hello: Hello): void {
    const { notices, network, birth } = this.#options;
    const peer = session.node;
    const who = { storeId: hello.storeId, incarnation: hello.incarnation };
    switch (session.verdict) {
      case "configuration-mismatch": {
        const expected = network.configuration.digest;
        const differs = session.refusedPaths;
        const said = { digest: hello.digest, expected, ...(differs?.length && { differs }) };
        return notices.sayOnce("configuration-mismatch", peer, hello.digest, said);
      }
      case "cluster-mismatch": {
        const said = { clusterId: hello.clusterId, expected: birth.clusterId };
        return notices.sayOnce("cluster-mismatch", peer, `${hello.clusterId}`, said);
      }
      case "identity-taken":
      case "followed":
        // Every restart would be one to somebody; of what was followed its own node tells.
        return;
      case "identity-conflict":
        return notices.sayOnce("identity-conflict", peer, header.senderTag, {
          ...who,
          holder: session.identity?.storeId,
        });
      default:
        return notices.sayOnce("old-copy", peer, header.senderTag, {
          ...who,
          logPosition: hello.logPosition,
        });
    }
  }

  /** What the peer's hello says of us, by naming our session. */
  #consider(session: PeerSession, header: FrameHeader, { verdict }: Hello): void {
    const { notices, network, host } = this.#options;
    const { self } = network;
    if (!REFUSALS_OF_IDENTITY.includes(verdict) || this.#isSettled(verdict)) {
      if (session.refusedUsSinceMs === undefined) return;
      session.refusedUsSinceMs = undefined;
      host.refresh(session);
      return;
    }
    const refusedMs = this.#noteRefusalOfUs(session, verdict);
    // Perhaps it is our own earlier life that it takes for alive: that passes.
    if (verdict === "identity-taken") return;
    // Only on the word of a session that is itself accepted here, which its hello, naming ours,
    // proves to be alive, is anything done to the data.
    const isAccepted = session.accepted && header.senderTag === session.tag;
    if (verdict === "followed") {
      // Each of two may have met a store that followed the other's: one has to begin.
      if (isAccepted || session.verdict === "followed") this.#relearn();
      return;
    }
    notices.sayOnce(verdict, self.node, session.heardTag, { reportedBy: session.node });
    if (verdict === "old-copy") {
      // At once, before more is written on what is to be set aside.
      if (isAccepted) host.disown(oldCopyError(self.node, session.node));
      return;
    }
    if (refusedMs < conflictPatienceMs(network.configuration)) return;
    host.giveWay(conflictError(self.node, session.node));
  }

  /**
   * What was asked for with it is done: it keeps us from those who take us in no longer. Whoever
   * says it still has not heard so yet, and may never hear it, if frames go one way only.
   */
  #isSettled(verdict: Verdict): boolean {
    return verdict === "followed" && this.#relearning === "done";
  }

  /**
   * What a store in between has acknowledged it did before this process began: learned again once,
   * it is here whoever else says so.
   */
  #relearn(): void {
    if (this.#relearning !== "not-asked") return;
    this.#relearning = "asked";
    this.#options.host.relearn(() => {
      this.#relearning = "done";
      for (const session of this.#options.sessions.values()) {
        this.sayAgain(session);
        if (session.refusedUsSinceMs === undefined || !this.#isSettled(session.refusedUsAs))
          continue;
        session.refusedUsSinceMs = undefined;
        this.#options.host.refresh(session);
      }
    });
  }

  /** Answers for how long this peer has refused us in this way. */
  #noteRefusalOfUs(session: PeerSession, verdict: Verdict): number {
    const { environment, configuration } = this.#options.network;
    const nowMs = environment.monotonicMs();
    // What it said before a long silence was about another time: nobody knows what it would have
    // said meanwhile, and its first word afterwards may be older than its silence.
    const wasSilent = nowMs - session.refusedUsAtMs > configuration.detector.suspectAfterMs;
    const isOther = session.refusedUsSinceMs === undefined || session.refusedUsAs !== verdict;
    if (isOther || wasSilent) session.refusedUsSinceMs = nowMs;
    session.refusedUsAs = verdict;
    session.refusedUsAtMs = nowMs;
    this.#options.host.refresh(session);
    return nowMs - (session.refusedUsSinceMs ?? nowMs);
  }

  #hasNews(session: PeerSession): boolean {
    return (
      session.heardTag !== session.sentTag ||
      session.verdict !== session.sentVerdict ||
      this.#options.birth.clusterId !== session.sentClusterId
    );
  }

  #watchClock(session: PeerSession, hello: Hello): void {
    const { environment, configuration } = this.#options.network;
    const skewMs = hello.wallMs - Math.floor(environment.wallMs());
    const skewed = Math.abs(skewMs) > configuration.clock.maxSkewMs;
    if (skewed && !session.skewed) {
      this.#options.notices.say("clock-skew", {
        peer: session.node,
        skewMs,
        maxSkewMs: configuration.clock.maxSkewMs,
      });
    }
    session.skewed = skewed;
  }

  #helloFor(session: PeerSession): Hello {
    const { network, birth } = this.#options;
    const { self, configuration, environment } = network;
    return {
      clusterName: configuration.cluster.name,
      digest: configuration.digest,
      node: self.node,
      storeId: self.storeId,
      incarnation: self.incarnation,
      sequence: session.sentSequence,
      clusterId: birth.clusterId,
      verdict: session.verdict,
      relearns: this.#relearning === "done",
      rebuilding: network.isRebuildingFor?.(session.node) === true,
      // What nobody knew of cannot have been forgotten: an older copy that is held off, or cut off,
      // while it writes on would come to look like more than what the peer has met.
      logPosition: session.hasAcceptedUs ? network.logPosition() : network.openedPosition,
      wallMs: environment.wallMs(),
      founders: session.clusterId === undefined ? birth.founders : undefined,
      outline: this.#outlineFor(session),
    };
  }

  /**
   * Never in a first word, so that whoever cannot read it has heard our digest and can refuse it.
   */
  #outlineFor({
    heardDigest,
    heardStoreId,
    heardRelearns,
    told,
  }: PeerSession): HelloOutline | undefined {
    const { configuration, keyspaces } = this.#options.network;
    if (heardDigest === undefined) return undefined;
    const isApart = heardDigest !== configuration.digest;
    const isNew = this.#options.birth.clusterId !== undefined && keyspaces?.isWaiting === true;
    const theyWait = typeof told === "object" && [...told.standings.values()].includes("waiting");
    if (!isApart && !isNew && !theyWait) return undefined;
    const names = [...configuration.outline.keyspaces.keys()];
    const standing = (name: string) => keyspaces?.standing(name, heardStoreId) ?? "born";
    return {
      configuration: configuration.outline,
      standings: new Map(names.map((name) => [name, standing(name)])),
      leftOut: keyspaces?.leftOutTo(heardStoreId, heardRelearns) ?? [],
      persistent: keyspaces?.isPersistent ?? false,
    };
  }
}

/**
 * Who was refused for the sake of a session that is dead since is refused no more, though it may not
 * be heard to ask again: it counts nowhere for as long as it is told so, and where frames go one way
 * only, that would be for as long as they do. Whether it is accepted, its next hello decides.
 */
function letGoOfHolder(session: PeerSession): void {
  if (session.verdict !== "identity-taken" || !session.isNext || session.alive) return;
  session.verdict = "unheard";
}

function oldCopyError(self: NodeId, peer: NodeId): CapstanError {
  return new CapstanError(
    "DATA_DISOWNED",
    `node "${self}" runs on an older copy of its data: ${peer} has met a later state of this ` +
      "store; the next start sets the copy aside and learns from its peers",
    { details: { node: self, peer } },
  );
}
