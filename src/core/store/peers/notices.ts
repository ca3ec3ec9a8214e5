import type { NodeId } from "../../model/ids.ts";
import type { PeerNetworkEvents } from "../seams.ts";

/** Beyond this many different ones, somebody is making them up. */
const MAX_REMEMBERED = 1_000;

/** Says a thing that holds on once, however often it is noticed. */
export class Notices {
  readonly #events: PeerNetworkEvents;
  readonly #said = new Set<string>();

  constructor(events: PeerNetworkEvents) {
    this.#events = events;
  }

  /** `key`: what makes this notice another one than those of its type and peer before. */
  sayOnce(
    type: string,
    peer: NodeId,
    key: string | number,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const name = `${type} ${peer} ${key}`;
    if (this.#said.has(name) || this.#said.size >= MAX_REMEMBERED) return;
    this.#said.add(name);
    this.#events.onNotice({ type, peer, ...fields });
  }

  say(type: string, fields: Readonly<Record<string, unknown>>): void {
    this.#events.onNotice({ type, ...fields });
  }
}
