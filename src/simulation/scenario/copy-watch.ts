import { ByteReader } from "../../core/model/bytes.ts";
import { newFrameHeader, readFrameHeader } from "../../core/model/frames.ts";
import { readHello } from "../../core/store/peers/hello.ts";
import type { NodeLife } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import type { Violation } from "./strategy-scenario.ts";

/**
 * How much further than the copy a node's log has to have been heard of. A copy writes a few records
 * of its own before it says how far it has come.
 */
const MARGIN = 32;

/** A copy, by the store that it is of. */
interface PlacedCopy {
  readonly storeId: string;
  readonly logPosition: number;
}

/** What a running process has been told of another node. */
interface Heard {
  readonly by: NodeLife;
  readonly storeId: string;
  logPosition: number;
}

/** The session of a running process. */
interface Spoken {
  readonly by: NodeLife | undefined;
  readonly tag: number;
}

/**
 * Sees whether a node that goes on from an old copy of its data counts anywhere: nobody is sent a
 * message, or answered with one, but by a node that it has accepted.
 *
 * Peers that were told of a later state refuse the copy. Those that were not, being cut off or down
 * all that time, accept it, and go on with it until they meet somebody who knows.
 *
 * Nor was a peer told by a hello that does not name its session: whoever said that had not heard it,
 * and it may be a copy's, for which no healthy store is to be disowned (decision 0016).
 */
export class CopyWatch {
  readonly #world: SimWorld;
  /** Stores that an old copy was put in the place of, by node. */
  readonly #copies = new Map<string, PlacedCopy>();
  /** The same, for good. */
  readonly #everPlaced = new Set<string>();
  /** By who has heard it and of whom. */
  readonly #heard = new Map<string, Heard>();
  /** By who has said hello. */
  readonly #spoken = new Map<string, Spoken>();
  readonly #reader = new ByteReader();
  readonly #header = newFrameHeader();
  /** A copy has counted with what it lacks, for a peer that could not know. */
  hasCounted = false;
  /** Messages that a copy has sent to somebody who knew, in words. */
  readonly violations: Violation[] = [];

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /** Listens to what nodes say of themselves, as `everybodyKnows` needs it. */
  listen(): void {
    this.#world.network.onSend = (from, to, frame) => this.#onSend(from, to, frame);
    this.#world.network.onArrival = (from, to, frame) => this.#onArrival(from, to, frame);
  }

  /** Whether every other node runs, and has heard of a log that has come further than the copy's. */
  everybodyKnows(node: string, storeId: string | undefined, logPosition: number): boolean {
    if (storeId === undefined) return false;
    const copy = { storeId, logPosition };
    return this.#world.nodes.every(({ id }) => id === node || this.#knows(id, node, copy));
  }

  /** Called while the node is down. */
  placed(node: string, storeId: string | undefined, logPosition: number): void {
    if (storeId === undefined) return;
    this.#copies.set(node, { storeId, logPosition });
    this.#everPlaced.add(`${node} ${storeId}`);
  }

  /** Whether an old copy was put in the place of this store of the node at any time. */
  wasPlaced(node: string, storeId: string | undefined): boolean {
    return this.#everPlaced.has(`${node} ${storeId}`);
  }

  #knows(id: string, node: string, { storeId, logPosition }: PlacedCopy): boolean {
    const { life } = this.#world.node(id);
    const heard = this.#heard.get(`${id}<${node}`);
    if (heard === undefined || heard.by !== life || heard.storeId !== storeId) return false;
    return heard.logPosition >= logPosition + MARGIN;
  }

  #onSend(from: string, to: string, frame: Uint8Array): void {
    const kind = this.#kindOf(frame);
    if (kind === "hello") {
      this.#spoken.set(from, { by: this.#world.node(from).life, tag: this.#header.senderTag });
    }
    const copy = this.#copies.get(from);
    if (copy === undefined || this.hasCounted) return;
    // Set aside, or wiped: it has another name.
    if (this.#world.node(from).disk.storeId !== copy.storeId) {
      this.#copies.delete(from);
      return;
    }
    if (kind !== "messages") return;
    if (!this.#knows(to, from, copy)) this.hasCounted = true;
    else if (this.violations.length === 0) {
      const message = `${from} went on from an old copy, and counted with ${to}, which knew that`;
      this.violations.push({ check: "old-copy", message });
    }
  }

  #onArrival(from: string, to: string, frame: Uint8Array): void {
    const { life } = this.#world.node(to);
    if (life === undefined || this.#kindOf(frame) !== "hello") return;
    const spoken = this.#spoken.get(to);
    if (spoken?.by !== life || spoken.tag !== this.#header.receiverTag) return;
    const { storeId, logPosition } = readHello(this.#reader);
    const key = `${to}<${from}`;
    const heard = this.#heard.get(key);
    if (heard?.by === life && heard.storeId === storeId) {
      heard.logPosition = Math.max(heard.logPosition, logPosition);
    } else {
      this.#heard.set(key, { by: life, storeId, logPosition });
    }
  }

  /** Leaves the reader behind the header. */
  #kindOf(frame: Uint8Array): "hello" | "messages" {
    this.#reader.reset(frame);
    readFrameHeader(this.#reader, this.#header);
    return this.#header.kind;
  }
}
