import type { ConsensusCore } from "./consensus-core.ts";
import type { Followers } from "./followers.ts";

/**
 * When an entry is committed: extended paper §5.3 and §5.4.2.
 *
 * Invariant: a leader counts replicas only for entries of its own term; what lies before them is
 * committed with them (Log Matching). An entry of an earlier term that a majority has can still be
 * overwritten (Figure 8).
 */
export class CommitRule {
  readonly #core: ConsensusCore;
  readonly #followers: Followers;
  /** Of the entries behind the commit index; within a mark of the log's where memory has forgotten them. */
  #uncommittedBytes: number;
  /** The same, when the term began. */
  readonly #inheritedBytes: number;

  constructor(core: ConsensusCore, followers: Followers) {
    this.#core = core;
    this.#followers = followers;
    this.#inheritedBytes = core.log.bytesAbove(core.commitIndex);
    this.#uncommittedBytes = this.#inheritedBytes;
  }

  /** Whether an entry of the own term is committed: only then is all of before known to be. */
  get isOwnTermCommitted(): boolean {
    const { log, commitIndex, term } = this.#core;
    return log.termOf(commitIndex) === term;
  }

  /**
   * Whether there is room for another entry; there always is for one. Where no leader's term is long
   * enough to commit anything, as over a slow link, each adds what it is asked for to what it finds,
   * and the replicas have the more to get: from some size on what is there has to be committed first.
   */
  hasRoom(bytes: number): boolean {
    const { uncommittedBytes, inheritedBytes } = this.#core.options.limits;
    if (this.#inheritedBytes > inheritedBytes && !this.isOwnTermCommitted) return false;
    return this.#uncommittedBytes === 0 || this.#uncommittedBytes + bytes <= uncommittedBytes;
  }

  appended(bytes: number): void {
    this.#uncommittedBytes += bytes;
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Commits what a quorum has. True if that is news. */
  maybeCommit(): boolean {
    const core = this.#core;
    const index = this.#followers.quorumIndex();
    const before = core.commitIndex;
    if (index <= before) return false;
    if (core.log.termOf(index) !== core.term && core.planted.oldTermCommitted !== true)
      return false;
    core.commit(index);
    this.#committed(before, index);
    return true;
  }

  /** Counted exactly while memory has them: the marks are not, and their error would add up. */
  #committed(before: number, index: number): void {
    const { log } = this.#core;
    if (before + 1 >= log.memoryFirst)
      this.#uncommittedBytes -= log.bytesBetween(before + 1, index);
    else this.#uncommittedBytes = log.bytesAbove(index);
  }
}
