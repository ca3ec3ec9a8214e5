import { type Denial, LANES, type Lane, type SendResult } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { IncomingStream } from "./incoming-stream.ts";
import type { NatsNode } from "./nats-node.ts";
import { OutgoingStream, type StreamEnds, type StreamLimits } from "./outgoing-stream.ts";
import { frameSubject } from "./subjects.ts";
import {
  acknowledgement,
  denialOf,
  greeting,
  isEarlierLink,
  isSameLink,
  type LinkId,
  type MessageHeader,
  NO_LINK,
  STREAM_HEADER_BYTES,
} from "./wire.ts";

/**
 * A process that said nothing for this share of the presence timeout, in which it should have said
 * hello twice, gives way to another one under its name.
 */
const SILENCE_SHARE = 0.4;

/** One lane to and from the peer, for one life of the link. */
interface LaneStreams {
  readonly lane: Lane;
  readonly outgoing: OutgoingStream;
  readonly incoming: IncomingStream;
}

/**
 * What two nodes know of each other: NATS itself says nothing of who is there.
 *
 * Each side names its end of the link by an id of its own, and says hello with it and with the id
 * that it has heard of the other side. The link is open once the other side has said our id. An id
 * is used for one life of the link: whatever ends it (a goodbye, silence, another id of the peer,
 * the loss of a server), the next life has another one, and its streams begin at 0. Messages name
 * both ids, so that what comes late from another life is known for it.
 *
 * Two processes with one name would take turns for ever: the second waits until the first is silent,
 * and is told so at each of its hellos.
 */
export class PeerLink {
  readonly peer: NodeId;
  readonly #node: NatsNode;
  readonly #subjects: ReadonlyMap<Lane, string>;
  #own: LinkId;
  #theirs: LinkId | undefined;
  /** Said goodbye: nothing of it or before it counts any more. */
  #ended: LinkId | undefined;
  #isOpen = false;
  #heard = false;
  #heardAtMs = 0;
  #streams: readonly LaneStreams[] = [];
  #isDestroyed = false;
  /** When the peer last said that it is connected with another process of our name; if it still may. */
  #deniedAtMs: number | undefined;
  /** The start of the process that was not let in last, as another one was connected. */
  #refused: number | undefined;
  /** The start of the process whose link ended last, without a goodbye, and when. */
  #lost: { readonly start: number; readonly atMs: number } | undefined;
  /** Something was appended since the last flush. Kept by the transport. */
  dirty = false;

  constructor(node: NatsNode, peer: NodeId) {
    this.#node = node;
    this.peer = peer;
    this.#own = node.nextLinkId();
    const { cluster, self } = node;
    this.#subjects = new Map(LANES.map((lane) => [lane, frameSubject(cluster, peer, self, lane)]));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get bufferedBytes(): number {
    return this.#streams.reduce((sum, { outgoing }) => sum + outgoing.bufferedBytes, 0);
  }

  /** Nothing waits, and what was sent has arrived or is lost. */
  get isSettled(): boolean {
    return !this.#isOpen || this.#streams.every(({ outgoing }) => outgoing.isSettled);
  }

