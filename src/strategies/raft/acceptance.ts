import type { Sender } from "../../core/contracts/machine.ts";
import { ByteReader } from "../../core/model/bytes.ts";
import { readConfiguration } from "./configuration.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import { kindOfEntry, payloadOfEntry, termOfEntry } from "./entry.ts";
import { groupOf } from "./group.ts";
import { violated } from "./invariant.ts";
import type { AppendReply, AppendRequest, Heartbeat, HeartbeatReply } from "./peer-messages.ts";

/**
 * A follower's part in replication: Figure 2, "AppendEntries RPC, Receiver implementation".
 *
 * Invariant: `matchedIndex` entries from the first on are equal to those of the leader of the
 * current term, so that its commit index holds for them: `commit ≤ min(leader's, matched)`.
 */
export class Acceptance {
  readonly #core: ConsensusCore;
  #matchedIndex = 0;
  /** In which term that is known. */
  #matchedTerm = 0;
  /** Of a replica that may lack its tail: has it this in one term, it has all it vouched for. */
  #recoveryIndex: number | undefined;
  /** In which term the leader was found to lack what is committed here. */
  #divergedTerm: number | undefined;

  constructor(core: ConsensusCore) {
    this.#core = core;
  }

  /**
   * The leader lacks what is committed here. No fault that a group stands brings that about, but a
   * majority that an older copy of a store was counted in can elect such a leader (decision 0016).
   * It is the one that a majority follows: its picture takes the place of what is here.
   */
  get hasDiverged(): boolean {
    return this.#divergedTerm === this.#core.term;
  }

  /** A picture of the leader's has taken the place of what was here. */
  restarted(): void {
    this.#divergedTerm = undefined;
  }

