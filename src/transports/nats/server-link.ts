import { isIP } from "node:net";
import type { RandomSource, TimerHandle } from "../../core/contracts/environment.ts";
import type { CapstanError } from "../../core/model/errors.ts";
import { LaneConnections, type LaneListener } from "./lane-connections.ts";
import type { NatsNode } from "./nats-node.ts";
import {
  describeServers,
  isRefusal,
  reasonOf,
  refusalFault,
  unreachableFault,
} from "./server-fault.ts";

/** Of the first wait: how long the longest may be. */
const LONGEST_WAIT_FACTOR = 20;
/** In a row, after a start that went well: then nobody is about to mend it. */
const REFUSALS_BEFORE_FAILING = 10;

export interface ServerListener extends LaneListener {
  onUp(connections: LaneConnections): void;
  onDown(): void;
  /** The servers refuse this node for good. */
  onFailed(error: CapstanError): void;
}

/**
 * Keeps this node connected with a server of the NATS cluster: whatever ends a connection, another
 * attempt follows, each on all known servers, those of the configuration first, in an order that is
 * drawn; with waits that double to twenty times the first, each from the upper half of its step.
 */
export class ServerLink {
  readonly #node: NatsNode;
  readonly #listener: ServerListener;
  readonly #random: RandomSource;
  #announced: readonly string[] = [];
  #connections: LaneConnections | undefined;
  #isClosed = false;
  #wasUp = false;
  #refusals = 0;
  #stepMs: number;
  #lastError: unknown;
  #timer: TimerHandle | undefined;
  #wake: (() => void) | undefined;
  #onClosed: (() => void) | undefined;

  constructor(node: NatsNode, random: RandomSource, listener: ServerListener) {
    this.#node = node;
    this.#random = random;
    this.#listener = listener;
    this.#stepMs = node.settings.reconnectWaitMs;
  }

  get connections(): LaneConnections | undefined {
    return this.#connections;
  }

  /** Settles once connected for the first time; rejects when refused, or after `startTimeout`. */
  start(): Promise<void> {
    const { environment, settings } = this.#node;
    return new Promise((resolve, reject) => {
      const settle = (error: unknown): void => {
        environment.clearTimer(deadline);
        this.#onClosed = undefined;
        if (error === undefined) {
          resolve();
          return;
        }
        this.close();
        reject(error);
      };
      const deadline = environment.setTimer(settings.startTimeoutMs, () =>
        settle(unreachableFault(this.#lastError, settings)),
      );
      this.#onClosed = () => settle(new Error("the transport is closed"));
      this.#connectFirst().then(() => settle(undefined), settle);
    });
  }

  /** Leaves the server, as if it had gone. */
  leave(why: string): void {
    this.#node.faults.note("warn", "connection-lost", "left a NATS server", why);
    this.#connections?.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#connections?.close();
    this.#connections = undefined;
    this.#wake?.();
    this.#onClosed?.();
  }

  async #connectFirst(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        this.#lastError = error;
        if (isRefusal(error)) throw refusalFault(error, this.#node.settings);
        if (!this.#isClosed) this.#noteUnreachable(error);
      }
      await this.#pause();
    }
  }

  async #connect(): Promise<void> {
    const { settings, observer } = this.#node;
    const known = [...new Set([...this.#drawn(settings.servers), ...this.#drawn(this.#announced)])];
    const connections = await LaneConnections.open(this.#node, known, this.#listener);
    if (this.#isClosed) {
      connections.close();
      return;
    }
    this.#connections = connections;
    this.#announced = usable(connections);
    this.#stepMs = settings.reconnectWaitMs;
    this.#refusals = 0;
    const { servers, isEncrypted, maxPayloadBytes } = connections;
    observer.log("info", "connected with NATS", {
      servers: [...new Set(servers)],
      encrypted: isEncrypted,
      maxPayloadBytes,
      again: this.#wasUp,
    });
    if (!isEncrypted && !this.#wasUp && !servers.every(isLoopback)) {
      observer.log("warn", "frames travel to NATS without TLS, for others to read", { servers });
    }
    this.#wasUp = true;
    this.#listener.onUp(connections);
    void this.#watch(connections);
  }

  async #watch(connections: LaneConnections): Promise<void> {
    const error = await connections.lost;
    if (this.#isClosed) return;
    connections.close();
    this.#connections = undefined;
    const reason = error === undefined ? "the connection ended" : reasonOf(error);
    this.#node.faults.note("warn", "connection-lost", "lost the connection with NATS", reason);
    this.#listener.onDown();
    await this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { settings, faults } = this.#node;
    while (!this.#isClosed) {
      await this.#pause();
      if (this.#isClosed) return;
      try {
        await this.#connect();
        return;
      } catch (error) {
        if (this.#isClosed) return;
        if (!isRefusal(error)) {
          this.#refusals = 0;
          this.#noteUnreachable(error);
          continue;
        }
        this.#refusals += 1;
        const fault = refusalFault(error, settings);
        faults.note("error", "refused", "NATS refuses this node", fault.message);
        if (this.#refusals < REFUSALS_BEFORE_FAILING) continue;
        this.close();
        this.#listener.onFailed(fault);
      }
    }
  }

  /** In any order, so that nodes spread over the servers. */
  #drawn(servers: readonly string[]): readonly string[] {
    return servers
      .map((server) => ({ server, draw: this.#random.fraction() }))
      .sort((a, b) => a.draw - b.draw)
      .map(({ server }) => server);
  }

  #noteUnreachable(error: unknown): void {
    const { faults, settings } = this.#node;
    const where = describeServers(settings);
    faults.note(
      "warn",
      "unreachable",
      "no NATS server can be used",
      `${where}: ${reasonOf(error)}`,
    );
  }

  #pause(): Promise<void> {
    const { environment, settings } = this.#node;
    const delayMs = this.#stepMs * (0.5 + this.#random.fraction() / 2);
    this.#stepMs = Math.min(this.#stepMs * 2, settings.reconnectWaitMs * LONGEST_WAIT_FACTOR);
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        if (this.#timer !== undefined) environment.clearTimer(this.#timer);
        this.#timer = undefined;
        resolve();
      };
      this.#timer = environment.setTimer(delayMs, () => this.#wake?.());
    });
  }
}

/** A certificate names a host; what is announced as a number could not be checked against it. */
function usable({ announced, isEncrypted }: LaneConnections): readonly string[] {
  return isEncrypted ? announced.filter((server) => isIP(hostOf(server)) === 0) : announced;
}

function isLoopback(server: string): boolean {
  const host = hostOf(server);
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function hostOf(server: string): string {
  return server.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}
