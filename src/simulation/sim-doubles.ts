import type { NodeId } from "../core/model/ids.ts";
import type { SimTransport } from "./sim-transport.ts";
import type { VirtualTime } from "./virtual-time.ts";

const CLAIM_EVERY_MS = 200;

/** What second processes ask of the network. */
export interface DoubledNetwork {
  /** The process of the node, or the first one of two. */
  transportOf(node: string): SimTransport | undefined;
  /** Something between the two nodes is cut. */
  areApart(a: string, b: string): boolean;
  /** Connects the two, in the place of whatever each had with the other's node. */
  link(one: SimTransport, other: SimTransport): void;
}

/**
 * Second processes under the ids of nodes that run. As over real transports, a peer goes on with the
 * one that it is connected with as long as that is heard; the other is told what the peer answers.
 * Where there is no second process, nothing happens here.
 */
export class SimDoubles {
  readonly #time: VirtualTime;
  readonly #network: DoubledNetwork;
  readonly #seconds: SimTransport[] = [];
  readonly #denied = new Map<SimTransport, Set<NodeId>>();
  readonly #names = new Map<SimTransport, string>();
  #isDue = false;

  constructor(time: VirtualTime, network: DoubledNetwork) {
    this.#time = time;
    this.#network = network;
  }

  add(second: SimTransport): void {
    this.#seconds.push(second);
    this.#arm();
  }

  has(transport: SimTransport): boolean {
    return this.#seconds.includes(transport);
  }

  /** False if it is no second process. */
  remove(transport: SimTransport): boolean {
    const at = this.#seconds.indexOf(transport);
    if (at >= 0) this.#seconds.splice(at, 1);
    return at >= 0;
  }

  find(matches: (second: SimTransport) => boolean): SimTransport | undefined {
    return this.#seconds.find(matches);
  }

  /** The second process of the node, which is the only one from now on. */
  promote(node: string): SimTransport | undefined {
    const next = this.#seconds.find(({ self }) => self === node);
    if (next !== undefined) this.remove(next);
    return next;
  }

  /** `other` is connected with a second process in the place of `one`. */
  holdsBack(one: SimTransport, other: SimTransport): boolean {
    const holder = other.connectedWith(one.self);
    return holder !== undefined && holder !== one && this.has(holder) && holder.isUp;
  }

  #arm(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#time.setTimer(CLAIM_EVERY_MS, () => {
      this.#isDue = false;
      for (const node of new Set(this.#seconds.map(({ self }) => self))) this.#claimAll(node);
      if (this.#seconds.length > 0) this.#arm();
    });
  }

  #claimAll(node: NodeId): void {
    const first = this.#network.transportOf(node);
    const seconds = this.#seconds.filter(({ self }) => self === node);
    for (const process of first === undefined ? seconds : [first, ...seconds]) {
      if (!process.isUp || process.environment.isPaused) continue;
      for (const peer of process.peers()) this.#claim(process, peer);
    }
  }

  #claim(process: SimTransport, peer: NodeId): void {
    const other = this.#network.transportOf(peer);
    const holder = other?.connectedWith(process.self);
    const isConnected = holder === process && process.connectedWith(peer) === other;
    const denied = this.#denied.get(process) ?? new Set();
    this.#denied.set(process, denied);
    if (other?.isUp !== true || isConnected || this.#network.areApart(process.self, peer)) {
      if (denied.delete(peer) && !isConnected) process.denied(peer, undefined);
      return;
    }
    const isHeard = holder?.isUp === true && !holder.environment.isPaused;
    if (holder === process || !isHeard) {
      denied.delete(peer);
      this.#network.link(process, other);
      return;
    }
    denied.add(peer);
    other.answerClaim(process.self, this.#nameOf(process), (denial) => {
      process.denied(peer, denial);
    });
  }

  #nameOf(process: SimTransport): string {
    const name = this.#names.get(process) ?? `process ${this.#names.size + 1}`;
    this.#names.set(process, name);
    return name;
  }
}
