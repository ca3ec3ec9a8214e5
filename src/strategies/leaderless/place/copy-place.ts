import type {
  Effects,
  OpenedState,
  ReplicaContext,
  Sender,
  ShardMap,
} from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type {
  CopyMessage,
  LeaderlessMessage,
  RangeMessage,
  ReadMessage,
  WriteMessage,
} from "../messages.ts";
import type { PlantedReplicaBugs } from "../planted-bugs.ts";
import type { RepairSettings } from "../repair-settings.ts";
import { CatchUp } from "./catch-up.ts";
import { Leaving } from "./leaving.ts";
import { Overdue } from "./overdue.ts";
import type { PlaceMessage } from "./place-messages.ts";
import { ReplicaPlace } from "./replica-place.ts";
import { FIRST_EPOCH, membersOf, stageOf } from "./shard-map.ts";

type Fx = Effects<LeaderlessMessage>;

/** The place of one copy: what it knows of it, and what a change of it makes the copy do. */
export class CopyPlace {
  readonly known: ReplicaPlace;
  readonly catchUp: CatchUp;
  readonly leaving: Leaving;
  readonly #overdue: Overdue;
  readonly #context: ReplicaContext;

  constructor(options: {
    readonly context: ReplicaContext;
    readonly settings: RepairSettings;
    readonly planted: PlantedReplicaBugs;
    /** Told of every map that takes the place of another. */
    readonly onMap: (before: ShardMap, effects: Fx) => void;
    /** Told of each record that leaves this node. */
    readonly onLeft: (key: Uint8Array) => void;
  }) {
    const { context, settings, planted, onMap, onLeft } = options;
    this.#context = context;
    this.known = new ReplicaPlace(context, planted, onMap);
    this.catchUp = new CatchUp(context, settings, this.known);
    const replicas = (): readonly NodeId[] => this.known.map.replicas;
    this.leaving = new Leaving({ context, settings, replicas, onLeft });
    this.#overdue = new Overdue(context, this.known);
  }

  /** For what works among those who hold the shard. */
  get amongReplicas(): ReplicaContext {
    return this.#among(({ replicas }) => replicas);
  }

  /** For what works for those, too, who are being given it, or held it. */
  get amongMembers(): ReplicaContext {
    return this.#among(membersOf);
  }

  onOpened({ origin }: OpenedState, effects: Fx): void {
    this.catchUp.wasLost = origin === "empty";
    if (origin === "empty") this.known.unready(effects);
  }

  /** Streams what a pending change asks of this copy, or hands over what is held here no longer. */
  review(nowMs: number, effects: Fx): void {
    this.catchUp.review(nowMs, effects);
    this.#overdue.review(effects);
    const { map, isMember } = this.known;
    const isBeside = map.epoch > FIRST_EPOCH && stageOf(map) === "settled" && !isMember;
    if (isBeside) this.leaving.start(effects);
    else this.leaving.stop(effects);
  }

  /**
   * What is to be done of a message; undefined: nothing, for it was made under another map.
   * `isLearning`: this copy learns what it has lost.
   */
  admitted(
    from: Sender,
    message: LeaderlessMessage,
    isLearning: boolean,
    effects: Fx,
  ): CopyMessage | PlaceMessage | undefined {
    if (message.type !== "at-epoch") {
      if (this.known.map.epoch === FIRST_EPOCH || !isOfEpoch(message)) return message;
      return this.#admits(from, message, FIRST_EPOCH, effects) ? message : undefined;
    }
    const { epoch, vote, message: carried } = message;
    if (isOfEpoch(carried)) {
      return this.#admits(from, carried, epoch, effects) ? carried : undefined;
    }
    // Before the stream that it came with can end: a copy votes only when it serves.
    if (carried.type === "range-reply" && isLearning) {
      this.known.learnVote(vote, effects);
      this.#overdue.review(effects);
    }
    return carried;
  }

  /** False: the timer is another's. */
  onTimer(timer: string, nowMs: number, effects: Fx): boolean {
    return (
      this.catchUp.onTimer(timer, nowMs, effects) ||
      this.leaving.onTimer(timer, nowMs, effects) ||
      this.#overdue.onTimer(timer, effects)
    );
  }

  /** `serving`: this copy's vote counts. */
  onMessage(from: Sender, message: PlaceMessage, serving: () => boolean, effects: Fx): void {
    this.known.onMessage(from, message, serving, effects);
    this.#overdue.review(effects);
  }

  onIdentity(peer: Sender, effects: Fx): void {
    this.catchUp.onIdentity(peer);
    this.known.tell(peer.node, effects);
  }

  describe(): Readonly<Record<string, unknown>> | undefined {
    if (this.known.map.epoch === FIRST_EPOCH) return undefined;
    const streaming = this.catchUp.describe();
    return {
      ...this.known.describe(),
      ...this.leaving.describe(),
      ...(streaming && { streaming }),
    };
  }

  /** A stream has to come from a copy that has the map: what it has acknowledged before is in it. */
  #admits(from: Sender, message: CopyMessage, epoch: number, effects: Fx): boolean {
    const isStream = message.type === "range" && message.purpose !== "scan";
    const role = isStream ? "replica" : "coordinator";
    const isNews = message.type === "write" && message.kind === "first-hand";
    const refused = isNews ? message.requestId : 0;
    return this.known.admits(from, role, epoch, !isStream, effects, refused);
  }

  #among(nodesOf: (map: ShardMap) => readonly NodeId[]): ReplicaContext {
    const placement = () => {
      const { map } = this.known;
      return { epoch: map.epoch, replicas: nodesOf(map), standIns: [] };
    };
    return { ...this.#context, placement };
  }
}

/** What is done only under the map that it was made for. */
function isOfEpoch(
  message: LeaderlessMessage,
): message is WriteMessage | ReadMessage | RangeMessage {
  return message.type === "write" || message.type === "read" || message.type === "range";
}