  /** Nothing is known of a new leader's log, but that it has what is committed (§5.4). */
  get matchedIndex(): number {
    const { term, commitIndex } = this.#core;
    if (this.#matchedTerm !== term) return commitIndex;
    return Math.max(this.#matchedIndex, commitIndex);
  }

  /** The log equals the leader's up to here. */
  matched(index: number): void {
    const { term } = this.#core;
    if (this.#matchedTerm !== term) {
      this.#matchedTerm = term;
      this.#matchedIndex = 0;
      this.#recoveryIndex = undefined;
    }
    if (index > this.#matchedIndex) this.#matchedIndex = index;
  }

  /** From the leader of the current term. */
  onAppend(from: Sender, request: AppendRequest): void {
    const core = this.#core;
    const { prevIndex, prevTerm, records } = request;
    this.#maybeJoin();
    if (!core.superseded) this.#compare(request);
    // Nothing here is to be put anything behind. Behind index 0 nobody else refuses.
    if (core.superseded || this.hasDiverged) {
      this.#reply(from, request, { rejected: true, index: prevIndex, hintIndex: 0, hintTerm: 0 });
      return;
    }
    const skipped = Math.max(0, core.commitIndex - prevIndex);
    // Behind the commit index the logs are equal, and the log may not even have the terms any more.
    if (skipped === 0 && core.log.termOf(prevIndex) !== prevTerm) {
      this.#reject(from, request);
      return;
    }
    for (let i = skipped; i < records.length; i++) {
      this.#take(prevIndex + 1 + i, records[i] as Uint8Array);
    }
    this.matched(prevIndex + records.length);
    this.follow(request.commitIndex);
    // Beyond what was sent, only what the leader has committed as well: it may not have the rest.
    const committed = Math.min(core.commitIndex, request.commitIndex);
    const index = Math.max(prevIndex + records.length, committed);
    this.#reply(from, request, { rejected: false, index, hintIndex: 0, hintTerm: 0 });
  }

  /** What the leader has committed is committed here, as far as the logs are known to be equal. */
  follow(commitIndex: number): void {
    if (this.hasDiverged) return;
    this.#core.commit(Math.min(commitIndex, this.matchedIndex));
  }

  onHeartbeat(from: Sender, heartbeat: Heartbeat): void {
    const core = this.#core;
    const { term, round } = heartbeat;
    this.#maybeJoin();
    // Elected after that was committed, it would have it (§5.4); heartbeats of its own term may be late.
    const isOlder = (core.log.termOf(core.commitIndex) ?? term) < term;
    if (isOlder && heartbeat.lastIndex < core.commitIndex && !core.superseded) this.#diverge();
    const counts = !core.superseded && !this.hasDiverged;
    if (counts) {
      this.matched(core.commitIndex);
      this.#maybeRecover(heartbeat.lastIndex);
      this.follow(heartbeat.commitIndex);
    }
    const matchedIndex = counts ? this.matchedIndex : 0;
    const reply: HeartbeatReply = {
      ...{ type: "heartbeat-reply", term, round, matchedIndex },
      original: core.original,
    };
    // Vouches for no entry. That this node is in `term` may be forgotten by a crash: then its vote
    // in a later term has not been given yet, and one given in a later term was durable before it
    // was spoken; the silence after the start keeps the promise that this answer is.
    core.sendAtOnce(from.node, reply, "control");
  }

  /**
   * A replica that may have lost entries it has vouched for has them again once it has, durably,
   * what was in the leader's log when it first heard of it in this term. Until then its vote does
   * not count like others (`Election`): a majority without it has met every majority that it was
   * counted in, so that the leader's log has every entry that its lost answers helped to commit.
   */
  #maybeRecover(lastIndex: number): void {
    const core = this.#core;
    if (!core.recovering) return;
    if (this.#recoveryIndex === undefined) this.#recoveryIndex = lastIndex;
    // Appended in an earlier step, and so earlier in the log than what is kept now.
    else if (this.#matchedIndex >= this.#recoveryIndex) core.keepStanding(core.original, false);
  }

  /** A picture of the group's state has taken the place of what was here, in an earlier step. */
  #maybeJoin(): void {
    const { appliedTerm, term, superseded } = this.#core;
    if (superseded && groupOf(appliedTerm) === groupOf(term)) this.#core.keepJoined();
  }

  /** The terms of what is committed here, as far as they are known, with those of the leader's. */
  #compare({ prevIndex, prevTerm, records }: AppendRequest): void {
    const { log, commitIndex } = this.#core;
    const last = Math.min(commitIndex, prevIndex + records.length);
    for (let index = last; index >= prevIndex && !this.hasDiverged; index--) {
      const record = records[index - prevIndex - 1];
      const known = log.termOf(index);
      if (known === undefined) return;
      if (known !== (record === undefined ? prevTerm : termOfEntry(record))) this.#diverge();
    }
  }

  #diverge(): void {
    if (this.hasDiverged) return;
    const { commitIndex, leader, term } = this.#core;
    this.#divergedTerm = term;
    this.#core.emit("raft-diverged", { commit: commitIndex, leader });
  }

  #take(index: number, record: Uint8Array): void {
    const core = this.#core;
    const { log } = core;
    const term = termOfEntry(record);
    if (index <= log.lastIndex) {
      // Log Matching (§5.3): the same index and term, the same entry, and all before it.
      if (log.termOf(index) === term) return;
      core.truncate(index - 1);
    }
    if (index !== log.lastIndex + 1) violated("appended index = last + 1", index, log.lastIndex);
    appendEntry(core, record);
  }

  #reject(from: Sender, request: AppendRequest): void {
    const { log } = this.#core;
    const hintIndex = log.lastIndexWithin(request.prevIndex, request.prevTerm);
    const hintTerm = log.termOf(hintIndex) ?? 0;
    this.#reply(from, request, { rejected: true, index: request.prevIndex, hintIndex, hintTerm });
  }

  #reply(
    from: Sender,
    { round }: AppendRequest,
    rest: Pick<AppendReply, "rejected" | "index" | "hintIndex" | "hintTerm">,
  ): void {
    const { term, original, planted } = this.#core;
    const reply: AppendReply = { type: "append-reply", term, round, ...rest, original };
    if (planted.ackBeforeDurable === true) this.#core.sendAtOnce(from.node, reply, "log");
    else this.#core.send(from.node, reply, "log");
  }
}

/** Puts an entry behind the log's last; a configuration is in force from here on. */
export function appendEntry(core: ConsensusCore, record: Uint8Array): number {
  const index = core.log.append(record);
  const sequence = core.effects.append(record);
  if (sequence !== index) violated("log index = sequence of the record", index, sequence);
  noteConfiguration(core, index, record);
  return index;
}

/** An entry that is in the log already, or was just put there. */
export function noteConfiguration(core: ConsensusCore, index: number, record: Uint8Array): void {
  if (kindOfEntry(record) !== "configuration") return;
  core.history.append(index, readConfiguration(new ByteReader(payloadOfEntry(record))));
}
