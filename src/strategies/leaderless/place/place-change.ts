import type { ShardMap } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { majorityOf } from "../../../core/model/quorum.ts";
import type { PlaceMessage, PlaceState } from "./place-messages.ts";
import {
  changeQuorum,
  isSameSet,
  learnersOf,
  membersOf,
  type PromisedLevels,
  settledAfter,
  stageOf,
  switched,
  withPending,
} from "./shard-map.ts";
import { type Ballot, compareBallots, laterOf, type Vote } from "./vote.ts";

/** Bugs that a test switches on, in what a change waits for. */
export interface PlantedChangeBugs {
  /** The switch does not wait until the new replicas have been streamed. */
  readonly switchedBeforeStreamed?: boolean;
  /** Pending and switch are in force as soon as one old replica knows. */
  readonly switchedWithoutOldAcks?: boolean;
}

/** Why a change goes no further: another one is under way. */
export type PlaceOutcome = "done" | "other-change";

interface Try {
  readonly ballot: Ballot;
  readonly next: ShardMap;
  readonly phase: "prepare" | "accept";
}

/**
 * Brings a shard to its new replicas, from one node: asks the old ones, epoch by epoch, to decide
 * what follows, and goes on when enough of them have what was decided. Anybody may do so, again or
 * beside others; all that is decided stands at the replicas, and nothing is lost with this one.
 *
 * From one map to the next:
 * - settled → pending, and pending → settled (the change is taken back), and pending → switching are
 *   decided by a majority of the old replicas: of two that want different ones, one wins;
 * - pending → switching not before `changeQuorum` old replicas have the pending map, so that no write
 *   of the epoch before can be acknowledged any more, and all `learnersOf` have learned;
 * - switching → settled is no decision: it comes as soon as `changeQuorum` of those that leave have
 *   the switch, so that no read of the epoch before can be answered any more.
 *
 * Where the replicas are those already, an earlier change may still be decided: one that has got as
 * far as a vote, of whoever was heard or was not. Settled → settled is decided then, as the others
 * are, so that nothing can follow the epoch before any more.
 *
 * No clock, no I/O: `messages` says what there is to be said now, until there is an outcome.
 */
export class PlaceChange {
  readonly goal: readonly NodeId[];
  readonly #self: NodeId;
  readonly #levels: PromisedLevels;
  readonly #nonce: () => number;
  readonly #planted: PlantedChangeBugs;
  readonly #isAsked: boolean;
  #map: ShardMap;
  readonly #states = new Map<NodeId, PlaceState>();
  #try: Try | undefined;
  #highest = 0;
  /** This one has had something decided: whatever was begun before it, and is over, goes no further. */
  #hasDecided = false;
  /** Those who have not answered had the time to. */
  #hasWaited = false;
  /** Something was proposed: it may come to be, whoever goes on with it. */
  hasTried = false;

  constructor(options: {
    readonly self: NodeId;
    readonly map: ShardMap;
    readonly goal: readonly NodeId[];
    readonly levels: PromisedLevels;
    /** 32 random bits. */
    readonly nonce: () => number;
    /** Somebody is answered: what is done must not be undone by a change that was asked for before. */
    readonly isAsked: boolean;
    readonly planted?: PlantedChangeBugs;
  }) {
    this.#self = options.self;
    this.#map = options.map;
    this.goal = options.goal;
    this.#levels = options.levels;
    this.#nonce = options.nonce;
    this.#isAsked = options.isAsked;
    this.#planted = options.planted ?? {};
  }

  /** The newest map that is known to be decided. */
  get map(): ShardMap {
    return this.#map;
  }

  onState(from: NodeId, state: PlaceState): void {
    const known = this.#states.get(from);
    // Answers may overtake each other.
    if (known !== undefined && known.map.epoch > state.map.epoch) return;
    this.#states.set(from, state);
    this.#adopt(state.map);
    const { vote } = state;
    if (vote !== undefined) this.#highest = Math.max(this.#highest, vote.promised.round);
    this.#advance();
  }

  /** It came back as somebody else: what it has said is void. */
  forget(node: NodeId): void {
    this.#states.delete(node);
  }

