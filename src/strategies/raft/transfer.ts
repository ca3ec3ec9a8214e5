import type { NodeId } from "../../core/model/ids.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { Followers } from "./followers.ts";
import type { Progress } from "./progress.ts";

/**
 * Leadership transfer (thesis §3.10): the leader takes no more proposals, brings its target up to
 * its own log, and tells it to stand at once. After an election timeout it goes on as before; what
 * it did tell may still be heard, so that its lease is not given back in this term.
 */
export class Transfer {
  readonly #core: ConsensusCore;
  readonly #followers: Followers;
  #target: NodeId | undefined;
  #startedAtMs = 0;
  #hasTold = false;
  #stirredAtMs = Number.NEGATIVE_INFINITY;

  constructor(core: ConsensusCore, followers: Followers) {
    this.#core = core;
    this.#followers = followers;
  }

  get isUnderWay(): boolean {
    return this.#target !== undefined;
  }

  get target(): NodeId | undefined {
    return this.#target;
  }

  /** Whether there is anybody who could lead. */
  get isPossible(): boolean {
    return this.#choose(undefined) !== undefined;
  }

  /** The shard has been resting until now. */
  stirred(): void {
    this.#stirredAtMs = this.#core.nowMs;
  }

  /** False if there is nobody who could lead. */
  start(to: NodeId | undefined): boolean {
    const target = this.#choose(to);
    if (target === undefined) return false;
    this.#target = target;
    this.#startedAtMs = this.#core.nowMs;
    this.#hasTold = false;
    return true;
  }

  /** Tells the target once it has everything. */
  maybeTell(): void {
    const target = this.#target;
    if (target === undefined || this.#hasTold) return;
    const { log, term } = this.#core;
    if ((this.#followers.get(target)?.matchIndex ?? 0) < log.lastIndex) return;
    this.#hasTold = true;
    this.#core.sendAtOnce(target, { type: "take-over", term }, "control");
  }

  /** Gives up what takes too long. */
  tick(): void {
    if (this.#target === undefined) return;
    const { nowMs, options } = this.#core;
    if (nowMs - this.#startedAtMs < options.timing.electionTimeoutMs) return;
    this.#core.emit("raft-transfer-failed", { to: this.#target });
    this.#target = undefined;
  }

  /** `to`, or the voter that answers and has most; among equals the one that should lead. */
  #choose(to: NodeId | undefined): NodeId | undefined {
    const { configuration, options } = this.#core;
    let best: { readonly node: NodeId; readonly progress: Progress } | undefined;
    for (const member of configuration.voters) {
      const progress = this.#followers.get(member.node);
      if (progress?.isAnsweredBy(member) !== true || !this.#isActive(member.node, progress))
        continue;
      if (to !== undefined && member.node !== to) continue;
      const candidate = { node: member.node, progress };
      const isBetter =
        best === undefined ||
        progress.matchIndex > best.progress.matchIndex ||
        (progress.matchIndex === best.progress.matchIndex &&
          options.priorityOf(member.node) > options.priorityOf(best.node));
      if (isBetter) best = candidate;
    }
    return best?.node;
  }

  #isActive(node: NodeId, progress: Progress): boolean {
    const { nowMs, options } = this.#core;
    const { electionTimeoutMs } = options.timing;
    // One that was closed a moment ago has answered until then, and is the one that should rather lead.
    if (!options.isReachable(node)) return false;
    if (nowMs - progress.ackedSentAtMs < electionTimeoutMs) return true;
    // While the shard was resting only its node was asked.
    const wasResting = nowMs - this.#stirredAtMs < electionTimeoutMs;
    const answeredAtMs = options.pairs?.answeredAtMs(node) ?? Number.NEGATIVE_INFINITY;
    return wasResting && nowMs - answeredAtMs < electionTimeoutMs;
  }
}
