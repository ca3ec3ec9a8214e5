import type { Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { type Awaited, Clearance } from "./clearance.ts";
import { type Identity, isMember, isQuorum, type Member, nodesOf } from "./configuration.ts";
import { type ConsensusCore, identityOf } from "./consensus-core.ts";
import type { VoteReply, VoteRequest } from "./peer-messages.ts";

const TWO_POW_32 = 4_294_967_296;
/** Two followers that lose their leader at one moment must not stand at one moment. */
const SUSPICION_SPREAD = 4;

interface Vote {
  readonly identity: Identity;
  readonly recovering: boolean;
}

/** What an election asks of the whole. */
export interface ElectionOutcomes {
  /** Into this term, as a follower. */
  followed(term: number, leader: NodeId | undefined): void;
  won(): void;
  /** It stands, or asks whether it could. */
  stood(): void;
}

/**
 * When to stand, whom to vote for, and when an election is won: extended paper §5.2 and §5.4.1,
 * thesis §4.2.3 (promises to a leader), §9.6 (PreVote) and §3.10 (transfer).
 *
 * Invariants:
 * - a vote or pre-vote is given only if `now ≥ silentUntil` and, but for a transfer,
 *   `now ≥ last answer to a leader + lower end of the draw`;
 * - a candidacy is over when this replica follows, has won, or stands again; while it is not, its
 *   term is the current one, in which this replica has voted for itself;
 * - votes count only from members of the configuration in force, each under its own identity;
 * - the vote of a replica that may have lost its tail counts only if every voter has voted so, and
 *   every other node has agreed (`Clearance`): of what its lost answers helped to commit one of the
 *   others has a copy, if anybody has.
 */
export class Election {
  readonly #core: ConsensusCore;
  readonly #outcomes: ElectionOutcomes;
  /** No vote before: promises that this replica gave before it stopped have run out by then. */
  #silentUntilMs = 0;
  /** Until when this replica has promised a leader to vote for nobody. */
  #promisedUntilMs = Number.NEGATIVE_INFINITY;
  #timeoutMs = 0;
  #dueAtMs = 0;
  /** The leader's connection is gone: what it had promised to this replica is all there is to wait for. */
  #suspects = false;
  /** Who has spoken as the leader last, unless another store is in its place by now. */
  #heardFrom: Sender | undefined;
  /** Who would vote for it, if it stood in the next term. */
  readonly #preVotes = new Map<NodeId, Vote>();
  /** Who has voted for it, in the current term. */
  readonly #votes = new Map<NodeId, Vote>();
  /**
   * It has stood in the current term, and may win that yet: also while it asks about the next one.
   * Where votes take longer than it waits, because all shards of a node elect at once or the disks
   * before them are slow, they come no sooner the next time, and nobody would win ever.
   */
  #isCandidacyOpen = false;
  readonly #clearance: Clearance;
  /** As whom nodes have last answered a request, with whatever. */
  readonly #answeredAs = new Map<NodeId, Identity>();

  constructor(core: ConsensusCore, outcomes: ElectionOutcomes) {
    this.#core = core;
    this.#outcomes = outcomes;
    this.#clearance = new Clearance(core);
  }

  /** @param hasPast whether this replica may have promised or voted anything before it started. */
  start(hasPast: boolean): void {
    const { nowMs, options, planted } = this.#core;
    const isSilent = hasPast && planted.startSilenceSkipped !== true;
    this.#silentUntilMs = isSilent ? nowMs + options.timing.electionTimeoutMs : nowMs;
    this.expect();
  }

  get dueAtMs(): number {
    return this.#dueAtMs;
  }

  /** A leader of the current term has spoken, and is being answered. */
  heard(from: Sender): void {
    this.#heardFrom = from;
    this.#suspects = false;
    if (this.#answeredAs.size > 0) this.#answeredAs.clear();
    this.#promisedUntilMs = this.#core.nowMs + this.#core.options.timing.electionLowerMs;
    this.#dueAtMs = this.#core.nowMs + this.#timeoutMs;
  }

  /** It follows, whoever leads or will: what it has stood for is over. */
  followed(): void {
    this.#isCandidacyOpen = false;
    this.expect();
  }

  /** Waits for a leader from now on, for as long as a new draw says. */
  expect(): void {
    this.#timeoutMs = this.#draw();
    this.#dueAtMs = this.#core.nowMs + this.#timeoutMs;
  }

  /** As `expect`, but the leader was last vouched for at `sinceMs`. */
  expectSince(sinceMs: number): void {
    this.#suspects = false;
    this.#timeoutMs = this.#draw();
    this.#dueAtMs = Math.max(this.#core.nowMs, sinceMs + this.#timeoutMs);
  }

  /** The leader's connection is closed, or it is another process now, which is `peer`. */
  suspect(peer: Sender | undefined): void {
    const storeId = this.#heardFrom?.storeId;
    if (peer !== undefined && peer.storeId !== storeId) this.#heardFrom = undefined;
    if (this.#suspects || this.#core.role !== "follower") return;
    this.#suspects = true;
    const { electionTimeoutMs, electionLowerMs } = this.#core.options.timing;
    const spreadMs = (electionTimeoutMs - electionLowerMs) / SUSPICION_SPREAD;
    const from = Math.max(this.#core.nowMs, this.#promisedUntilMs);
    this.#dueAtMs = Math.min(this.#dueAtMs, from + this.#fraction() * spreadMs);
  }

  /** Stands if it is time. */
  maybeStand(): void {
    const { nowMs } = this.#core;
    if (this.#core.role === "leader" || nowMs < this.#dueAtMs) return;
    if (!this.#mayStand()) {
      this.expect();
      return;
    }
    this.#ask(true, false);
  }

  /** The leader has handed over: no question before, and promises to it do not count. */
  takeOver(): void {
    if (this.#mayStand()) this.#ask(false, true);
  }

  /**
   * A voter that has nothing to take back, on a node that is well: one whose disk or event loop
   * is late would be elected for its log, and then serve nobody.
   */
  #mayStand(): boolean {
    const { isOpen, options, nowMs } = this.#core;
    if (!isOpen || !this.#core.mayLead) return false;
    if (nowMs < this.#silentUntilMs && !this.#isAlone()) return false;
    const { health, timing } = options;
    return !health.isDiskSick() && health.loopLagMs() < timing.electionLowerMs;
  }

  /** Nobody else has been promised anything. */
  #isAlone(): boolean {
    return nodesOf(this.#core.configuration).length === 1;
  }

  #ask(pre: boolean, transfer: boolean): void {
    const core = this.#core;
    (pre ? this.#preVotes : this.#votes).clear();
    const { identity, recovering } = core;
    if (pre) {
      this.#preVotes.set(core.self, { identity, recovering });
      this.#clearance.begin();
    }
    core.leader = undefined;
    core.role = pre ? "pre-candidate" : "candidate";
    if (!pre) {
      core.keepVote(core.term + 1, core.self);
      this.#isCandidacyOpen = true;
    }
    this.expect();
    this.#outcomes.stood();
    const request = this.#request(pre, transfer);
    for (const node of this.#electorate()) {
      if (node !== core.self) core.send(node, request, "control");
    }
    // A candidate's own vote counts like all others once it is durable: by then it is spoken.
    if (pre) this.#count(this.#preVotes);
    else core.send(core.self, this.#reply(request, request.term, true), "control");
  }

  #request(pre: boolean, transfer: boolean): VoteRequest {
    const { log, term } = this.#core;
    const { lastIndex, lastTerm } = log;
    return { type: "vote", term: pre ? term + 1 : term, pre, transfer, lastIndex, lastTerm };
  }

  #electorate(): readonly NodeId[] {
    const { voters, outgoing } = this.#core.configuration;
    return [...new Set([...voters, ...outgoing].map((member) => member.node))];
  }

  #count(votes: ReadonlyMap<NodeId, Vote>): void {
    const core = this.#core;
    const { configuration } = core;
    const pre = votes === this.#preVotes;
    const voteOf = (member: Member): Vote | undefined => {
      const vote = votes.get(member.node);
      return vote !== undefined && isMember(member, vote.identity) ? vote : undefined;
    };
    const isSure = isQuorum(configuration, (member) => voteOf(member)?.recovering === false);
    if (!isSure) {
      const { voters, outgoing } = configuration;
      const isWon = [...voters, ...outgoing].every((member) => voteOf(member) !== undefined);
      if (!isWon || voters.length === 0 || !this.#isCleared(pre)) return;
      // Of what only lost copies had nobody knows any more.
      if (!pre) core.emit("writes-may-be-lost", {});
    }
    if (pre) {
      this.#ask(false, false);
      return;
    }
    this.#isCandidacyOpen = false;
    this.#answeredAs.clear();
    this.#outcomes.won();
  }

  #isCleared(pre: boolean): boolean {
    if (!pre) return this.#clearance.isGivenFor(this.#core.term);
    const hasAgreed = (node: NodeId): boolean => this.#preVotes.has(node);
    return this.#clearance.ask(this.#request(true, false), hasAgreed, this.#electorate());
  }

  onRequest(from: Sender, request: VoteRequest): void {
    const core = this.#core;
    const dismissal = core.dismissalOf(from.node);
    if (dismissal !== undefined) core.send(from.node, dismissal, "control");
    // Not even the term is taken over (thesis §4.2.3): nobody who is cut off from the leader, or
    // was removed, can end its term as long as a majority hears it.
    if (!this.#isFree(request)) return;
    if (!request.pre && request.term > core.term) this.#outcomes.followed(request.term, undefined);
    const granted = this.#grants(from, request);
    if (granted && !request.pre) {
      if (core.votedFor !== from.node) core.keepVote(core.term, from.node);
      if (core.role === "pre-candidate") this.#outcomes.followed(core.term, undefined);
      this.expect();
    }
    const term = granted ? request.term : core.term;
    core.send(from.node, this.#reply(request, term, granted), "control");
  }

  #reply({ pre }: VoteRequest, term: number, granted: boolean): VoteReply {
    const { original } = this.#core;
    // What counts for nothing is asked as well, where all are.
    const recovering = this.#core.recovering || this.#core.superseded;
    return { type: "vote-reply", term, pre, granted, recovering, original };
  }

  /** Whether nothing that this replica has promised keeps it from voting. */
  #isFree(request: VoteRequest): boolean {
    const { nowMs, role, planted } = this.#core;
    if (nowMs < this.#silentUntilMs) return false;
    if (request.transfer || planted.promiseForgotten === true) return true;
    if (role === "leader" || nowMs < this.#promisedUntilMs) return false;
    // What a resting follower has heard of its leader is as good, though it has promised nothing.
    return nowMs >= this.#core.vouchedAtMs + this.#core.options.timing.electionLowerMs;
  }

  #grants(from: Sender, request: VoteRequest): boolean {
    const { term, votedFor, superseded } = this.#core;
    // Of the group that asks it has nothing.
    const isOutdated = superseded || this.#isUpToDate(request);
    if (request.pre) return request.term > term && isOutdated;
    if (superseded) return false;
    if (request.term < term) return false;
    return (votedFor === undefined || votedFor === from.node) && this.#isUpToDate(request);
  }

  /** §5.4.1: the later last term, or the longer log within one. */
  #isUpToDate({ lastIndex, lastTerm }: VoteRequest): boolean {
    const { log } = this.#core;
    return lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex);
  }

  /**
   * Whether so many voters' nodes answer under another store that those left are no majority:
   * nobody can be elected any more, and nothing can be changed but by accepting the loss.
   */
  get isQuorumLost(): boolean {
    return this.lostVoters !== undefined;
  }

  /** The nodes of which `isQuorumLost` speaks; undefined where it says no. */
  get lostVoters(): readonly NodeId[] | undefined {
    const { configuration, leader } = this.#core;
    const { voters, outgoing } = configuration;
    // Who has a leader has a quorum; what was answered before it says nothing any more.
    if (leader !== undefined || voters.length === 0) return undefined;
    const isLost = (member: Member): boolean => {
      const identity = this.#answeredAs.get(member.node);
      return identity !== undefined && !isMember(member, identity);
    };
    if (isQuorum(configuration, (member) => !isLost(member))) return undefined;
    return [...new Set([...voters, ...outgoing].filter(isLost).map(({ node }) => node))];
  }

  /** Whether a quorum may be there, as far as is known: reachable, and not under another store. */
  get mayBeQuorate(): boolean {
    const { configuration, identity, options, superseded, leader, recovering } = this.#core;
    // The voters it knows are those of a group that is over; of the later one, who leads at most.
    if (superseded) {
      const isLed = leader !== undefined && this.#heardFrom?.node === leader;
      return isLed && options.isReachable(leader);
    }
    const isThere = (member: Member): boolean => {
      // A store that this node has lost is not there, whoever else is.
      if (member.node === identity.node) return isMember(member, identity);
      if (!options.isReachable(member.node)) return false;
      const answering = this.#answeredAs.get(member.node);
      return answering === undefined || isMember(member, answering);
    };
    if (!recovering) return isQuorum(configuration, isThere);
    // Its own vote counts with all others' alone, and where nobody has anything later.
    if (isQuorum(configuration, (member) => member.node !== identity.node && isThere(member)))
      return true;
    const { voters, outgoing } = configuration;
    return this.#clearance.isPossible && [...voters, ...outgoing].every(isThere);
  }

  /** Whom it waits for beside its voters: see `Clearance`. */
  get awaited(): Awaited | undefined {
    return this.#clearance.awaited;
  }

  onReply(from: Sender, reply: VoteReply): void {
    const core = this.#core;
    this.#answeredAs.set(from.node, identityOf(from, reply.original));
    const isAsking = reply.pre ? core.role === "pre-candidate" : this.#isCandidacyOpen;
    const asked = reply.pre ? core.term + 1 : core.term;
    if (!reply.granted) {
      if (reply.term > core.term) this.#outcomes.followed(reply.term, undefined);
      else if (isAsking && reply.pre) this.#clearance.refused(from.node);
      return;
    }
    if (!isAsking || reply.term !== asked) return;
    const { recovering, original } = reply;
    const votes = reply.pre ? this.#preVotes : this.#votes;
    votes.set(from.node, { identity: identityOf(from, original), recovering });
    this.#count(votes);
  }

  /**
   * Uniform in the draw's range. Where priorities differ the range is cut into as many parts, and
   * a node draws in that of its rank: those who should lead stand first.
   */
  #draw(): number {
    const { electionTimeoutMs, electionLowerMs } = this.#core.options.timing;
    const { rank, ranks } = this.#rank();
    const part = (rank + this.#fraction()) / ranks;
    return electionLowerMs + part * (electionTimeoutMs - electionLowerMs);
  }

  #rank(): { readonly rank: number; readonly ranks: number } {
    const { options, self, configuration } = this.#core;
    const own = options.priorityOf(self);
    const priorities = new Set([
      own,
      ...configuration.voters.map((v) => options.priorityOf(v.node)),
    ]);
    let rank = 0;
    for (const priority of priorities) if (priority > own) rank++;
    return { rank, ranks: priorities.size };
  }

  #fraction(): number {
    return this.#core.options.randomUint32() / TWO_POW_32;
  }
}
