import type { Environment } from "../../contracts/environment.ts";
import type { OpenedState, Sender } from "../../contracts/machine.ts";
import type { Observer } from "../../contracts/observer.ts";
import type { Transport } from "../../contracts/transport.ts";
import type { ResolvedConfiguration } from "../../model/configuration-types.ts";
import type { ClusterId, NodeId } from "../../model/ids.ts";
import type { PlantedHostBugs } from "../planted-bugs.ts";
import type { FrameFilter, OwnKeyspaces, PeerNetworkEvents } from "../seams.ts";

/** What `createPeerNetwork` needs. */
export interface PeerNetworkOptions {
  readonly self: Sender;
  readonly configuration: ResolvedConfiguration;
  /** Made, not started: the peer network starts, feeds and closes it. */
  readonly transport: Transport;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly events: PeerNetworkEvents;
  /** Only in tests. */
  readonly planted?: PlantedHostBugs | undefined;
  readonly filter?: FrameFilter | undefined;
  /** The cluster that the storage belongs to; undefined if it is fresh. */
  readonly storedClusterId: ClusterId | undefined;
  /** How far this node's log would survive a power cut, for the hello. */
  readonly logPosition: () => number;
  /** The same when this start opened it, before it wrote anything. */
  readonly openedPosition: number;
  /**
   * Called once, before `onBorn`, with an id that was minted or adopted. `done` is called when it is
   * durable, perhaps at once; the id is told to nobody before. `origin` is what shards will open with.
   */
  readonly saveClusterId: (id: ClusterId, origin: OpenedState["origin"], done: () => void) => void;
  /**
   * Whether this store has never held anything: only then is a founder `newborn`. A store that lost
   * what it held is `empty`, though the cluster was born with it in it.
   */
  readonly isUnused: boolean;
  /** Whether this store is on a disk, and so its peers': writes wait for syncs. Default false. */
  readonly isPersistent?: boolean | undefined;
  /** What is to be said of this node's keyspaces; without, they are nothing new here. */
  readonly keyspaces?: OwnKeyspaces | undefined;
  /** Whether a replica here is being rebuilt, and tells this peer so. Default: none is. */
  readonly isRebuildingFor?: ((peer: NodeId) => boolean) | undefined;
  /** What this node knows of the stores that it has met, per node, over its restarts. */
  readonly met: {
    load(node: NodeId): Uint8Array | undefined;
    save(node: NodeId, bytes: Uint8Array): void;
  };
}