  get outcome(): PlaceOutcome | undefined {
    const { replicas, pending } = this.#map;
    const isThere = isSameSet(replicas, this.goal);
    if (stageOf(this.#map) === "settled") {
      const isKnown = this.#have(replicas) >= majorityOf(replicas.length);
      return isThere && isKnown && this.#isLast ? "done" : undefined;
    }
    // A pending change can be taken back; a switch cannot.
    const isWanted = isThere || (pending !== undefined && isSameSet(pending, this.goal));
    // This node may not have heard that it is over: those who hold the shard have the word.
    const isKnown = this.#have(replicas) >= majorityOf(replicas.length);
    return isWanted || !isKnown ? undefined : "other-change";
  }

  /** To be said now, and again after a while to those who have not answered. */
  messages(requestId: number): readonly { readonly to: NodeId; readonly message: PlaceMessage }[] {
    if (this.outcome !== undefined) return [];
    this.#begin();
    const { replicas } = this.#map;
    const current = this.#try;
    if (current === undefined) {
      const message: PlaceMessage = { type: "place-map", requestId, map: this.#map };
      return membersOf(this.#map).map((to) => ({ to, message }));
    }
    const { ballot, next, phase } = current;
    const base = this.#map;
    const message: PlaceMessage =
      phase === "prepare"
        ? { type: "place-prepare", requestId, base, ballot }
        : { type: "place-accept", requestId, base, ballot, next };
    return replicas.map((to) => ({ to, message }));
  }

  /**
   * Others have tried meanwhile, or too few answer: the next try is above theirs. False: there was
   * none to give up.
   */
  tryAgain(): boolean {
    const wasTrying = this.#try !== undefined;
    this.#try = undefined;
    this.#hasWaited = true;
    return wasTrying;
  }

  #adopt(map: ShardMap): void {
    if (map.epoch <= this.#map.epoch) return;
    this.#map = map;
    this.#try = undefined;
  }

  /** Begins the next decision, where there is one to make and all that it waits for is there. */
  #begin(): void {
    const next = this.#nextMap();
    if (next === undefined || this.#try !== undefined) return;
    this.#highest++;
    const ballot = { round: this.#highest, node: this.#self, nonce: this.#nonce() };
    this.#try = { ballot, next, phase: "prepare" };
  }

  #nextMap(): ShardMap | undefined {
    const { replicas, pending } = this.#map;
    switch (stageOf(this.#map)) {
      case "settled":
        return isSameSet(replicas, this.goal) ? this.#closing : withPending(this.#map, this.goal);
      case "pending":
        if (isSameSet(replicas, this.goal)) return settledAfter(this.#map);
        if (!isSameSet(pending as readonly NodeId[], this.goal)) return undefined;
        return this.#isInForce(replicas) && this.#isStreamed() ? switched(this.#map) : undefined;
      case "switching":
        return undefined;
    }
  }

  #advance(): void {
    if (stageOf(this.#map) === "switching") {
      // Another one's switch is for who asks for it to see to its end.
      const isOwn = isSameSet(this.#map.replicas, this.goal);
      if (isOwn && this.#isInForce(this.#map.leaving ?? [])) this.#adopt(settledAfter(this.#map));
      return;
    }
    const current = this.#try;
    if (current === undefined) return;
    const votes = this.#votes();
    const isOvertaken = votes.some(({ promised }) => compareBallots(promised, current.ballot) > 0);
    if (isOvertaken) {
      this.#try = undefined;
      return;
    }
    const most = majorityOf(this.#map.replicas.length);
    if (current.phase === "prepare") {
      const granted = votes.filter(({ promised }) => isSame(promised, current.ballot));
      if (granted.length < most) return;
      const before = granted.map((vote) => vote.accepted).reduce(laterOf, undefined);
      this.#try = { ...current, phase: "accept", next: before?.map ?? current.next };
      this.hasTried = true;
      return;
    }
    const taken = votes.filter((vote) => isSame(vote.accepted?.ballot, current.ballot));
    if (taken.length < most) return;
    this.#hasDecided = true;
    this.#adopt(current.next);
  }

  /**
   * No earlier change can follow the settled map. Each has had a promise of a majority before it
   * proposed anything: so none has, where all replicas say that they have promised nothing.
   */
  get #isLast(): boolean {
    if (!this.#isAsked) return this.#proposed === undefined;
    const { replicas, epoch } = this.#map;
    const untouched = this.#statesOf(replicas).filter(
      ({ serving, vote }) => serving && vote?.epoch !== epoch,
    );
    return this.#hasDecided || untouched.length === replicas.length;
  }

  /** What is to follow the settled map, so that nothing else does; undefined: nothing has to, or not yet. */
  get #closing(): ShardMap | undefined {
    if (this.#isLast) return undefined;
    const isDue = this.#hasWaited || this.#votes().length > 0;
    return this.#proposed ?? (isDue ? settledAfter(this.#map) : undefined);
  }

  /**
   * What an earlier change has proposed to follow the map, as far as it was heard of: it may be decided
   * yet, by whoever goes on with it. To go back from there it has to be decided first, and taken back.
   */
  get #proposed(): ShardMap | undefined {
    return this.#votes()
      .map((vote) => vote.accepted)
      .reduce(laterOf, undefined)?.map;
  }

  /** About what follows the map, of replicas whose vote counts. */
  #votes(): readonly Vote[] {
    return this.#statesOf(this.#map.replicas).flatMap(({ serving, vote }) =>
      serving && vote?.epoch === this.#map.epoch ? [vote] : [],
    );
  }

  #isInForce(old: readonly NodeId[]): boolean {
    if (this.#planted.switchedWithoutOldAcks === true) return this.#have(old) >= 1;
    return this.#have(old) >= changeQuorum(old.length, this.#levels);
  }

  #isStreamed(): boolean {
    if (this.#planted.switchedBeforeStreamed === true) return true;
    const { replicas, pending = [], epoch } = this.#map;
    const learners = learnersOf(replicas, pending, this.#levels);
    return learners.every((node) => this.#states.get(node)?.readyFor === epoch);
  }

  /** How many of these have the map, durably. */
  #have(nodes: readonly NodeId[]): number {
    return this.#statesOf(nodes).filter(({ map }) => map.epoch >= this.#map.epoch).length;
  }

  #statesOf(nodes: readonly NodeId[]): readonly PlaceState[] {
    return nodes.flatMap((node) => this.#states.get(node) ?? []);
  }
}

function isSame(a: Ballot | undefined, b: Ballot): boolean {
  return a !== undefined && compareBallots(a, b) === 0;
}
