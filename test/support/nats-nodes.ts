import type { Lane, Transport } from "../../src/core/contracts/transport.ts";
import type { NodeId } from "../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import { natsTransport } from "../../src/transports/nats/nats-transport.ts";
import { RecordingObserver } from "../unit/transports/recording-observer.ts";
import { eventually } from "./processes.ts";

export const CLUSTER = "nats-tests";

/** A transport over NATS with all that it was told; made, not started. */
export class NatsNode {
  readonly id: NodeId;
  readonly transport: Transport;
  readonly observer = new RecordingObserver();
  readonly frames: { readonly from: string; readonly lane: Lane; readonly length: number }[] = [];
  readonly events: string[] = [];
  readonly failures: Error[] = [];

  constructor(id: string, options: Record<string, unknown>, peers: readonly string[] = []) {
    this.id = id as NodeId;
    this.transport = natsTransport(options, {
      self: this.id,
      cluster: CLUSTER,
      address: undefined,
      environment: new SystemEnvironment(),
      observer: this.observer,
    });
    this.transport.setPeers(peers.map((node) => ({ node: node as NodeId, address: undefined })));
  }

  static async started(
    id: string,
    options: Record<string, unknown>,
    peers: readonly string[] = [],
  ): Promise<NatsNode> {
    const node = new NatsNode(id, options, peers);
    await node.start();
    return node;
  }

  start(): Promise<void> {
    return this.transport.start({
      onFrame: (from, { length }, lane) => this.frames.push({ from, lane, length }),
      onPeer: (peer, state) => this.events.push(`${peer} ${state}`),
      onWritable: () => undefined,
      onFailed: (error) => this.failures.push(error),
    });
  }

  send(peer: string, length = 10, lane: Lane = "log"): string {
    return this.transport.send(peer as NodeId, new Uint8Array(length).fill(7), lane);
  }

  connected(peer: string, times = 1): Promise<void> {
    const count = (): number => this.events.filter((each) => each === `${peer} connected`).length;
    return eventually(`${this.id} and ${peer} connected`, () => count() >= times);
  }

  /** Sends until something of the new connection has arrived at the other. */
  async reaches(other: NatsNode): Promise<void> {
    const before = other.frames.length;
    await eventually(`a frame from ${this.id} to ${other.id}`, () => {
      this.send(other.id);
      return other.frames.slice(before).some(({ from }) => from === this.id);
    });
  }

  logged(message: string): string[] {
    return this.observer.lines
      .filter((line) => line.message === message)
      .map(({ fields }) => String(fields.reason));
  }

  close(): Promise<void> {
    return this.transport.close({ timeoutMs: 0 });
  }
}
