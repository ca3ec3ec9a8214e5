import type { Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { isMember, type Member, nodesOf, reachedByQuorum } from "./configuration.ts";
import { type ConsensusCore, identityOf } from "./consensus-core.ts";
import { Progress } from "./progress.ts";
import { Rounds } from "./rounds.ts";

/** Entries that take less are waited for so long, at least, before they are taken for lost. */
const LOST_HEARTBEATS = 2;

/**
 * The followers of one leader in one term, and what a quorum of the members, the leader among them,
 * has reached. All of the counting of a leadership is here, so that all of it heeds identities and
 * joint configurations (§6: a decision needs a majority of both).
 */
export class Followers {
  readonly rounds = new Rounds();
  readonly #core: ConsensusCore;
  readonly #progress = new Map<NodeId, Progress>();
  /** Up to here the leader's own log is durable. */
  durableIndex = 0;

  readonly #matched = (member: Member): number => {
    if (isMember(member, this.#core.identity)) return this.#ownMatch();
    return this.#progress.get(member.node)?.matchOf(member) ?? 0;
  };
  readonly #ackedRound = (member: Member): number => {
    if (isMember(member, this.#core.identity)) return Number.POSITIVE_INFINITY;
    const progress = this.#progress.get(member.node);
    return progress?.isAnsweredBy(member) === true ? progress.ackedRound : 0;
  };
  readonly #ackedSentAtMs = (member: Member): number => {
    if (isMember(member, this.#core.identity)) return this.#core.nowMs;
    const progress = this.#progress.get(member.node);
    return progress?.isAnsweredBy(member) === true
      ? progress.ackedSentAtMs
      : Number.NEGATIVE_INFINITY;
  };

  constructor(core: ConsensusCore) {
    this.#core = core;
    this.renew();
  }

  /**
   * Follows the configurations that are not behind the commit index: a node that a change removes
   * hears of it before it is forgotten.
   */
  renew(): void {
    const { history, commitIndex, log, self, options } = this.#core;
    const leastWaitMs = LOST_HEARTBEATS * options.timing.heartbeatMs;
    const named = new Set(history.since(commitIndex).flatMap(nodesOf));
    for (const node of this.#progress.keys()) if (!named.has(node)) this.#progress.delete(node);
    for (const node of named) {
      if (node !== self && !this.#progress.has(node)) {
        this.#progress.set(node, new Progress(log.lastIndex + 1, leastWaitMs));
      }
    }
  }

  get(node: NodeId): Progress | undefined {
    return this.#progress.get(node);
  }

  entries(): IterableIterator<[NodeId, Progress]> {
    return this.#progress.entries();
  }

  /** Whoever it is has answered `round`. Undefined: nobody that this leader has to do with. */
  answered(from: Sender, original: boolean, round: number): Progress | undefined {
    const progress = this.#progress.get(from.node);
    if (progress === undefined) return undefined;
    progress.meet(identityOf(from, original));
    progress.answered(round, this.rounds.sentAtMs(round));
    return progress;
  }

  /** The greatest index that a quorum has durably. */
  quorumIndex(): number {
    return reachedByQuorum(this.#core.configuration, this.#matched);
  }

  /** Voters that are known to have the log up to `index` durably. */
  holdersOf(index: number): readonly NodeId[] {
    const { voters } = this.#core.configuration;
    return voters.filter((voter) => this.#matched(voter) >= index).map(({ node }) => node);
  }

  /** The newest round that a quorum has answered. */
  quorumRound(): number {
    return reachedByQuorum(this.#core.configuration, this.#ackedRound);
  }

  /** When that was sent which the last of a quorum has answered. */
  quorumSentAtMs(): number {
    return reachedByQuorum(this.#core.configuration, this.#ackedSentAtMs);
  }

  #ownMatch(): number {
    const { planted, log } = this.#core;
    return planted.leaderCountsUnsynced === true ? log.lastIndex : this.durableIndex;
  }
}
