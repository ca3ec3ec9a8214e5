import { ByteReader } from "../../core/model/bytes.ts";
import { newFrameHeader, readFrameHeader } from "../../core/model/frames.ts";
import { readHello } from "../../core/store/peers/hello.ts";
import type { NodeLife } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";

/**
 * How much further than the copy a node's log has to have been heard of. A copy writes a few records
 * of its own before it says how far it has come.
 */
const MARGIN = 32;

/** What a running process has been told of another node. */
interface Heard {
  readonly by: NodeLife;
  readonly storeId: string;
  logPosition: number;
}

/**
 * Sees whether a node that goes on from an old copy of its data counts anywhere: nobody is sent a
 * message, or answered with one, but by a node that it has accepted.
 *
 * Peers that were told of a later state refuse the copy. Those that were not, being cut off or down
 * all that time, accept it, and go on with it until they meet somebody who knows.
 */
export class CopyWatch {
  readonly #world: SimWorld;
  /** Stores that an old copy was put in the place of, by node. */
  readonly #copies = new Map<string, string>();
  /** By who has heard it and of whom. */
  readonly #heard = new Map<string, Heard>();
  readonly #reader = new ByteReader();
  readonly #header = newFrameHeader();
  /** A copy has counted with what it lacks. */
  hasCounted = false;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /** Listens to what nodes say of themselves, as `everybodyKnows` needs it. */
  listen(): void {
    this.#world.network.onArrival = (from, to, frame) => this.#onArrival(from, to, frame);
  }

  /** Whether every other node runs, and has heard of a log that has come further than the copy's. */
  everybodyKnows(node: string, storeId: string | undefined, logPosition: number): boolean {
    return this.#world.nodes.every(({ id, life }) => {
      if (id === node) return true;
      const heard = this.#heard.get(`${id}<${node}`);
      if (heard === undefined || heard.by !== life || heard.storeId !== storeId) return false;
      return heard.logPosition >= logPosition + MARGIN;
    });
  }

  /** Called while the node is down. */
  placed(node: string, storeId: string | undefined): void {
    if (storeId === undefined) return;
    this.#copies.set(node, storeId);
    this.#world.network.onSend = (from, frame) => this.#onSend(from, frame);
  }

  #onSend(from: string, frame: Uint8Array): void {
    const copy = this.#copies.get(from);
    if (copy === undefined || this.hasCounted) return;
    // Set aside, or wiped: it has another name.
    if (this.#world.node(from).disk.storeId !== copy) {
      this.#copies.delete(from);
      return;
    }
    this.hasCounted = this.#kindOf(frame) === "messages";
  }

  #onArrival(from: string, to: string, frame: Uint8Array): void {
    const { life } = this.#world.node(to);
    if (life === undefined || this.#kindOf(frame) !== "hello") return;
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
