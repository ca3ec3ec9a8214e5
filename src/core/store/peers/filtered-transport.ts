import type { Environment } from "../../contracts/environment.ts";
import type { Lane, SendResult, Transport } from "../../contracts/transport.ts";
import type { NodeId } from "../../model/ids.ts";
import type { FrameFilter } from "../seams.ts";

type Deliver = (from: NodeId, frame: Uint8Array, lane: Lane) => void;

/**
 * The transport with the frame filter before it, both ways. Hellos pass through it like all else,
 * so that a cut is a cut.
 */
export class FilteredTransport {
  readonly #transport: Transport;
  readonly #filter: FrameFilter | undefined;
  readonly #environment: Environment;
  readonly #deliver: Deliver;
  #closed = false;

  constructor(
    transport: Transport,
    filter: FrameFilter | undefined,
    environment: Environment,
    deliver: Deliver,
  ) {
    this.#transport = transport;
    this.#filter = filter;
    this.#environment = environment;
    this.#deliver = deliver;
  }

  /** Borrows the frame until it returns, like the transport. */
  send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    const delays = this.#filter?.outgoing?.(peer, lane, frame.length);
    if (delays === undefined) return this.#transport.send(peer, frame, lane);
    let result: SendResult = "accepted";
    for (const delayMs of delays) {
      if (delayMs > 0) this.#later(delayMs, peer, frame, lane, true);
      else if (result === "accepted") result = this.#transport.send(peer, frame, lane);
    }
    return result;
  }

  /** What the transport calls with each frame that arrives. */
  receive(from: NodeId, frame: Uint8Array, lane: Lane): void {
    const delays = this.#filter?.incoming?.(from, lane, frame.length);
    if (delays === undefined) {
      this.#deliver(from, frame, lane);
      return;
    }
    for (const delayMs of delays) {
      if (delayMs > 0) this.#later(delayMs, from, frame, lane, false);
      else this.#deliver(from, frame, lane);
    }
  }

  /** Delayed frames are lost from here on. */
  close(): void {
    this.#closed = true;
  }

  #later(delayMs: number, peer: NodeId, frame: Uint8Array, lane: Lane, outgoing: boolean): void {
    const copy = Buffer.from(frame);
    this.#environment.setTimer(delayMs, () => {
      if (this.#closed) return;
      // A delayed frame that finds the lane full is lost: nobody waits for its answer any more.
      if (outgoing) this.#transport.send(peer, copy, lane);
      else this.#deliver(peer, copy, lane);
    });
  }
}
