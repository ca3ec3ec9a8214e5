import type { Sender } from "../../core/contracts/machine.ts";
import type { LogSequence } from "../../core/model/ids.ts";
import type { Acceptance } from "./acceptance.ts";
import { NO_CONFIGURATION } from "./configuration-history.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { AppliedPoint } from "./consensus-types.ts";
import type { SnapshotChunk } from "./peer-messages.ts";

/** Chunks that have overtaken the one that is wanted. */
const MAX_EARLY = 8;

interface Installation {
  readonly term: number;
  readonly snapshot: number;
  next: number;
  readonly early: Map<number, SnapshotChunk>;
}

/**
 * Takes the leader's picture of the state in place of the own one: Figure 13, "InstallSnapshot RPC,
 * Receiver implementation".
 *
 * Invariants:
 * - the applied index never falls: what is not beyond the commit index is not installed, unless
 *   what is here counts for nothing: it is another group's, or the leader lacks it;
 * - a log that has the picture's last entry is kept, whatever the state has of it: the entries
 *   behind it may have been vouched for (step 6).
 */
export class SnapshotReceiver {
  readonly #core: ConsensusCore;
  readonly #acceptance: Acceptance;
  #installation: Installation | undefined;

  constructor(core: ConsensusCore, acceptance: Acceptance) {
    this.#core = core;
    this.#acceptance = acceptance;
  }

  get isReceiving(): boolean {
    return this.#installation !== undefined;
  }

  /** From the leader of the current term. */
  onChunk(from: Sender, message: SnapshotChunk): void {
    const core = this.#core;
    const { point } = message;
    if (core.planted.snapshotInstalledOverNewer !== true && this.#has(point)) {
      this.abort();
      this.#acceptance.matched(Math.max(point.index, core.commitIndex));
      this.#acceptance.follow(point.index);
      this.#reply(from, message, { next: message.number + 1, installed: true });
      return;
    }
    const installation = this.#begun(message);
    if (installation === undefined) {
      this.#reply(from, message, { next: 0, installed: false });
      return;
    }
    const { early } = installation;
    const ahead = message.number - installation.next;
    if (ahead >= 0 && ahead < MAX_EARLY) early.set(message.number, message);
    let isInstalled = false;
    for (let next = early.get(installation.next); next !== undefined; ) {
      early.delete(installation.next++);
      core.options.state.installChunk(next.chunk);
      isInstalled = next.last;
      next = early.get(installation.next);
    }
    if (isInstalled) this.#finish(point);
    this.#reply(from, message, { next: installation.next, installed: isInstalled });
  }

  /** What was received of a picture that is not needed any more. */
  abort(): void {
    if (this.#installation === undefined) return;
    this.#installation = undefined;
    this.#core.options.state.abortInstall();
  }

  /** A leader that was replaced sends no more of its picture: nothing will come of what is here. */
  abortOlder(): void {
    if (this.#installation !== undefined && this.#installation.term < this.#core.term) this.abort();
  }

  #has({ index, term }: AppliedPoint): boolean {
    const { commitIndex, log, superseded } = this.#core;
    if (superseded || this.#acceptance.hasDiverged) return false;
    return index <= commitIndex || log.termOf(index) === term;
  }

  #begun({ term, snapshot, number }: SnapshotChunk): Installation | undefined {
    const held = this.#installation;
    if (held?.term === term && held.snapshot === snapshot) return held;
    // A late copy of what the leader has given up: it numbers its pictures one after another.
    const isOlder = held?.term === term && snapshot < held.snapshot;
    if (number !== 0 || isOlder) return undefined;
    this.abort();
    this.#core.options.state.beginInstall();
    this.#installation = { term, snapshot, next: 0, early: new Map() };
    return this.#installation;
  }

  #finish(point: AppliedPoint): void {
    const core = this.#core;
    this.#installation = undefined;
    core.options.state.finishInstall(point);
    core.effects.resetLog((point.index + 1) as LogSequence);
    core.restart(point.index, point.term);
    core.history.reset(point.configurationIndex, point.configuration ?? NO_CONFIGURATION);
    this.#acceptance.restarted();
    this.#acceptance.matched(point.index);
    core.emit("raft-snapshot-installed", { index: point.index, term: point.term });
  }

  /** Leaves when what was installed is durable, like every word about the log. */
  #reply(
    from: Sender,
    { snapshot, point }: SnapshotChunk,
    { next, installed }: { readonly next: number; readonly installed: boolean },
  ): void {
    const { term, original } = this.#core;
    const { index } = point;
    this.#core.send(
      from.node,
      { type: "snapshot-reply", term, snapshot, next, installed, index, original },
      "log",
    );
  }
}
