import type { Sender } from "../../core/contracts/machine.ts";
import type { LogRecord } from "../../core/contracts/storage.ts";
import { AnswerWait } from "../../core/model/answer-wait.ts";
import type { LogSequence, NodeId } from "../../core/model/ids.ts";
import { type ConsensusCore, identityOf } from "./consensus-core.ts";
import { termOfEntry } from "./entry.ts";
import type { Followers } from "./followers.ts";
import { violated } from "./invariant.ts";
import type { AppendReply, SnapshotReply } from "./peer-messages.ts";
import type { Progress } from "./progress.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

/** Where chunks of a picture are answered at once, one that is not is waited for so long. */
const RESEND_HEARTBEATS = 5;
/** With a question where the logs agree goes what is short enough to be wasted. */
const PROBE_BYTES = 16 * 1024;
/** The same where it is asked again, at each heartbeat for as long as no answer comes. */
const REPEATED_PROBE_BYTES = 512;

/** A follower's entries on their way from the log. */
interface Reading {
  readonly node: NodeId;
  readonly nextIndex: number;
}

/**
 * A leader's part in replication: extended paper §5.3, thesis §10.2.1 (pipelined, and in parallel
 * with the leader's own disk) and §7 of the paper (snapshots for those who are too far back).
 */
export class Replication {
  readonly #core: ConsensusCore;
  readonly #followers: Followers;
  readonly #readings = new Map<number, Reading>();
  readonly #snapshots = new Map<NodeId, SnapshotSender>();
  readonly #waits = new Map<NodeId, AnswerWait>();
  /** What those will want of the log next that were given a picture, until memory has it. */
  readonly #wanted = new Map<NodeId, number>();
  #lastSnapshot = 0;

  constructor(core: ConsensusCore, followers: Followers) {
    this.#core = core;
    this.#followers = followers;
  }

