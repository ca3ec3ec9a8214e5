import { ByteReader } from "../../core/model/bytes.ts";
import { newFrameHeader, readFrameHeader } from "../../core/model/frames.ts";
import type { SimWorld } from "../sim-world.ts";

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
  readonly #reader = new ByteReader();
  readonly #header = newFrameHeader();
  /** A copy has counted with what it lacks. */
  hasCounted = false;

  constructor(world: SimWorld) {
    this.#world = world;
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
    this.#reader.reset(frame);
    readFrameHeader(this.#reader, this.#header);
    this.hasCounted = this.#header.kind === "messages";
  }
}
