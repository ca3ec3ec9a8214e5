import type { RandomSource } from "../core/contracts/environment.ts";
import type { Lane, SendResult, TransportFactory } from "../core/contracts/transport.ts";
import type { NodeId } from "../core/model/ids.ts";
import {
  type ConnectionMode,
  GOOD_NETWORK,
  LONGEST_DELAY_MS,
  type NetworkConditions,
} from "./network-conditions.ts";
import { type DoubledNetwork, SimDoubles } from "./sim-doubles.ts";
import type { SimEnvironment } from "./sim-environment.ts";
import { SimLink } from "./sim-link.ts";
import { SimTransport, type TransportNetwork } from "./sim-transport.ts";
import { TRACE, type Trace } from "./trace.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a link holds for one lane before it refuses more. */
const MAX_HELD_BYTES = 1024 * 1024;
/** Longer than most of what asks again waits at first. */
const LONG_MS = 2_000;

export interface SimNetworkOptions {
  readonly time: VirtualTime;
  readonly random: RandomSource;
  readonly trace: Trace;
  /** All nodes that there ever are. */
  readonly nodes: readonly string[];
  /** Default `pairs`. */
  readonly mode?: ConnectionMode;
  /** Default 1 MiB. */
  readonly maxHeldBytes?: number;
}

/** Carries the frames of all nodes of one world, and decides from one seed what becomes of each. */
export class SimNetwork implements TransportNetwork, DoubledNetwork {
  conditions: NetworkConditions = GOOD_NETWORK;
  readonly mode: ConnectionMode;
  /** Called with each frame that a node hands over; the frame is borrowed. */
  onSend: ((from: string, to: string, frame: Uint8Array) => void) | undefined;
  /** Called with each frame that reaches a running process; likewise. */
  onArrival: ((from: string, to: string, frame: Uint8Array) => void) | undefined;
  readonly #time: VirtualTime;
  readonly #random: RandomSource;
  readonly #trace: Trace;
  readonly #nodes: readonly string[];
  /** By the places of their two ends. */
  readonly #links: readonly (readonly SimLink[])[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #transports = new Map<string, SimTransport>();
  readonly #doubles: SimDoubles;
  /** Nodes whose connection to the server is broken, in the mode `server`. */
  readonly #offline = new Set<string>();
  /** Raised where all that is under way to or from a node is lost. */
  readonly #epochs: number[];
  sent = 0;
  lost = 0;
  doubled = 0;
  /** Frames whose last byte left seconds after they were handed over. */
  longSends = 0;
  /** Frames of which a second copy has reached a process. */
  doubledArrivals = 0;

  constructor(options: SimNetworkOptions) {
    const { nodes, maxHeldBytes = MAX_HELD_BYTES } = options;
    this.#time = options.time;
    this.#random = options.random;
    this.#trace = options.trace;
    this.#nodes = nodes;
    this.#doubles = new SimDoubles(options.time, this);
    this.mode = options.mode ?? "pairs";
    this.#places = new Map(nodes.map((node, place) => [node, place]));
    this.#epochs = nodes.map(() => 0);
    this.#links = nodes.map((from) => nodes.map((to) => new SimLink(from, to, maxHeldBytes)));
  }