  /** Sends every follower what it may be sent now. */
  flush(round: number): void {
    for (const [node, progress] of this.#followers.entries()) this.#feed(node, progress, round);
  }

  /** At every heartbeat: what was lost is sent again. */
  tick(): void {
    this.#noteWanted();
    for (const [node, progress] of this.#followers.entries()) {
      progress.awaits = false;
      if (progress.state !== "snapshot") continue;
      const sender = this.#snapshots.get(node);
      if (sender !== undefined && !sender.tick()) this.#dropSnapshot(node);
    }
  }

  onReply(from: Sender, reply: AppendReply): void {
    const { log } = this.#core;
    const progress = this.#followers.answered(from, reply.original, reply.round);
    if (progress === undefined) return;
    if (reply.rejected) {
      if (progress.state === "snapshot") return;
      // Its log is another group's: it takes nothing but a picture.
      if (reply.index === 0) progress.startSnapshot();
      else this.#rewind(progress, reply);
      return;
    }
    if (reply.index > log.lastIndex) violated("match ≤ last", reply.index, log.lastIndex);
    progress.accepted(reply.index, this.#core.nowMs, reply.round);
    const picture = this.#snapshots.get(from.node);
    // It has got on without the picture.
    if (picture !== undefined && reply.index >= picture.index) progress.replicate();
  }

  /** The follower says in a heartbeat's answer up to where it has what it was sent. */
  onHeld(progress: Progress, heldIndex: number): void {
    const { nowMs, options } = this.#core;
    progress.held(heldIndex, nowMs);
    if (progress.hasLost(nowMs, options.timing.electionTimeoutMs)) {
      progress.probe(progress.matchIndex + 1);
    }
  }

  onSnapshotReply(from: Sender, reply: SnapshotReply): void {
    const progress = this.#followers.get(from.node);
    const sender = this.#snapshots.get(from.node);
    if (progress === undefined || sender === undefined) return;
    progress.meet(identityOf(from, reply.original));
    if (progress.state !== "snapshot" || !sender.onReply(reply)) return;
    this.#dropSnapshot(from.node);
    progress.has(Math.min(reply.index, this.#core.log.lastIndex));
    progress.probe(progress.matchIndex + 1);
  }

  /** The peer's process is another one now: nothing that was on its way arrives. */
  restart(node: NodeId): void {
    const progress = this.#followers.get(node);
    if (progress === undefined) return;
    if (progress.state === "snapshot") this.#snapshots.get(node)?.restart();
    else progress.probe(progress.matchIndex + 1);
  }

  onRecords(token: number, records: readonly LogRecord[]): void {
    const { reading, progress } = this.#ended(token);
    if (reading === undefined || progress === undefined) return;
    const { nextIndex } = reading;
    if (progress.nextIndex !== nextIndex || progress.state === "snapshot") return;
    const [first] = records;
    if (first?.sequence === nextIndex - 1) {
      progress.learnTerm(nextIndex - 1, termOfEntry(first.payload));
    }
    const entries = records.filter((record) => record.sequence >= nextIndex);
    const prevTerm = this.#prevTerm(progress);
    // A long entry may have come alone: what follows it is read next.
    if (prevTerm === undefined || entries[0]?.sequence !== nextIndex) return;
    const payloads = entries.map((record) => record.payload);
    const sent = progress.state === "probe" ? wastable(progress, payloads) : payloads;
    this.#send(reading.node, progress, this.#followers.rounds.current, prevTerm, sent);
  }

  /** What the follower lacks is not in the log any more. */
  onUnreadable(token: number): void {
    const { reading, progress } = this.#ended(token);
    if (reading === undefined || progress === undefined) return;
    if (progress.nextIndex === reading.nextIndex) progress.startSnapshot();
  }

  /** The leadership ends: pictures are given back. */
  close(): void {
    this.#core.wantedFrom = undefined;
    for (const node of [...this.#snapshots.keys()]) this.#dropSnapshot(node);
  }

  describeSnapshot(node: NodeId): number | undefined {
    return this.#snapshots.get(node)?.chunksConfirmed;
  }

  #feed(node: NodeId, progress: Progress, round: number): void {
    if (progress.state === "snapshot") {
      this.#feedSnapshot(node);
      return;
    }
    // Another store answers in its place, or it has got on without.
    if (this.#snapshots.size > 0) this.#dropSnapshot(node);
    const { log, options } = this.#core;
    if (progress.state === "probe") {
      if (!progress.awaits) this.#ask(node, progress, round);
      return;
    }
    while (
      !progress.isReading &&
      progress.nextIndex <= log.lastIndex &&
      progress.hasRoom(options.limits)
    ) {
      this.#sendFrom(node, progress, round);
    }
  }

  /** Where the logs agree. What is asked at every heartbeat until it is answered is short. */
  #ask(node: NodeId, progress: Progress, round: number): void {
    if (progress.isReading) return;
    const { log } = this.#core;
    const { nextIndex, isAskedAgain } = progress;
    const prevTerm = this.#prevTerm(progress);
    const isBeyondMemory = nextIndex <= log.lastIndex && nextIndex < log.memoryFirst;
    if (prevTerm === undefined || (isBeyondMemory && !isAskedAgain)) {
      this.#read(node, progress);
      return;
    }
    const records = log.records(nextIndex, PROBE_BYTES);
    this.#send(node, progress, round, prevTerm, wastable(progress, records));
  }

  #sendFrom(node: NodeId, progress: Progress, round: number): void {
    const { log, options } = this.#core;
    const { nextIndex } = progress;
    const prevTerm = this.#prevTerm(progress);
    if (prevTerm === undefined || (nextIndex <= log.lastIndex && nextIndex < log.memoryFirst)) {
      this.#read(node, progress);
      return;
    }
    const records = log.records(nextIndex, options.limits.messageBytes);
    this.#send(node, progress, round, prevTerm, records);
  }

  #send(
    node: NodeId,
    progress: Progress,
    round: number,
    prevTerm: number,
    records: readonly Uint8Array[],
  ): void {
    const { term, commitIndex } = this.#core;
    const prevIndex = progress.nextIndex - 1;
    let bytes = 0;
    for (const record of records) bytes += record.length;
    progress.sent(prevIndex + records.length, bytes, this.#core.nowMs, round);
    // Before it is durable here (thesis §10.2.1): the leader counts its own copy when that is
    // durable, and the followers' answers say nothing about it. Its term and its vote are: it was
    // elected by answers to a request that had waited for them.
    this.#core.sendAtOnce(
      node,
      { type: "append", term, round, prevIndex, prevTerm, commitIndex, records },
      "log",
    );
  }

  /** Of the entry before the next one; undefined where that has to be read from the log. */
  #prevTerm(progress: Progress): number | undefined {
    const index = progress.nextIndex - 1;
    return index === 0 ? 0 : (this.#core.log.termOf(index) ?? progress.learnedTerm(index));
  }

  #read(node: NodeId, progress: Progress): void {
    progress.isReading = true;
    const token = this.#core.nextReadToken();
    const { nextIndex } = progress;
    this.#readings.set(token, { node, nextIndex });
    const isKnown = this.#prevTerm(progress) !== undefined;
    const from = (isKnown ? nextIndex : nextIndex - 1) as LogSequence;
    const { messageBytes } = this.#core.options.limits;
    this.#core.effects.readLog(token, from, messageBytes);
  }

  #ended(token: number) {
    const reading = this.#readings.get(token);
    this.#readings.delete(token);
    const progress = reading === undefined ? undefined : this.#followers.get(reading.node);
    if (progress !== undefined) progress.isReading = false;
    return { reading, progress };
  }

  /**
   * Back to the last place at which both logs may agree: none with a term above the follower's
   * there (§5.3: one question per term in doubt, not per entry).
   */
  #rewind(progress: Progress, { round, index, hintIndex, hintTerm }: AppendReply): void {
    const { log } = this.#core;
    const hint = Math.min(hintIndex, index - 1);
    // Where the terms are not known any more the follower's own word has to do.
    const isKnown = log.termOf(hint) !== undefined;
    const agreed = isKnown ? Math.min(log.lastIndexWithin(hint, hintTerm), hint) : hint;
    progress.rejected(round, this.#followers.rounds.current, Math.max(1, agreed + 1));
  }

  #feedSnapshot(node: NodeId): void {
    const sender = this.#snapshots.get(node) ?? this.#openSnapshot(node);
    if (sender !== undefined && !sender.pump()) this.#dropSnapshot(node);
  }

