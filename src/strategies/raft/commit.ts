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
  /** Of the entries behind the commit index. */
  #uncommittedBytes: number;

  constructor(core: ConsensusCore, followers: Followers) {
    this.#core = core;
    this.#followers = followers;
    this.#uncommittedBytes = core.log.bytesBetween(core.commitIndex + 1, core.log.lastIndex);
  }

  /** Whether an entry of the own term is committed: only then is all of before known to be. */
  get isOwnTermCommitted(): boolean {
    const { log, commitIndex, term } = this.#core;
    return log.termOf(commitIndex) === term;
  }

  /** Whether there is room for another entry; there always is for one. */
  hasRoom(bytes: number): boolean {
    const { uncommittedBytes } = this.#core.options.limits;
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

  /** Of entries that memory has forgotten nobody knows how long they were: then the rest is counted. */
  #committed(before: number, index: number): void {
    const { log } = this.#core;
    const { memoryFirst, lastIndex } = log;
    if (index === lastIndex) this.#uncommittedBytes = 0;
    else if (before + 1 >= memoryFirst)
      this.#uncommittedBytes -= log.bytesBetween(before + 1, index);
    else if (index + 1 >= memoryFirst)
      this.#uncommittedBytes = log.bytesBetween(index + 1, lastIndex);
  }
}