  /** The transport of one start of a node; of a second process, if the node runs. */
  transportFor(environment: SimEnvironment): TransportFactory {
    return (_options, { self, cluster }) => {
      const place = this.#placeOf(self);
      const transport = new SimTransport({ self, cluster }, place, environment, this);
      if (this.#transports.get(self)?.isUp === true) this.#doubles.add(transport);
      else this.#transports.set(self, transport);
      return transport;
    };
  }

  /** Nothing from `from` reaches `to` any more; the other way is not touched. */
  cutOneWay(from: string, to: string): void {
    this.#link(from, to).isCut = true;
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  join(a: string, b: string): void {
    this.#link(a, b).isCut = false;
    this.#link(b, a).isCut = false;
    this.#reviewPair(a, b);
  }

  /** Frames from `from` to `to` wait until `unclog`. */
  clog(from: string, to: string): void {
    this.#link(from, to).isClogged = true;
  }

  unclog(from: string, to: string): void {
    const link = this.#link(from, to);
    link.isClogged = false;
    for (const frame of link.release()) frame.deliver();
  }

  /** Frames from `from` to `to` go at this rate, in each lane, and no faster than elsewhere. */
  narrow(from: string, to: string, bytesPerMs: number): void {
    this.#link(from, to).bytesPerMs = bytesPerMs;
  }

  widen(from: string, to: string): void {
    this.#link(from, to).bytesPerMs = Number.POSITIVE_INFINITY;
  }

  isNarrow(from: string, to: string): boolean {
    return this.#link(from, to).bytesPerMs < this.conditions.bytesPerMs;
  }

  /** All links are whole and clear, and all nodes are connected. */
  heal(): void {
    for (const link of this.#links.flat()) {
      link.isCut = false;
      link.bytesPerMs = Number.POSITIVE_INFINITY;
      if (link.isClogged) this.unclog(link.from, link.to);
    }
    for (const node of [...this.#offline]) this.bringOnline(node);
    for (const transport of this.#transports.values()) this.review(transport);
  }

  /**
   * The node loses its connection to the server, and with it all that is under way to and from it,
   * until `bringOnline`. In the mode `pairs`: its connections to all peers.
   */
  takeOffline(node: string): void {
    this.#offline.add(node);
    const place = this.#placeOf(node);
    this.#epochs[place] = (this.#epochs[place] as number) + 1;
    this.#disconnectAll(node);
  }

  bringOnline(node: string): void {
    this.#offline.delete(node);
    const transport = this.#transports.get(node);
    if (transport !== undefined) this.review(transport);
  }

  /** The process is gone. Its peers hear of it, as far as links are whole, unless `silently`. */
  lose(node: string, silently: boolean, environment?: SimEnvironment): void {
    const gone = this.#transports.get(node);
    if (environment !== undefined && gone !== undefined && gone.environment !== environment) {
      this.#loseSecond(environment);
      return;
    }
    this.#transports.delete(node);
    if (!silently && this.mode === "pairs") this.#disconnectAll(node, gone);
    this.#promote(node);
  }

  transportOf(node: string): SimTransport | undefined {
    return this.#transports.get(node);
  }

  areApart(a: string, b: string): boolean {
    const isOffline = this.#offline.has(a) || this.#offline.has(b);
    return isOffline || this.isCut(a, b) || this.isCut(b, a);
  }

  link(one: SimTransport, other: SimTransport): void {
    this.#replace(one, other);
    this.#replace(other, one);
    this.#linkAt(one.place, other.place).reset();
    this.#linkAt(other.place, one.place).reset();
    one.connect(other);
    other.connect(one);
  }

  isCut(from: string, to: string): boolean {
    return this.#link(from, to).isCut;
  }

  isOffline(node: string): boolean {
    return this.#offline.has(node);
  }

  send(from: SimTransport, to: SimTransport, frame: Uint8Array, lane: Lane): SendResult {
    const link = this.#linkAt(from.place, to.place);
    if (!link.mayTake(lane, frame.length)) return "saturated";
    const route = from.place * this.#nodes.length + to.place;
    this.#trace.noteBytes(TRACE.frameSent, this.#time.nowMs, route, frame);
    this.sent += 1;
    this.onSend?.(from.self, to.self, frame);
    const { loss, doubling } = this.conditions;
    if (link.isCut || (loss > 0 && this.#random.fraction() < loss)) {
      this.lost += 1;
      return "accepted";
    }
    const copy = Buffer.from(frame);
    const { connection } = link;
    const epoch = this.#epochOf(from, to);
    const carried: CarriedFrame = {
      link,
      connection,
      from,
      to,
      frame: copy,
      lane,
      epoch,
      arrivals: 0,
      arrive: () => this.#arrive(carried),
    };
    this.#carry(carried);
    if (doubling > 0 && this.#random.fraction() < doubling) {
      this.doubled += 1;
      this.#carry(carried);
    }
    return "accepted";
  }

  heldBytes(from: NodeId, to: NodeId): number {
    return this.#link(from, to).heldBytes;
  }

  review(transport: SimTransport): void {
    for (const peer of transport.peers()) this.#reviewPair(transport.self, peer);
  }

  parted(transport: SimTransport, peer: NodeId): void {
    transport.disconnect(peer);
    this.#transports.get(peer)?.disconnect(transport.self);
  }

  closed(transport: SimTransport): void {
    const isSecond = this.#doubles.remove(transport);
    if (!isSecond && this.#transports.get(transport.self) !== transport) return;
    if (!isSecond) this.#transports.delete(transport.self);
    this.#disconnectAll(transport.self, transport);
    if (!isSecond) this.#promote(transport.self);
  }

  /** `here` is connected with another process of that node, which lives: it is told. */
  #replace(here: SimTransport, there: SimTransport): void {
    const before = here.connectedWith(there.self);
    if (before === undefined || before === there || !this.#isThere(before)) return;
    if (before.connectedWith(here.self) === here) before.disconnect(here.self);
  }

  /** Of two processes the one that is left is the node's. */
  #promote(node: string): void {
    const next = this.#doubles.promote(node);
    if (next === undefined) return;
    this.#transports.set(node, next);
    this.review(next);
  }

  #loseSecond(environment: SimEnvironment): void {
    const second = this.#doubles.find((each) => each.environment === environment);
    if (second !== undefined) this.closed(second);
  }

  #isThere(transport: SimTransport): boolean {
    return this.#transports.get(transport.self) === transport || this.#doubles.has(transport);
  }

  #carry(carried: CarriedFrame): void {
    const { link, lane, frame } = carried;
    link.took(lane, frame.length);
    if (!link.isClogged) this.#depart(carried);
    else link.hold({ deliver: () => this.#depart(carried) });
  }

  #depart(carried: CarriedFrame): void {
    this.#time.setTimer(this.#delayOf(carried), carried.arrive);
  }

  #arrive(carried: CarriedFrame): void {
    const { link, from, to, frame, lane, epoch } = carried;
    if (link.landed(lane, frame.length, carried.connection)) this.#tellWritable(from, to, lane);
    const isLost = epoch !== this.#epochOf(from, to);
    if (isLost || !this.#isThere(to)) {
      this.lost += 1;
      return;
    }
    const route = from.place * this.#nodes.length + to.place;
    this.#trace.note(TRACE.frameCame, this.#time.nowMs, route, frame.length);
    carried.arrivals += 1;
    if (carried.arrivals > 1) this.doubledArrivals += 1;
    this.onArrival?.(from.self, to.self, frame);
    to.deliver(from, frame, lane);
  }

  #tellWritable(from: SimTransport, to: SimTransport, lane: Lane): void {
    this.#time.setTimer(0, () => {
      if (this.#isThere(from)) from.writable(to.self, lane);
    });
  }

  #delayOf({ link, lane, frame }: CarriedFrame): number {
    const { nowMs } = this.#time;
    const { minDelayMs, meanDelayMs, tailShare, tailMeanMs, reorders } = this.conditions;
    let delayMs = minDelayMs + this.#exponential(meanDelayMs);
    if (tailShare > 0 && this.#random.fraction() < tailShare) {
      delayMs += this.#exponential(tailMeanMs);
    }
    delayMs = Math.min(delayMs, LONGEST_DELAY_MS);
    const bytesPerMs = Math.min(link.bytesPerMs, this.conditions.bytesPerMs);
    const leavesAtMs = link.leavesAt(lane, nowMs, frame.length / bytesPerMs);
    if (leavesAtMs - nowMs > LONG_MS) this.longSends += 1;
    const dueMs = leavesAtMs + delayMs;
    return (reorders ? dueMs : link.inOrder(lane, dueMs)) - nowMs;
  }

