import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Environment } from "../../core/contracts/environment.ts";
import { LANES, type Lane } from "../../core/contracts/transport.ts";
import { connectionOptions } from "./connection-options.ts";
import type { NatsNode } from "./nats-node.ts";
import { isRefusal } from "./server-fault.ts";
import { encodeToken, frameSubject, inboxSubject } from "./subjects.ts";

/** Below this a message would be hardly more than its header. */
const LEAST_PAYLOAD_BYTES = 1_024;

export interface LaneListener {
  /** `message` is a view that is valid until this returns. */
  onMessage(lane: Lane, subject: string, message: Uint8Array): void;
  /** The server refuses something on a connection that goes on. */
  onRefusal(error: Error): void;
}

interface Connection {
  readonly lane: Lane;
  readonly client: NatsConnection;
  /** When the question was asked that the server has not answered yet. */
  askedAtMs: number | undefined;
}

/**
 * A connection per lane, so that nothing stands before `control`: neither here, nor in the server's
 * queues for the receiver. They stand and fall together.
 */
export class LaneConnections {
  /** Settles, with why, once one of them has ended by itself. */
  readonly lost: Promise<unknown>;
  readonly #connections: readonly Connection[];
  readonly #environment: Environment;
  readonly #isLive: { value: boolean };

  private constructor(
    connections: readonly Connection[],
    environment: Environment,
    isLive: { value: boolean },
  ) {
    this.#connections = connections;
    this.#environment = environment;
    this.#isLive = isLive;
    this.lost = Promise.race(connections.map(({ client }) => client.closed()));
  }

  /** All connected, subscribed, and known to be by the server; or none, and why not. */
  static async open(
    node: NatsNode,
    servers: readonly string[],
    listener: LaneListener,
  ): Promise<LaneConnections> {
    const library = await import("@nats-io/transport-node");
    const options = await connectionOptions(library, node.settings, servers);
    const results = await Promise.allSettled(
      LANES.map(async (lane): Promise<Connection> => {
        const name = `capstan ${node.cluster} ${node.self} ${lane}`;
        const client = await library.connect({ ...options, name });
        return { lane, client, askedAtMs: undefined };
      }),
    );
    const opened = results.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const isLive = { value: true };
    const connections = new LaneConnections(opened, node.environment, isLive);
    try {
      for (const each of results) if (each.status === "rejected") throw each.reason;
      await Promise.all(opened.map((each) => subscribe(each, node, listener, isLive)));
      checkPayload(connections.maxPayloadBytes);
    } catch (error) {
      connections.close();
      throw error;
    }
    return connections;
  }

  get maxPayloadBytes(): number {
    return Math.min(...this.#connections.map(({ client }) => client.info?.max_payload ?? 0));
  }

  get isEncrypted(): boolean {
    return this.#connections.every(
      ({ client: { info } }) => info?.tls_required === true || info?.tls_available === true,
    );
  }

  /** `host:port` of those that are connected with, by lane. */
  get servers(): readonly string[] {
    return this.#connections.map(({ client }) => client.getServer());
  }

  /** Further servers of the same NATS cluster, as these announce them. */
  get announced(): readonly string[] {
    return this.#connections.flatMap(({ client }) => client.info?.connect_urls ?? []);
  }

  publish(lane: Lane, subject: string, message: Uint8Array): void {
    this.#connections.find((each) => each.lane === lane)?.client.publish(subject, message);
  }

  /** Asks each server whether it is there. False if one has owed its answer for too long. */
  ask(nowMs: number, timeoutMs: number): boolean {
    for (const connection of this.#connections) {
      const { askedAtMs, client } = connection;
      if (askedAtMs !== undefined) {
        if (nowMs - askedAtMs >= timeoutMs) return false;
        continue;
      }
      connection.askedAtMs = nowMs;
      client.flush().then(
        () => {
          connection.askedAtMs = undefined;
        },
        () => undefined,
      );
    }
    return true;
  }

  /** The server's patience with this node begins anew: it was this node that did not read. */
  excuse(): void {
    const nowMs = this.#environment.monotonicMs();
    for (const each of this.#connections) if (each.askedAtMs !== undefined) each.askedAtMs = nowMs;
  }

  /** Settles once the servers have everything that was published, or a connection has ended. */
  async flush(): Promise<void> {
    await Promise.allSettled(this.#connections.map(({ client }) => client.flush()));
  }

  /** No listener is called any more. */
  close(): void {
    this.#isLive.value = false;
    for (const { client } of this.#connections) client.close().catch(() => undefined);
  }
}

/**
 * Settles once the server has taken the subscription, and has not objected to this node's
 * publishing under its own name; it answers in the order in which it was asked.
 */
async function subscribe(
  { lane, client }: Connection,
  node: NatsNode,
  listener: LaneListener,
  isLive: { readonly value: boolean },
): Promise<void> {
  const { cluster, self, environment } = node;
  let refusal: Error | undefined;
  let isSettled = false;
  const onError = (error: Error): void => {
    if (!isRefusal(error)) return;
    refusal ??= error;
    if (isSettled && isLive.value) listener.onRefusal(error);
  };
  void watchErrors(client, onError);
  client.subscribe(inboxSubject(cluster, self, lane), {
    callback: (error: Error | null, message: Msg) => {
      if (error !== null) onError(error);
      else if (isLive.value)
        guarded(environment, () => listener.onMessage(lane, message.subject, message.data));
    },
  });
  client.publish(frameSubject(cluster, self, self, lane));
  await withTimeout(environment, node.settings.connectTimeoutMs, client.flush());
  await new Promise<void>((resolve) => environment.soon(resolve));
  isSettled = true;
  if (refusal !== undefined) throw named(refusal, cluster, self);
}

/** The subjects of a message are encoded: says what they stand for. */
function named(refusal: Error, cluster: string, self: string): Error {
  const error = new Error(
    `${refusal.message}; ${encodeToken(self)} is ${self} of cluster ${cluster}, whose user needs ` +
      "what natsPermissions(cluster, node) lists",
    { cause: refusal },
  );
  error.name = refusal.name;
  return error;
}

/** Some of what a server objects to is said nowhere else. */
async function watchErrors(client: NatsConnection, onError: (error: Error) => void): Promise<void> {
  for await (const status of client.status()) if (status.type === "error") onError(status.error);
}

/** The client swallows what a callback throws, and reads no more: here it is nobody's to catch. */
function guarded(environment: Environment, handle: () => void): void {
  try {
    handle();
  } catch (error) {
    environment.defer(() => {
      throw error;
    });
  }
}

function withTimeout(
  environment: Environment,
  timeoutMs: number,
  promise: Promise<unknown>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = environment.setTimer(timeoutMs, () => {
      reject(new Error(`the server did not answer within ${timeoutMs} ms`));
    });
    promise.then(() => resolve(), reject).finally(() => environment.clearTimer(timer));
  });
}

function checkPayload(bytes: number): void {
  if (bytes >= LEAST_PAYLOAD_BYTES) return;
  throw new Error(
    `the server's max_payload is ${bytes} bytes; allowed are at least ${LEAST_PAYLOAD_BYTES}`,
  );
}
