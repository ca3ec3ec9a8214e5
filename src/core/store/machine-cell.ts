import type { TimerHandle } from "../contracts/environment.ts";
import type { Machine, MachineRole, ReplicaMachine } from "../contracts/machine.ts";
import type { Generation } from "../contracts/storage.ts";
import type { Durability } from "../model/durability.ts";
import type { LogPosition, LogSequence, ShardId } from "../model/ids.ts";
import { NO_POSITION, NO_SEQUENCE } from "../model/ids.ts";
import type { EventBody } from "./event-inbox.ts";
import type { ShardState } from "./shard-state.ts";

/** An append of which a machine that listens has not heard that it is durable. */
export interface UnheardAppend {
  readonly position: LogPosition;
  readonly sequence: LogSequence;
}

/** A machine in its place: what the host keeps about it between steps. */
export class MachineCell {
  readonly role: MachineRole;
  readonly keyspaceHash: number;
  readonly shardIndex: number;
  readonly shardId: ShardId;
  readonly durability: Durability;
  readonly state: ShardState;
  machine: Machine<unknown>;
  /** Set where the machine is a replica. */
  replica: ReplicaMachine<unknown> | undefined;
  readonly timers = new Map<string, TimerHandle>();
  lastSequence: LogSequence = NO_SEQUENCE;
  /** Of a replica that applies later: what its state includes, waiting steps' too, once it is open. */
  appliedTo: LogSequence | undefined;
  /** How far a machine that listens has heard that its log is durable. */
  durableSequence: LogSequence = NO_SEQUENCE;
  /** Of a machine that listens; the oldest first. See `LogUpkeep`. */
  readonly unheard: UnheardAppend[] = [];
  /** It is about to be told that more of its log is durable. */
  hearsDurable = false;
  /** While the machine is fed its log at opening: the newest record that it was given. */
  replayedTo: LogSequence | undefined;
  /** Where this shard's newest record stands in the node's log: words wait for it. */
  lastPosition: LogPosition = NO_POSITION;
  /** The newest point of which `StateStore.durablePosition` is awaited to release the log. */
  releasePosition: LogPosition = NO_POSITION;
  releaseSequence: LogSequence = NO_SEQUENCE;
  /** In the runner's list of cells whose log may be released. */
  touched = false;
  /** A machine that reads its log back holds it from here on; undefined: it needs none. */
  pinnedFrom: LogSequence | undefined;
  /** The generation being written beside the current one. */
  buildingGeneration: Generation | undefined;
  /** It asked to be told when this turn ends. */
  awaitsTurnEnd = false;
  /** One that a machine had begun when it was renewed: to be cleared. */
  strayGeneration: Generation | undefined;
  /** Events that wait until a generation that was switched to is durable; undefined: none does. */
  held: EventBody[] | undefined;
  /** Steps of this machine whose mutations or words wait in the commit queue. */
  waitingGroups = 0;
  /** Steps that threw, over the life of the node. */
  failures = 0;
  /** Times that its log or state was found damaged, likewise. */
  damages = 0;
  /** Found damaged, and not opened again yet. */
  fenced = false;
  /** Counts openings, so that what comes late for an earlier one is known. */
  openings = 0;
  open = false;
  /** Whether somebody takes this replica's changes, where they have no position of their own. */
  isWatched = false;

  constructor(options: {
    readonly role: MachineRole;
    readonly keyspaceHash: number;
    readonly shardIndex: number;
    readonly shardId: ShardId;
    readonly durability: Durability;
    readonly state: ShardState;
    readonly machine: Machine<unknown>;
  }) {
    this.role = options.role;
    this.keyspaceHash = options.keyspaceHash;
    this.shardIndex = options.shardIndex;
    this.shardId = options.shardId;
    this.durability = options.durability;
    this.state = options.state;
    this.machine = options.machine;
  }
}