  #openSnapshot(node: NodeId): SnapshotSender | undefined {
    const core = this.#core;
    const picture = core.options.state.openPicture();
    if (picture === undefined) return undefined;
    this.#lastSnapshot++;
    const { lastIndex, lastTerm } = core.log;
    const isBeyond = core.planted.snapshotBeyondState === true;
    const point = isBeyond ? { ...picture.point, index: lastIndex, term: lastTerm } : picture.point;
    const wait = this.#waitFor(node);
    const sender = new SnapshotSender(core, node, this.#lastSnapshot, point, picture, wait);
    this.#snapshots.set(node, sender);
    this.#wanted.set(node, point.index + 1);
    this.#noteWanted();
    core.emit("raft-snapshot-started", { to: node, index: point.index });
    return sender;
  }

  #waitFor(node: NodeId): AnswerWait {
    const leastMs = RESEND_HEARTBEATS * this.#core.options.timing.heartbeatMs;
    const wait = this.#waits.get(node) ?? new AnswerWait(leastMs);
    this.#waits.set(node, wait);
    return wait;
  }

  /** Of a follower that is silent nothing is kept. */
  #noteWanted(): void {
    if (this.#wanted.size === 0) return;
    const { nowMs, log, options } = this.#core;
    for (const node of this.#wanted.keys()) {
      const progress = this.#followers.get(node);
      if (progress === undefined) {
        this.#wanted.delete(node);
        continue;
      }
      const isServed = progress.state !== "snapshot" && progress.nextIndex >= log.memoryFirst;
      const isSilent = nowMs - progress.ackedSentAtMs > options.timing.electionTimeoutMs;
      if (isServed || isSilent) this.#wanted.delete(node);
      else if (progress.state === "replicate") this.#wanted.set(node, progress.matchIndex + 1);
    }
    const from = Math.min(...this.#wanted.values());
    this.#core.wantedFrom = Number.isFinite(from) ? from : undefined;
  }

  #dropSnapshot(node: NodeId): void {
    this.#snapshots.get(node)?.close();
    this.#snapshots.delete(node);
  }
}

/** Of the next entries what may go with a question: long ones would go again and again. */
function wastable(progress: Progress, records: readonly Uint8Array[]): readonly Uint8Array[] {
  const maxBytes = progress.isAskedAgain ? REPEATED_PROBE_BYTES : PROBE_BYTES;
  let bytes = 0;
  let count = 0;
  for (const record of records) {
    bytes += record.length;
    if (bytes > maxBytes) break;
    count++;
  }
  return records.slice(0, count);
}