  /** The servers are there. */
  begin(): void {
    // Without a server nobody was heard.
    if (this.#lost !== undefined) this.#lost = this.#lostNow(this.#lost.start);
    this.#renew();
    this.#say("hello");
  }

  /** The servers are gone, and with them all that was under way. */
  end(): void {
    if (this.#isOpen && this.#theirs !== undefined) this.#lost = this.#lostNow(this.#theirs.start);
    this.#shut();
    this.#theirs = undefined;
    this.#admitted();
  }

  /** For good. Without a word to the handlers. */
  destroy(): void {
    if (this.#theirs !== undefined) this.#say("bye");
    this.#isDestroyed = true;
    this.#isOpen = false;
    this.#closeStreams();
  }

  send(frame: Uint8Array, lane: Lane): SendResult {
    if (!this.#isOpen) return "disconnected";
    const streams = this.#streams.find((each) => each.lane === lane) as LaneStreams;
    return streams.outgoing.append(frame) ? "accepted" : "saturated";
  }

  flush(): void {
    for (const streams of this.#streams) this.#pump(streams);
  }

  /** Asks the peer about what is under way, where nothing waits behind it. */
  hurry(): void {
    for (const { outgoing } of this.#streams) {
      if (outgoing.bufferedBytes === 0 && !outgoing.isSettled) outgoing.ask(this.#ends);
    }
  }

  /** Says hello, asks about what is under way; ends a link whose peer was silent for too long. */
  tick(nowMs: number): void {
    if (this.#heard) {
      this.#heard = false;
      this.#heardAtMs = nowMs;
    }
    if (this.#isOpen && nowMs - this.#heardAtMs >= this.#node.settings.presenceTimeoutMs) {
      this.end();
      if (this.#isDestroyed) return;
    }
    const deniedMs = nowMs - (this.#deniedAtMs ?? nowMs);
    if (deniedMs >= this.#node.settings.presenceTimeoutMs) this.#admitted();
    if (this.#isDestroyed) return;
    this.#say("hello");
    if (!this.#isOpen) return;
    for (const { outgoing } of this.#streams) outgoing.maybeAsk(this.#ends);
  }

  /** The clock of the silence begins anew: it was this node that did not listen. */
  excuse(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  dropStalled(): void {
    for (const { incoming } of this.#streams) incoming.dropStalled();
  }

  /** A message of the peer, on a lane. What is wrong with it, or undefined. */
  receive(header: MessageHeader, message: Uint8Array, lane: Lane): string | undefined {
    switch (header.kind) {
      case "hello":
        this.#onHello(header.sender, header.receiver);
        return undefined;
      case "bye":
        this.#onBye(header.sender);
        return undefined;
      case "denial":
        this.#onDenial(header.receiver, header.denial);
        return undefined;
      default:
    }
    if (!isSameLink(header.sender, this.#theirs) || !isSameLink(header.receiver, this.#own)) {
      this.#node.faults.count("late-message");
      return undefined;
    }
    // It knows our id, so the hello that would say so is behind this, or lost.
    this.#open();
    this.#heard = true;
    if (header.kind === "acknowledgement") {
      this.#onAcknowledgement(header.lane, header.position);
      return undefined;
    }
    return this.#onStream(header, message, lane);
  }

  get #ends(): StreamEnds {
    return { own: this.#own, theirs: this.#theirs ?? NO_LINK };
  }

  #onHello(sender: LinkId, receiver: LinkId): void {
    if (isEarlierLink(sender, this.#theirs) || isEarlierLink(sender, this.#ended)) return;
    if (isSameLink(sender, this.#ended)) return;
    const isNew = !isSameLink(sender, this.#theirs);
    if (isNew && this.#isToWait(sender)) {
      this.#deny(sender, "identity-taken");
      return;
    }
    if (isNew && this.#isOther(sender)) {
      this.#refused = sender.start;
      this.#reportTwin("another process says that it is this peer, which is connected");
      const claimant = `${sender.start}`;
      this.#deny(sender, this.#node.handlers?.onClaim?.(this.peer, claimant) ?? "identity-taken");
      return;
    }
    if (isNew) {
      this.#shut();
      if (this.#isDestroyed) return;
      this.#theirs = sender;
    }
    const knowsUs = isSameLink(receiver, this.#own);
    if (knowsUs) {
      this.#heard = true;
      this.#open();
    } else if (receiver.generation !== 0 && receiver.start !== this.#own.start) {
      this.#reportTwin("it is connected with another process of this node's name, or was");
    }
    if ((isNew || !knowsUs) && !this.#isDestroyed) this.#say("hello");
  }

  /** Of another process than the one that this link is open with, which still speaks. */
  #isOther(sender: LinkId): boolean {
    if (!this.#isOpen || sender.start === this.#theirs?.start) return false;
    if (this.#heard) return true;
    const { environment, settings } = this.#node;
    const silentMs = environment.monotonicMs() - this.#heardAtMs;
    return silentMs < settings.presenceTimeoutMs * SILENCE_SHARE;
  }

  /** It was refused while another one was connected, which may come back. */
  #isToWait(sender: LinkId): boolean {
    if (this.#isOpen || this.#lost === undefined || sender.start !== this.#refused) return false;
    const { environment, settings } = this.#node;
    const lostMs = environment.monotonicMs() - this.#lost.atMs;
    return sender.start !== this.#lost.start && lostMs < settings.presenceTimeoutMs * SILENCE_SHARE;
  }

  #lostNow(start: number): { readonly start: number; readonly atMs: number } {
    return { start, atMs: this.#node.environment.monotonicMs() };
  }

  #deny(sender: LinkId, denial: Denial): void {
    if (this.#isDestroyed) return;
    const message = denialOf(this.#own, sender, denial);
    this.#node.publish("control", this.#subjects.get("control") as string, message);
  }

  /** Both processes of our name hear it: it is for the one that it names. */
  #onDenial(receiver: LinkId, denial: Denial): void {
    if (receiver.start !== this.#own.start || this.#isOpen || this.#isDestroyed) return;
    this.#deniedAtMs = this.#node.environment.monotonicMs();
    this.#node.handlers?.onDenied?.(this.peer, denial);
  }

  #admitted(): void {
    if (this.#deniedAtMs === undefined) return;
    this.#deniedAtMs = undefined;
    this.#node.handlers?.onDenied?.(this.peer, undefined);
  }

  #reportTwin(what: string): void {
    const { faults } = this.#node;
    faults.note("warn", "twin", "two processes have the id of one node", `${this.peer}: ${what}`);
  }

  #onBye(sender: LinkId): void {
    if (!isSameLink(sender, this.#theirs)) return;
    this.#ended = sender;
    this.end();
    this.#lost = undefined;
  }

  #onAcknowledgement(lane: Lane, position: number): void {
    const streams = this.#streams.find((each) => each.lane === lane);
    if (streams === undefined) return;
    streams.outgoing.acknowledge(position);
    this.#pump(streams);
  }

  #onStream(header: MessageHeader, message: Uint8Array, lane: Lane): string | undefined {
    // The handlers may end this link: what is answered then is for another life.
    const streams = this.#streams.find((each) => each.lane === lane);
    if (streams === undefined) return undefined;
    const { kind, sender, position, firstFrameAt } = header;
    const own = this.#own;
    const bytes = message.subarray(STREAM_HEADER_BYTES);
    const fault = streams.incoming.receive(bytes, position, firstFrameAt);
    if (kind === "stream-asking" && isSameLink(own, this.#own) && !this.#isDestroyed) {
      const answer = acknowledgement(own, sender, lane, streams.incoming.position);
      this.#node.publish("control", this.#subjects.get("control") as string, answer);
    }
    return fault;
  }

  #pump({ outgoing, lane }: LaneStreams): void {
    if (!this.#isOpen || !outgoing.pump(this.#ends)) return;
    this.#node.handlers?.onWritable(this.peer, lane);
  }

  #open(): void {
    if (this.#isOpen || this.#isDestroyed || this.#streams.length === 0) return;
    this.#isOpen = true;
    this.#heardAtMs = this.#node.environment.monotonicMs();
    this.#deniedAtMs = undefined;
    this.#node.handlers?.onPeer(this.peer, "connected");
  }

  /** Ends the link's life; the next one has an id and streams of its own. */
  #shut(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#renew();
    this.#node.handlers?.onPeer(this.peer, "disconnected");
  }

  #renew(): void {
    this.#closeStreams();
    if (this.#isDestroyed) return;
    this.#own = this.#node.nextLinkId();
    const { limits } = this.#node;
    this.#streams = limits === undefined ? [] : LANES.map((lane) => this.#openLane(lane, limits));
  }

  #openLane(lane: Lane, limits: StreamLimits): LaneStreams {
    const node = this.#node;
    const subject = this.#subjects.get(lane) as string;
    return {
      lane,
      outgoing: new OutgoingStream(limits, (message) => node.publish(lane, subject, message)),
      incoming: new IncomingStream(node.maxFrameBytes, (frame) =>
        node.handlers?.onFrame(this.peer, frame, lane),
      ),
    };
  }

  #closeStreams(): void {
    for (const { incoming } of this.#streams) incoming.close();
    this.#streams = [];
  }

  #say(kind: "hello" | "bye"): void {
    const message = greeting(kind, this.#own, this.#theirs ?? NO_LINK);
    this.#node.publish("control", this.#subjects.get("control") as string, message);
  }
}
