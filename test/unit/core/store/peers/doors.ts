import type { Lane } from "../../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { Bus, type BusTransport } from "./bus.ts";
import { World } from "./world.ts";

const RETRY_MS = 50;
/** Nothing heard for so long, a connection may be dead. */
const SILENCE_MS = 250;
/** Until a peer that is not told of a loss finds out by itself. */
const HALF_OPEN_MS = 2_000;

interface Connection {
  readonly member: BusTransport;
  heardAtMs: number;
}

/**
 * A network like TCP: each process lets in one process of each other node, and goes on with it as
 * long as frames come. Whoever is not let in tries again, and is told why.
 */
export class DoorBus extends Bus {
  readonly #members: BusTransport[] = [];
  readonly #connections = new Map<BusTransport, Map<NodeId, Connection>>();
  /** Whose connection each process has lost last. */
  readonly #lost = new Map<BusTransport, Map<NodeId, { member: BusTransport; atMs: number }>>();
  readonly #denied = new Map<BusTransport, Set<NodeId>>();
  /** Whether the two processes can reach each other at all. */
  mayMeet: (one: BusTransport, other: BusTransport) => boolean = () => true;

  override attach(member: BusTransport): void {
    this.#members.push(member);
    this.#connections.set(member, new Map());
    this.#denied.set(member, new Set());
    this.#lost.set(member, new Map());
    this.#try(member);
  }

  /** As when the process is killed, and its kernel says so. */
  override detach(member: BusTransport): void {
    this.#leave(member);
    for (const [other, connections] of this.#connections) {
      if (connections.get(member.node)?.member === member) this.end(other, member);
    }
  }

  /** As when its machine is cut off, or loses power: nobody is told. */
  vanish(member: BusTransport): void {
    this.#leave(member);
    for (const [other, connections] of this.#connections) {
      if (connections.get(member.node)?.member !== member) continue;
      this.time.setTimer(HALF_OPEN_MS, () => {
        if (connections.get(member.node)?.member === member) this.end(other, member);
      });
    }
  }

  /** The connection of the two breaks; both hear of it. */
  end(one: BusTransport, other: BusTransport): void {
    for (const [here, there] of [
      [one, other],
      [other, one],
    ] as const) {
      if (this.#connections.get(here)?.get(there.node)?.member !== there) continue;
      this.#connections.get(here)?.delete(there.node);
      this.#lost.get(here)?.set(there.node, { member: there, atMs: this.time.nowMs });
      here.handlers?.onPeer(there.node, "disconnected");
    }
  }

  override reaches(from: BusTransport, to: NodeId): boolean {
    return this.#connections.get(from)?.has(to) === true;
  }

  override deliver(from: BusTransport, to: NodeId, frame: Uint8Array, lane: Lane): void {
    const member = this.#connections.get(from)?.get(to)?.member;
    const copy = Uint8Array.from(frame);
    this.time.soon(() => {
      const back = member && this.#connections.get(member)?.get(from.node);
      if (member === undefined || back?.member !== from) return;
      back.heardAtMs = this.time.nowMs;
      member.handlers?.onFrame(from.node, copy, lane);
    });
  }

  #leave(member: BusTransport): void {
    this.#members.splice(this.#members.indexOf(member), 1);
    this.#connections.delete(member);
    member.handlers = undefined;
  }

  #try(member: BusTransport): void {
    this.time.setTimer(RETRY_MS, () => {
      if (!this.#members.includes(member)) return;
      const nodes = new Set(this.#members.map(({ node }) => node));
      for (const node of nodes) if (node !== member.node) this.#call(member, node);
      this.#try(member);
    });
  }

  #call(member: BusTransport, node: NodeId): void {
    const connections = this.#connections.get(member) as Map<NodeId, Connection>;
    const denied = this.#denied.get(member) as Set<NodeId>;
    if (connections.has(node)) return;
    const other = this.#members.find((each) => each.node === node && this.mayMeet(member, each));
    const holder = other && this.#connections.get(other)?.get(member.node);
    if (holder !== undefined && this.time.nowMs - holder.heardAtMs < SILENCE_MS) {
      denied.add(node);
      const name = `process ${member.number}`;
      const denial = other?.handlers?.onClaim?.(member.node, name) ?? "identity-taken";
      member.handlers?.onDenied?.(node, denial);
      return;
    }
    const lost = other && this.#lost.get(other)?.get(member.node);
    const isToWait = lost !== undefined && lost.member !== member && denied.has(node);
    if (isToWait && this.time.nowMs - lost.atMs < SILENCE_MS) {
      member.handlers?.onDenied?.(node, "identity-taken");
      return;
    }
    if (denied.delete(node)) member.handlers?.onDenied?.(node, undefined);
    if (other === undefined) return;
    if (holder !== undefined) this.#connections.get(holder.member)?.delete(node);
    const heardAtMs = this.time.nowMs;
    connections.set(node, { member: other, heardAtMs });
    this.#connections.get(other)?.set(member.node, { member, heardAtMs });
    member.handlers?.onPeer(node, "connected");
    other.handlers?.onPeer(member.node, "connected");
    holder?.member.handlers?.onPeer(node, "disconnected");
  }
}

/** A cluster of peer networks over such a network. */
export class DoorWorld extends World {
  override makeBus(): DoorBus {
    return new DoorBus(this.time);
  }

  get doors(): DoorBus {
    return this.bus as DoorBus;
  }
}
