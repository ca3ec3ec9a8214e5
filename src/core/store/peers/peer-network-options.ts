import type { Environment } from "../../contracts/environment.ts";
import type { Sender } from "../../contracts/machine.ts";
import type { Observer } from "../../contracts/observer.ts";
import type { Transport } from "../../contracts/transport.ts";
import type { ResolvedConfiguration } from "../../model/configuration-types.ts";
import type { ClusterId } from "../../model/ids.ts";
import type { FrameFilter, PeerNetworkEvents } from "../seams.ts";

/** What `createPeerNetwork` needs. */
export interface PeerNetworkOptions {
  readonly self: Sender;
  readonly configuration: ResolvedConfiguration;
  /** Made, not started: the peer network starts, feeds and closes it. */
  readonly transport: Transport;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly events: PeerNetworkEvents;
  readonly filter?: FrameFilter | undefined;
  /** The cluster that the storage belongs to; undefined if it is fresh. */
  readonly storedClusterId: ClusterId | undefined;
  /** How far this node's log is durable, for the hello. */
  readonly logPosition: () => number;
  /** Called once, before `onBorn`, with an id that was minted or adopted. Durable at return. */
  readonly saveClusterId: (id: ClusterId) => void;
}
