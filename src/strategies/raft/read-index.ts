import type { NodeId } from "../../core/model/ids.ts";
import type { CommitRule } from "./commit.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { ReadFailure } from "./consensus-types.ts";
import type { Followers } from "./followers.ts";

interface Reader {
  readonly token: number;
  /** The follower that has asked; undefined: this node's own replica. */
  readonly node: NodeId | undefined;
}

interface AskedRound {
  readonly round: number;
  readonly index: number;
  readonly readers: readonly Reader[];
}

/**
 * Reads at the leader (thesis §6.4): the commit index as it is when the followers are asked, given
 * out when a quorum has answered that it still follows.
 *
 * - Before an entry of the own term is committed, entries that an earlier leader committed may lie
 *   beyond the commit index: readers wait.
 * - One round at a time, for all readers that wait when it begins: it is as long as it takes to
 *   ask, and whoever comes meanwhile is in the next one.
 */
export class ReadIndex {
  readonly #core: ConsensusCore;
  readonly #followers: Followers;
  readonly #commit: CommitRule;
  #waiting: Reader[] = [];
  #asked: AskedRound | undefined;

  constructor(core: ConsensusCore, followers: Followers, commit: CommitRule) {
    this.#core = core;
    this.#followers = followers;
    this.#commit = commit;
  }

  add(token: number, node: NodeId | undefined): void {
    this.#waiting.push({ token, node });
    if (this.#core.planted.readUnconfirmed === true) this.#giveOut();
  }

  get isIdle(): boolean {
    return this.#asked === undefined && this.#waiting.length === 0;
  }

  /** Whether there are readers whose round may begin. */
  get wantsRound(): boolean {
    if (this.#waiting.length === 0 || this.#asked !== undefined) return false;
    return this.#commit.isOwnTermCommitted || this.#core.planted.readBeforeOwnCommit === true;
  }

  /** The followers are being asked, with this round. */
  begin(round: number): void {
    this.#asked = { round, index: this.#core.commitIndex, readers: this.#waiting };
    this.#waiting = [];
    this.maybeConfirm();
  }

  /** True if the round that was asked is confirmed. */
  maybeConfirm(): boolean {
    const asked = this.#asked;
    if (asked === undefined || this.#followers.quorumRound() < asked.round) return false;
    this.#asked = undefined;
    for (const reader of asked.readers) this.#answer(reader, asked.index);
    return true;
  }

  /** This node leads no more. */
  fail(): void {
    const readers = [...(this.#asked?.readers ?? []), ...this.#waiting];
    this.#asked = undefined;
    this.#waiting = [];
    for (const { node, token } of readers) {
      if (node === undefined) this.#core.options.outputs.readFailed(token, "not-leader");
      else answerRead(this.#core, node, token, 0, "not-leader");
    }
  }

  #giveOut(): void {
    const readers = this.#waiting;
    this.#waiting = [];
    for (const reader of readers) this.#answer(reader, this.#core.commitIndex);
  }

  #answer({ node, token }: Reader, index: number): void {
    if (node === undefined) this.#core.options.outputs.readConfirmed(token, index);
    else answerRead(this.#core, node, token, index, undefined);
  }
}

/** Vouches for nothing of this node's disk: what is committed is durable with a quorum. */
export function answerRead(
  core: ConsensusCore,
  node: NodeId,
  token: number,
  index: number,
  failure: ReadFailure | undefined,
): void {
  const { term } = core;
  core.sendAtOnce(node, { type: "read-index-reply", term, token, index, failure }, "control");
}
