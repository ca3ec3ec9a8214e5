import type { ReplicaContext, ShardMap } from "../../../../../src/core/contracts/machine.ts";
import { HybridClock } from "../../../../../src/core/model/hybrid-clock.ts";
import type { Epoch, Incarnation, NodeId, StoreId } from "../../../../../src/core/model/ids.ts";
import type { LeaderlessMessage } from "../../../../../src/strategies/leaderless/messages.ts";
import {
  PlaceChange,
  type PlantedChangeBugs,
} from "../../../../../src/strategies/leaderless/place/place-change.ts";
import type {
  PlaceMessage,
  PlaceState,
} from "../../../../../src/strategies/leaderless/place/place-messages.ts";
import { ReplicaPlace } from "../../../../../src/strategies/leaderless/place/replica-place.ts";
import type { SeededRandom } from "../../../../support/seeded-random.ts";
import { RecordingEffects } from "../../../../transcripts/recording-effects.ts";

export const OLD = ["a", "b", "c"] as NodeId[];
export const LEVELS = { read: "quorum", write: "quorum" } as const;

/** Effects that keep what is sent, too. */
export class SendingEffects extends RecordingEffects {
  readonly sent: { readonly to: NodeId; readonly message: LeaderlessMessage }[] = [];

  override send(
    to: NodeId,
    role: "replica" | "coordinator",
    shard: number,
    message: LeaderlessMessage,
  ): void {
    this.sent.push({ to, message });
    super.send(to, role, shard, message);
  }
}

export function contextOf(node: string, replicas: readonly NodeId[] = OLD): ReplicaContext {
  return {
    self: {
      node: node as NodeId,
      storeId: `s-${node}` as StoreId,
      incarnation: 1 as Incarnation,
    },
    keyspace: "k",
    keyspaceHash: 7,
    settings: LEVELS,
    clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: 1_000 }),
    nodes: replicas,
    placement: () => ({ epoch: 1 as Epoch, replicas, standIns: [] }),
    isReachable: () => true,
    randomUint32: () => 0,
    health: { diskState: () => "ok", syncAgeMs: () => 0, eventLoopLagMs: () => 0 },
    shardIndex: 0,
  };
}

/** One copy's knowledge of its place, with a disk that outlives `restart`. */
class Copy {
  readonly effects = new SendingEffects();
  readonly node: NodeId;
  place: ReplicaPlace;
  serving = true;

  constructor(node: NodeId) {
    this.node = node;
    this.place = this.#make();
  }

  restart(): void {
    this.place = this.#make();
    this.place.load(this.effects);
  }

  take(from: string, message: PlaceMessage): PlaceState | undefined {
    this.effects.sent.length = 0;
    const { self } = contextOf(from);
    this.place.onMessage(self, message, () => this.serving, this.effects);
    const [answer] = this.effects.sent;
    return answer?.message.type === "place-state" ? answer.message : undefined;
  }

  #make(): ReplicaPlace {
    return new ReplicaPlace(contextOf(this.node), {}, () => undefined);
  }
}

/** Copies of one shard at five nodes, and any number of changes; messages are lost by chance. */
export class PlaceWorld {
  readonly copies: ReadonlyMap<NodeId, Copy>;
  readonly changes: PlaceChange[] = [];
  /** Every map that anybody has taken for decided, by its epoch. */
  readonly decided = new Map<number, Set<string>>();
  readonly #random: SeededRandom;
  readonly #loss: number;

  constructor(random: SeededRandom, loss = 0) {
    this.#random = random;
    this.#loss = loss;
    const nodes = [...OLD, "d", "e"] as NodeId[];
    this.copies = new Map(nodes.map((node) => [node, new Copy(node)]));
  }

  copy(node: string): Copy {
    return this.copies.get(node as NodeId) as Copy;
  }

  begin(self: string, goal: readonly string[], planted: PlantedChangeBugs = {}): PlaceChange {
    const change = new PlaceChange({
      self: self as NodeId,
      map: this.copy(self).place.map,
      goal: goal as NodeId[],
      levels: LEVELS,
      nonce: () => this.#random.uint32(),
      isAsked: true,
      planted,
    });
    this.changes.push(change);
    return change;
  }

  /**
   * One round of one change: all that it has to say, in any order, and some of it lost. Only those of
   * `heard` are reached, where that is given.
   */
  round(change: PlaceChange, heard?: readonly string[]): void {
    const messages = change.messages(1).filter(({ to }) => heard?.includes(to) ?? true);
    while (messages.length > 0) {
      const at = this.#random.uint32() % messages.length;
      const [{ to, message }] = messages.splice(at, 1) as [(typeof messages)[number]];
      if (this.#isLost()) continue;
      const state = this.copy(to).take("a", message);
      if (state !== undefined && !this.#isLost()) change.onState(to, state);
      this.#note(change.map);
      for (const copy of this.copies.values()) this.#note(copy.place.map);
    }
  }

  /** All copies that a pending change waits for have learned. */
  stream(): void {
    for (const { place, effects } of this.copies.values()) {
      if (place.map.pending !== undefined) place.ready(effects);
    }
  }

  #isLost(): boolean {
    return this.#random.uint32() / 2 ** 32 < this.#loss;
  }

  #note(map: ShardMap): void {
    const of = this.decided.get(map.epoch) ?? new Set();
    of.add(JSON.stringify([map.replicas, map.pending ?? null, map.leaving ?? null]));
    this.decided.set(map.epoch, of);
  }
}