  #exponential(mean: number): number {
    return mean === 0 ? 0 : -Math.log(1 - this.#random.fraction()) * mean;
  }

  #reviewPair(a: string, b: string): void {
    if (!this.#mayConnect(a, b)) return;
    this.#time.setTimer(this.conditions.minDelayMs + this.conditions.meanDelayMs, () => {
      if (!this.#mayConnect(a, b)) return;
      const one = this.#transports.get(a) as SimTransport;
      const other = this.#transports.get(b) as SimTransport;
      this.link(one, other);
    });
  }

  /** Both are there, want each other, can hear each other, and are not connected yet. */
  #mayConnect(a: string, b: string): boolean {
    const one = this.#transports.get(a);
    const other = this.#transports.get(b);
    if (one?.isUp !== true || other?.isUp !== true) return false;
    if (!one.wants(other.self) || !other.wants(one.self)) return false;
    if (one.cluster !== other.cluster) return false;
    if (this.#offline.has(a) || this.#offline.has(b)) return false;
    if (this.isCut(a, b) || this.isCut(b, a)) return false;
    if (this.#doubles.holdsBack(one, other) || this.#doubles.holdsBack(other, one)) return false;
    return one.connectedWith(other.self) !== other || other.connectedWith(one.self) !== one;
  }

  /** Whoever can hear it learns that the connection is gone. */
  #disconnectAll(node: string, gone?: SimTransport): void {
    for (const other of this.#nodes) {
      if (other === node) continue;
      const peer = this.#transports.get(other);
      if (gone !== undefined && this.#isTaken(peer, gone)) continue;
      this.#transports.get(node)?.disconnect(other as NodeId);
      if (peer !== undefined && (this.mode === "server" || !this.isCut(node, other))) {
        peer.disconnect(node as NodeId);
      }
    }
  }

  /** The peer is connected with another process of that node. */
  #isTaken(peer: SimTransport | undefined, gone: SimTransport): boolean {
    const holder = peer?.connectedWith(gone.self);
    return holder !== undefined && holder !== gone && this.#isThere(holder);
  }

  /** Another one once something that is under way between the two is lost. */
  #epochOf(from: SimTransport, to: SimTransport): number {
    return (this.#epochs[from.place] as number) + (this.#epochs[to.place] as number);
  }

  #placeOf(node: string): number {
    const place = this.#places.get(node);
    if (place === undefined) throw new Error(`the network has no node ${JSON.stringify(node)}`);
    return place;
  }

  #link(from: string, to: string): SimLink {
    if (from === to) throw new Error(`no such link: ${from} to itself`);
    return this.#linkAt(this.#placeOf(from), this.#placeOf(to));
  }

  #linkAt(from: number, to: number): SimLink {
    return (this.#links[from] as readonly SimLink[])[to] as SimLink;
  }
}

/** A frame on its way. */
interface CarriedFrame {
  readonly link: SimLink;
  readonly from: SimTransport;
  readonly to: SimTransport;
  readonly frame: Buffer;
  readonly lane: Lane;
  readonly epoch: number;
  /** Of all copies of the frame. */
  arrivals: number;
  readonly arrive: () => void;
  /** Of the link, when the frame was sent. */
  readonly connection: number;
}
