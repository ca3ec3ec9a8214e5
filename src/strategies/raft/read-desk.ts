import type { Effects } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { ShardMachine } from "./apply.ts";
import type { RaftMessage, RangeMessage, ReadMessage } from "./client-messages.ts";
import type { Moment, ReadFailure } from "./consensus-types.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import { liveRecordOf, rangeOf } from "./read-state.ts";
import { ReplicaReads, type WaitingRead, type WaitingWatch } from "./replica-reads.ts";
import type { Replies } from "./replies.ts";

const TIMER_MS = 5_000;

type Fx = Effects<RaftMessage>;

/** What the desk asks of the replica that it belongs to. */
export interface DeskPorts {
  readonly machine: ShardMachine;
  isLeader(): boolean;
  leaseHolds(at: Moment): boolean;
  readonly replies: Pick<Replies, "standpoint" | "say" | "refuse">;
}

/** Answers the reads that coordinators ask of one replica, each when it may be answered. */
export class ReadDesk {
  static readonly TIMER = "reads";
  readonly #ports: DeskPorts;
  readonly #reads: ReplicaReads;
  readonly #planted: PlantedReplicaBugs;
  #isTimerSet = false;

  constructor(
    ports: DeskPorts,
    firstToken: number,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  ) {
    this.#ports = ports;
    this.#planted = planted;
    this.#reads = new ReplicaReads(firstToken);
  }

  get size(): number {
    return this.#reads.size;
  }

  /** True if the consensus has to be asked for an index: see `ask`. */
  take(node: NodeId, message: ReadMessage | RangeMessage, at: Moment, effects: Fx): boolean {
    const { requestId, way } = message;
    if (this.#reads.isFull) {
      this.#ports.replies.refuse(node, requestId, "backlog", effects);
      return false;
    }
    const read: WaitingRead = { node, message, way, sinceMs: at.nowMs };
    if (way === "local") {
      this.#takeLocal(read, effects);
      return false;
    }
    if (way === "lease") {
      if (!this.#ports.isLeader()) {
        this.#ports.replies.refuse(node, requestId, "not-leader", effects);
        return false;
      }
      if (this.#ports.leaseHolds(at)) {
        this.#answer(read, effects);
        return false;
      }
    }
    this.#reads.gather(way === "lease" ? { ...read, way: "strong" } : read);
    return true;
  }

  /** A watch begins. */
  takeWatch(watchToken: number, at: Moment, effects: Fx): void {
    if (this.#planted.watchUnconfirmed === true) effects.caughtUp(watchToken, true);
    else if (this.#reads.isFull) effects.caughtUp(watchToken, false);
    else this.#reads.gather({ watchToken, sinceMs: at.nowMs });
  }

  /** The token under which to ask the consensus for all that came since the last call. */
  ask(): number | undefined {
    return this.#reads.ask();
  }

  confirmed(token: number, index: number): void {
    this.#reads.confirmed(token, index);
  }

  failed(token: number, reason: ReadFailure, effects: Fx): void {
    for (const read of this.#reads.failed(token, reason)) {
      if ("watchToken" in read) effects.caughtUp(read.watchToken, false);
      else this.#ports.replies.refuse(read.node, read.message.requestId, "not-leader", effects);
    }
  }

  /** Looks again as long as somebody waits: a full desk takes nobody who would set the timer. */
  onTimer(at: Moment, effects: Fx): void {
    this.#isTimerSet = false;
    this.#reads.forgetOld(at.nowMs);
    if (this.#reads.isWaiting) this.#setTimer(effects);
  }

  /**
   * Answers what waited for the state to come this far. `hasWritten`: this step has changed the
   * state already, so that pages of ranges have to wait for the next.
   */
  answerReady(hasWritten: boolean, effects: Fx): void {
    if (this.#reads.size === 0) return;
    const { appliedIndex } = this.#ports.machine.books;
    const mayAnswer = (read: WaitingRead | WaitingWatch) =>
      !hasWritten || "watchToken" in read || read.message.type === "read";
    for (;;) {
      const read = this.#reads.takeReady(appliedIndex, mayAnswer);
      if (read === undefined) break;
      if ("watchToken" in read) effects.caughtUp(read.watchToken, true);
      else this.#answer(read, effects);
    }
    if (this.#reads.isReady(appliedIndex)) effects.atTurnEnd();
  }

  #takeLocal(read: WaitingRead, effects: Fx): void {
    const asked = read.message.type === "read" ? read.message.seen : undefined;
    const seen = this.#planted.sessionNotAwaited === true ? undefined : asked;
    const { machine } = this.#ports;
    const { appliedIndex } = machine.books;
    if (seen !== undefined && machine.isOfAnotherLife(seen.lifeMark)) {
      this.#ports.replies.refuse(read.node, read.message.requestId, "other-life", effects);
    } else if (seen !== undefined && seen.index > appliedIndex) {
      this.#reads.waitFor(seen.index, read);
      this.#setTimer(effects);
    } else {
      this.#answer(read, effects);
    }
  }

  /** With the state as it is: whoever calls has seen to it that it is new enough. */
  #answer({ node, message, way }: WaitingRead, effects: Fx): void {
    const { requestId } = message;
    const { machine, replies } = this.#ports;
    const standpoint = replies.standpoint();
    const { clockMs } = machine.books;
    if (message.type === "read") {
      const record = liveRecordOf(effects, message.key, clockMs);
      replies.say(node, { type: "read-reply", requestId, ...standpoint, way, record }, effects);
    } else {
      const page = rangeOf(effects, message, clockMs);
      replies.say(node, { type: "range-reply", requestId, ...standpoint, way, ...page }, effects);
    }
  }

  #setTimer(effects: Fx): void {
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    effects.setTimer(ReadDesk.TIMER, TIMER_MS);
  }
}
