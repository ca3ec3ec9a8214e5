import type {
  Lane,
  PeerAddress,
  SendResult,
  Transport,
  TransportHandlers,
} from "../../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import type { VirtualTime } from "../../../../support/virtual-environment.ts";

/**
 * A network like a broker: whoever attaches under an id gets the frames for that id, so that two
 * processes may claim one id, and nobody notices when one of two leaves.
 */
export class Bus {
  readonly time: VirtualTime;
  made = 0;
  readonly #members = new Map<NodeId, BusTransport[]>();

  constructor(time: VirtualTime) {
    this.time = time;
  }

  attach(member: BusTransport): void {
    const before = this.membersOf(member.node).length;
    this.#members.set(member.node, [...this.membersOf(member.node), member]);
    for (const other of this.#everybodyBut(member.node)) {
      this.time.soon(() => member.handlers?.onPeer(other.node, "connected"));
      if (before === 0) this.time.soon(() => other.handlers?.onPeer(member.node, "connected"));
    }
  }

  /** As when the process is killed: its peers see it go only if nobody else has the id. */
  detach(member: BusTransport): void {
    const left = this.membersOf(member.node).filter((other) => other !== member);
    this.#members.set(member.node, left);
    member.handlers = undefined;
    if (left.length > 0) return;
    for (const other of this.#everybodyBut(member.node)) {
      this.time.soon(() => other.handlers?.onPeer(member.node, "disconnected"));
    }
  }

  reaches(_from: BusTransport, to: NodeId): boolean {
    return this.membersOf(to).length > 0;
  }

  deliver(from: BusTransport, to: NodeId, frame: Uint8Array, lane: Lane): void {
    const copy = Uint8Array.from(frame);
    this.time.soon(() => {
      for (const member of this.membersOf(to)) member.handlers?.onFrame(from.node, copy, lane);
    });
  }

  membersOf(node: NodeId): BusTransport[] {
    return this.#members.get(node) ?? [];
  }

  #everybodyBut(node: NodeId): BusTransport[] {
    return [...this.#members.values()].flat().filter((member) => member.node !== node);
  }
}

export interface SentFrame {
  readonly peer: NodeId;
  readonly frame: Uint8Array;
  readonly lane: Lane;
}

export class BusTransport implements Transport {
  readonly capabilities = { addressed: false, ordered: true, remote: false };
  maxFrameBytes = 16 * 1024 * 1024;
  readonly node: NodeId;
  readonly sent: SentFrame[] = [];
  /** What `send` answers; "accepted" delivers. */
  result: SendResult = "accepted";
  handlers: TransportHandlers | undefined;
  closed = false;
  /** Tells it from others of its node. */
  readonly number: number;
  readonly #bus: Bus;

  constructor(bus: Bus, node: NodeId) {
    this.#bus = bus;
    this.node = node;
    bus.made += 1;
    this.number = bus.made;
  }

  start(handlers: TransportHandlers): Promise<void> {
    this.handlers = handlers;
    this.#bus.attach(this);
    return Promise.resolve();
  }

  setPeers(_peers: readonly PeerAddress[]): void {}

  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    if (frame.length > this.maxFrameBytes) throw new RangeError("frame too long");
    if (!this.#bus.reaches(this, peer)) return "disconnected";
    if (this.result !== "accepted") return this.result;
    this.sent.push({ peer, frame: Uint8Array.from(frame), lane });
    this.#bus.deliver(this, peer, frame, lane);
    return "accepted";
  }

  bufferedBytes(): number {
    return 0;
  }

  close(): Promise<void> {
    this.closed = true;
    this.#bus.detach(this);
    return Promise.resolve();
  }
}
