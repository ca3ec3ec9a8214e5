import type { NodeId } from "../../core/model/ids.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { VoteRequest } from "./peer-messages.ts";

/** Whom an election waits for that damaged replicas would decide. */
export interface Awaited {
  /** They have not said that they have nothing later. */
  readonly nodes: readonly NodeId[];
  /** Of these, those that have said that they have something later. */
  readonly ahead: readonly NodeId[];
}

/**
 * What an election needs beside its votes if it cannot be won without those of replicas that may have
 * lost their tail: with the tail the entries may be lost by which the shard was moved to others, whom
 * none of the voters knows any more. So the candidate asks every node of the cluster as it asks its
 * voters, before it stands, and each has to agree. A node says no, or says who holds the shard, if it
 * has anything later.
 *
 * That is enough: a later configuration is committed once a majority of those it names has it, and
 * whoever has it has an entry that is later than all that the voters here have. Answers of damaged nodes
 * count as well: what one of them has lost another has, which is asked too, or nobody.
 */
export class Clearance {
  readonly #core: ConsensusCore;
  /** The term in which everybody has agreed to an election. */
  #clearedTerm = 0;
  /** All have been asked, beside the voters, since the candidate has begun to ask. */
  #hasAsked = false;
  #missing: readonly NodeId[] = [];
  readonly #ahead = new Set<NodeId>();
  /** As the last question has ended that was not agreed to by all. */
  #awaited: Awaited | undefined;
  /** What of that was said last. */
  #told = "";

  constructor(core: ConsensusCore) {
    this.#core = core;
  }

  /** Of the election that was asked for last; undefined if it waited for nobody beside voters. */
  get awaited(): Awaited | undefined {
    return this.#awaited;
  }

  /** A candidate begins to ask whether it could stand. */
  begin(): void {
    this.#awaited = undefined;
    if (this.#hasAsked) this.#tell();
    else this.#told = "";
    this.#hasAsked = false;
    this.#ahead.clear();
  }

  /** Somebody has answered that what it has is later. */
  refused(node: NodeId): void {
    this.#ahead.add(node);
  }

  /** Whether everybody has agreed to an election in that term. */
  isGivenFor(term: number): boolean {
    return this.#clearedTerm === term || this.#core.planted.othersNotAsked === true;
  }

  /** Whether everybody agrees to what the candidate asks; asks those who have not been asked yet. */
  ask(request: VoteRequest, agrees: (node: NodeId) => boolean, asked: readonly NodeId[]): boolean {
    const { options, planted } = this.#core;
    if (planted.othersNotAsked === true) return true;
    this.#missing = options.nodes.filter((node) => !agrees(node));
    if (this.#missing.length === 0) {
      this.#clearedTerm = request.term;
      this.#hasAsked = false;
      return true;
    }
    if (this.#hasAsked) return false;
    this.#hasAsked = true;
    for (const node of this.#missing) {
      if (!asked.includes(node)) this.#core.send(node, request, "control");
    }
    return false;
  }

  /** Whether it may be given yet, as far as is known. */
  get isPossible(): boolean {
    const { isReachable, nodes } = this.#core.options;
    return (this.#awaited?.ahead ?? []).length === 0 && nodes.every((node) => isReachable(node));
  }

  #tell(): void {
    const nodes = this.#missing;
    const ahead = [...this.#ahead];
    this.#awaited = { nodes, ahead };
    const said = `${nodes.join()} ${ahead.join()}`;
    if (said === this.#told) return;
    this.#told = said;
    this.#core.emit("raft-waits", { nodes, ahead });
  }
}
