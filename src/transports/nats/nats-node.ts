import type { Environment } from "../../core/contracts/environment.ts";
import type { Observer } from "../../core/contracts/observer.ts";
import type { Lane, TransportHandlers } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { FaultLog } from "./fault-log.ts";
import type { NatsSettings } from "./nats-options.ts";
import type { StreamLimits } from "./outgoing-stream.ts";
import type { LinkId } from "./wire.ts";

/** What every part of one node's transport shares. */
export interface NatsNode {
  readonly self: NodeId;
  readonly cluster: string;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly settings: NatsSettings;
  readonly faults: FaultLog;
  readonly maxFrameBytes: number;
  /** Undefined before `start` and after `close`: nobody is told anything then. */
  readonly handlers: TransportHandlers | undefined;
  /** Those of the servers that this node is connected with; undefined without a connection. */
  readonly limits: StreamLimits | undefined;
  /** Greater than all before. */
  nextLinkId(): LinkId;
  /** Gives the message to the client, which has it to itself from then on. */
  publish(lane: Lane, subject: string, message: Uint8Array): void;
}
