import type {
  Effects,
  MachineRole,
  ReplicaContext,
  Sender,
  ShardMap,
} from "../../../core/contracts/machine.ts";
import { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import type { Epoch, NodeId } from "../../../core/model/ids.ts";
import type { LeaderlessMessage } from "../messages.ts";
import type { PlantedReplicaBugs } from "../planted-bugs.ts";
import type { PlaceMessage, PlaceState } from "./place-messages.ts";
import { isHolder, membersOf, readMap, stageOf, writeMap } from "./shard-map.ts";
import { accepted, mergedVotes, promised, readVote, type Vote, writeVote } from "./vote.ts";

const MAP = "place-map";
const VOTE = "place-vote";
const READY = "place-ready";

type Fx = Effects<LeaderlessMessage>;

/**
 * What one copy of a shard knows of who holds it: the newest decided map, what it has said to those
 * who would decide the next one, and whether it has learned what a pending change asks of it. All
 * of it is kept, synced, before anybody hears of it.
 *
 * Invariant: the epoch only rises; what was made for an older one is refused, with the map.
 */
export class ReplicaPlace {
  readonly #context: ReplicaContext;
  readonly #planted: PlantedReplicaBugs;
  readonly #onMap: (before: ShardMap, effects: Fx) => void;
  #map: ShardMap;
  /** Of this node, by the map: on the path of every write. */
  #isHolder = false;
  #isMember = false;
  #vote: Vote | undefined;
  #readyFor = 0;

  /** `onMap` is told of every map that takes the place of another. */
  constructor(
    context: ReplicaContext,
    planted: PlantedReplicaBugs,
    onMap: (before: ShardMap, effects: Fx) => void,
  ) {
    this.#context = context;
    this.#planted = planted;
    this.#onMap = onMap;
    const { epoch, replicas, pending, leaving } = context.placement(context.shardIndex);
    this.#map = { epoch, replicas, pending, leaving };
    this.#setMap(this.#map);
  }

  /** At opening, before anything else of the step. */
  load(effects: Fx): void {
    const bytes = effects.kept(MAP);
    const vote = effects.kept(VOTE);
    if (vote !== undefined) this.#vote = readVote(new ByteReader(vote));
    const ready = effects.kept(READY);
    if (ready !== undefined) this.#readyFor = new ByteReader(ready).u32();
    if (bytes === undefined) return;
    const map = readMap(new ByteReader(bytes));
    if (map.epoch < this.#map.epoch) return;
    this.#setMap(map);
    effects.placed(map);
  }

  get map(): ShardMap {
    return this.#map;
  }

  get vote(): Vote | undefined {
    return this.#vote;
  }

  /** Its copy answers for the shard, once it has all that it has to have. */
  get isHolder(): boolean {
    return this.#isHolder;
  }

  /** It is being given the shard, and holds what is written meanwhile. */
  get isJoining(): boolean {
    return !this.isHolder && this.#map.pending?.includes(this.#self) === true;
  }

  get isMember(): boolean {
    return this.#isMember;
  }

  get isReady(): boolean {
    return this.isReadyFor(this.#map.epoch);
  }

  isReadyFor(epoch: Epoch): boolean {
    return this.#readyFor === epoch;
  }

  /** It has learned all that the pending change asks of it. */
  ready(effects: Fx): void {
    this.#readyFor = this.#map.epoch;
    effects.keep(
      READY,
      written((writer) => writer.u32(this.#readyFor)),
    );
  }

  /** What it held may be gone. */
  unready(effects: Fx): void {
    if (this.#readyFor === 0) return;
    this.#readyFor = 0;
    effects.keep(READY, undefined);
  }

  /**
   * Whether what was made for `epoch` may be done here. An older one is answered with the map; of a
   * newer one the map is asked for, and `mayBeAhead` decides. `refused` names the coordinator's round
   * that is not done; 0: nobody needs to be told of it.
   */
  admits(
    from: Sender,
    role: MachineRole,
    epoch: number,
    mayBeAhead: boolean,
    effects: Fx,
    refused = 0,
  ): boolean {
    if (epoch === this.#map.epoch) return true;
    const { shardIndex } = this.#context;
    if (epoch < this.#map.epoch) {
      if (this.#planted.olderEpochAccepted === true) return true;
      const message = { type: "place-map", requestId: refused, map: this.#map } as const;
      effects.send(from.node, role, shardIndex, message, "control");
      return false;
    }
    const message = { type: "place-wanted", epoch: epoch as Epoch } as const;
    effects.send(from.node, role, shardIndex, message, "control");
    return mayBeAhead;
  }

  /** `serving`: its vote counts. */
  onMessage(from: Sender, message: PlaceMessage, serving: () => boolean, effects: Fx): void {
    const { shardIndex } = this.#context;
    switch (message.type) {
      case "place-map":
        this.#install(message.map, effects);
        if (message.requestId === 0) return;
        break;
      case "place-wanted":
        if (message.epoch > this.#map.epoch) return;
        effects.send(
          from.node,
          "replica",
          shardIndex,
          { type: "place-map", requestId: 0, map: this.#map },
          "control",
        );
        return;
      case "place-prepare":
      case "place-accept":
        this.#install(message.base, effects);
        if (serving()) this.#decide(message, effects);
        break;
      case "place-recover":
        break;
      case "place-state":
      case "place-overdue":
        return;
    }
    const state: PlaceState = {
      type: "place-state",
      requestId: message.requestId,
      map: this.#map,
      vote: this.#vote,
      serving: serving(),
      readyFor: this.#readyFor,
    };
    effects.send(from.node, "coordinator", shardIndex, state, "control");
  }

  /** Of a copy that learns what it has lost: a source has said this to somebody. */
  learnVote(vote: Vote | undefined, effects: Fx): void {
    this.#setVote(mergedVotes(this.#vote, vote), effects);
  }

  /** Tells a peer that was met, or met again, of a shard that was moved. */
  tell(peer: NodeId, effects: Fx): void {
    if (this.#map.epoch === 1 || peer === this.#self) return;
    const message = { type: "place-map", requestId: 0, map: this.#map } as const;
    effects.send(peer, "replica", this.#context.shardIndex, message, "control");
  }

  describe(): Readonly<Record<string, unknown>> {
    const { epoch, replicas, pending, leaving } = this.#map;
    return {
      epoch,
      stage: stageOf(this.#map),
      replicas,
      ...(pending === undefined ? {} : { pending }),
      ...(leaving === undefined ? {} : { leaving }),
      ready: this.isReady,
    };
  }

  #install(map: ShardMap, effects: Fx): void {
    if (map.epoch <= this.#map.epoch) return;
    const before = this.#map;
    this.#setMap(map);
    effects.keep(
      MAP,
      written((writer) => writeMap(map, writer)),
    );
    effects.placed(map);
    const { shardIndex: shard } = this.#context;
    const { epoch, replicas, pending, leaving } = map;
    const stage = stageOf(map);
    effects.emit({ type: "shard-placed", shard, epoch, stage, replicas, pending, leaving });
    this.#onMap(before, effects);
  }

  #setMap(map: ShardMap): void {
    this.#map = map;
    this.#isHolder = isHolder(map, this.#self);
    this.#isMember = membersOf(map).includes(this.#self);
  }

  #decide(
    message: Extract<PlaceMessage, { type: "place-prepare" | "place-accept" }>,
    effects: Fx,
  ): void {
    const { base, ballot } = message;
    if (base.epoch !== this.#map.epoch || !this.#map.replicas.includes(this.#self)) return;
    const vote =
      message.type === "place-prepare"
        ? promised(this.#vote, base.epoch, ballot)
        : accepted(this.#vote, base.epoch, ballot, message.next);
    this.#setVote(vote, effects);
  }

  #setVote(vote: Vote | undefined, effects: Fx): void {
    if (vote === undefined || vote === this.#vote) return;
    this.#vote = vote;
    effects.keep(
      VOTE,
      written((writer) => writeVote(vote, writer)),
    );
  }

  get #self(): NodeId {
    return this.#context.self.node;
  }
}

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.copy();
}
