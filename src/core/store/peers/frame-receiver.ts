import type { Lane } from "../../contracts/transport.ts";
import { ByteReader } from "../../model/bytes.ts";
import {
  checkMessages,
  FRAME_HEADER_BYTES,
  newFrameHeader,
  newMessageHeader,
  readFrameHeader,
  readMessageHeader,
} from "../../model/frames.ts";
import type { NodeId } from "../../model/ids.ts";
import { MalformedBytesError } from "../../model/malformed-bytes-error.ts";
import type { PlantedHostBugs } from "../planted-bugs.ts";
import type { PeerNetworkEvents } from "../seams.ts";
import type { Greeter } from "./greeter.ts";
import type { PeerSession } from "./session.ts";

/** Why a frame was dropped; a label of the metric `peer_frames_dropped`. */
export type DropReason = "malformed" | "foreign" | "stale" | "doubled";

export interface ReceiverHost {
  /** Whether messages of this accepted session may be delivered now. */
  mayDeliver(session: PeerSession): boolean;
  /** A frame of messages came from the accepted session. */
  heardMessages(session: PeerSession): void;
  dropped(from: NodeId, reason: DropReason): void;
  readonly isClosed: boolean;
}

export interface ReceiverOptions {
  readonly sessions: ReadonlyMap<NodeId, PeerSession>;
  readonly greeter: Greeter;
  readonly events: PeerNetworkEvents;
  readonly host: ReceiverHost;
  readonly clusterTag: number;
  readonly sessionTag: number;
  readonly planted: PlantedHostBugs | undefined;
}

/**
 * Takes frames apart. Readers, header and address are made once and used again for every message:
 * frames arrive one at a time, and never inside the handling of another.
 */
export class FrameReceiver {
  readonly #options: ReceiverOptions;
  readonly #reader = new ByteReader();
  readonly #body = new ByteReader();
  readonly #header = newFrameHeader();
  readonly #address = newMessageHeader();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Never throws for what the bytes hold; a throw of the events' owner passes through. */
  receive(from: NodeId, frame: Uint8Array, lane: Lane): void {
    const { sessions, host } = this.#options;
    const session = sessions.get(from);
    if (session === undefined) {
      host.dropped(from, "foreign");
      return;
    }
    const bytes = Buffer.isBuffer(frame)
      ? frame
      : Buffer.from(frame.buffer, frame.byteOffset, frame.length);
    let deliver: boolean;
    try {
      deliver = this.#open(session, bytes, lane);
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error;
      host.dropped(from, "malformed");
      return;
    }
    if (deliver) this.#deliver(session, bytes);
  }

  /** Reads the header; answers whether a well-formed frame of messages is to be delivered. */
  #open(session: PeerSession, frame: Buffer, lane: Lane): boolean {
    const { host, greeter, clusterTag, sessionTag } = this.#options;
    const header = this.#header;
    this.#reader.reset(frame);
    readFrameHeader(this.#reader, header);
    if (header.clusterTag !== clusterTag || header.senderTag === sessionTag) {
      host.dropped(session.node, "foreign");
      return false;
    }
    if (header.kind === "hello") {
      if (!greeter.hear(session, header, this.#reader)) host.dropped(session.node, "stale");
      return false;
    }
    const isCurrent =
      session.accepted && header.senderTag === session.tag && header.receiverTag === sessionTag;
    if (!isCurrent || !host.mayDeliver(session)) {
      host.dropped(session.node, "stale");
      // One of the two does not know the other's session: a hello tells.
      greeter.sayAgain(session);
      return false;
    }
    checkMessages(this.#reader, frame, this.#address);
    if (session.came[lane].take(header.sequence)) return true;
    if (this.#options.planted?.doubledFrameTaken === true) return true;
    host.dropped(session.node, "doubled");
    return false;
  }

  #deliver(session: PeerSession, frame: Buffer): void {
    const { events, host } = this.#options;
    host.heardMessages(session);
    const from = session.identity;
    if (from === undefined) return;
    const reader = this.#reader;
    reader.reset(frame, FRAME_HEADER_BYTES, frame.length);
    while (reader.remaining > 0 && !host.isClosed) {
      const length = readMessageHeader(reader, this.#address);
      const end = reader.offset + length;
      this.#body.reset(frame, reader.offset, end);
      reader.reset(frame, end, frame.length);
      events.onMessage(from, this.#address, this.#body);
    }
    events.onTurnEnd();
  }
}
