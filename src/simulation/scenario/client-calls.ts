import { isCapstanError } from "../../core/model/errors.ts";
import type { EmbeddedKeyspace } from "../../core/store/api.ts";
import { NodeDownError, type SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import { TRACE } from "../trace.ts";

/** How an operation ended: `down` if the process was gone before it answered. */
export type Ending = "ok" | "fault" | "down";

/** What a client was told instead of a result. */
export interface ClientFault {
  /** `down` if the process was gone. */
  readonly code: string;
  readonly outcome: string;
  readonly operationId: string | undefined;
}

/** Calls of all clients of a world, whatever keyspace they are for: asks, and keeps count. */
export class ClientCalls {
  /** What became of the operations, by code. */
  readonly tally: Record<string, number> = {};
  readonly #world: SimWorld;
  #begun = 0;
  #pending = 0;
  #answers = 0;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /** Operations that were begun; one more with each, so that it names them. */
  get begun(): number {
    return this.#begun;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Requests that clients have heard of: results and refusals, and nodes that were gone. */
  get answers(): number {
    return this.#answers;
  }

  /** Counts one operation while it runs. */
  async count(operation: () => Promise<Ending>): Promise<Ending> {
    this.#begun += 1;
    this.#pending += 1;
    this.#world.trace.note(TRACE.call, this.#world.time.nowMs, this.#begun);
    try {
      return await operation();
    } finally {
      this.#pending -= 1;
    }
  }

  /** @throws NodeDownError */
  keyspaceOf(node: SimNode, name: string): EmbeddedKeyspace {
    const store = node.life?.store;
    if (store === undefined) throw new NodeDownError(`node ${node.id} is down`);
    return store.keyspace(name);
  }

  /** What is asked of a process is never answered once it is gone: rejects with `NodeDownError`. */
  alive<T>(node: SimNode, asked: Promise<T>): Promise<T> {
    const { life } = node;
    if (life === undefined) return Promise.reject(new NodeDownError(`node ${node.id} is down`));
    return life.ask(asked);
  }

  noteOk(client: string, key: string, found: string): void {
    this.#note(client, key, found, "ok");
  }

  /** Counts the fault. What no caller of a store has to expect is thrown on. */
  noteFault(client: string, key: string, error: unknown): ClientFault {
    if (error instanceof NodeDownError) {
      this.#note(client, key, "?", "down");
      return { code: "down", outcome: "unknown", operationId: undefined };
    }
    if (!isCapstanError(error)) throw error;
    const { code, outcome, operationId } = error;
    this.#note(client, key, "!", `${code}/${outcome}`);
    return { code, outcome, operationId };
  }

  #note(client: string, key: string, what: string, code: string): void {
    this.#answers += 1;
    this.tally[code] = (this.tally[code] ?? 0) + 1;
    const text = `${client} ${key} ${what} ${code}`;
    this.#world.trace.noteText(TRACE.answer, this.#world.time.nowMs, text);
  }
}
