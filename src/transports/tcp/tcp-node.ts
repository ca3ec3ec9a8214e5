import type { Environment, RandomSource } from "../../core/contracts/environment.ts";
import type { Observer } from "../../core/contracts/observer.ts";
import type { TransportHandlers } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { TlsIdentity } from "../../tls/tls-identity.ts";
import type { FlushScheduler } from "./flush-scheduler.ts";
import type { LaneLimits } from "./lane-connection.ts";
import type { TcpSettings } from "./tcp-options.ts";

/** What every part of one node's transport shares. */
export interface TcpNode {
  readonly self: NodeId;
  readonly cluster: string;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly random: RandomSource;
  readonly settings: TcpSettings;
  readonly limits: LaneLimits;
  /** This start's own; see `Introduction.nonce`. */
  readonly nonce: string;
  readonly scheduler: FlushScheduler;
  /** A session of which nothing comes for so long is dead; undefined: it may be quiet. */
  readonly silenceMs: number | undefined;
  /** Where connections are encrypted; undefined before `start`. */
  readonly tls: TlsIdentity | undefined;
  /** Undefined before `start` and after `close`: nobody is told anything then. */
  readonly handlers: TransportHandlers | undefined;
}
