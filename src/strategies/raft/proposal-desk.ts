import type { Effects, Sender } from "../../core/contracts/machine.ts";
import type { Applied } from "./apply.ts";
import type {
  IsProposedMessage,
  ProposeMessage,
  RaftMessage,
  ReplicaRefusal,
} from "./client-messages.ts";
import { mostBodyBytes, RECORD_HEAD_BYTES } from "./commands.ts";
import type { Moment, ProposalResult, Standing } from "./consensus-types.ts";
import { Proposals } from "./proposals.ts";
import type { Replies } from "./replies.ts";

type Fx = Effects<RaftMessage>;

/** What the desk asks of the replica that it belongs to. */
export interface ProposalPorts {
  readonly replies: Pick<Replies, "standpoint" | "say" | "refuse">;
  /** Of the log. */
  maxRecordBytes(): number | undefined;
  serving(): boolean;
  standing(): Standing;
  /** Whether nobody can lead any more. */
  isQuorumLost(): boolean;
  /** Proposes a record as this replica's own, which is the log's from there on. */
  propose(record: Uint8Array, at: Moment, effects: Fx): ProposalResult;
}

/**
 * Takes what coordinators propose to one replica, and tells them what became of it.
 *
 * A leader appends a proposal once, however often it is told of it, as long as it leads and has not
 * answered: what comes again is answered with the entry that is there. A later leader knows nothing of
 * that, nor does this one of what it has answered: that it takes effect once is kept by sessions.
 */
export class ProposalDesk {
  readonly #ports: ProposalPorts;
  readonly #proposals = new Proposals();

  constructor(ports: ProposalPorts) {
    this.#ports = ports;
  }

  /** How many wait. */
  get size(): number {
    return this.#proposals.size;
  }

  take(from: Sender, { type, requestId, record }: ProposeMessage, at: Moment, effects: Fx): void {
    const { replies } = this.#ports;
    const refuse = (reason: ReplicaRefusal) =>
      replies.refuse(from.node, requestId, reason, effects);
    if (!this.#ports.serving()) {
      refuse("not-serving");
      return;
    }
    if (type === "propose-again" && this.#has(from, requestId)) {
      refuse("proposed");
      return;
    }
    // The asker's log may take larger records than this one.
    if (record.length - RECORD_HEAD_BYTES > mostBodyBytes(this.#ports.maxRecordBytes())) {
      refuse("backlog");
      return;
    }
    const result = this.#ports.propose(record, at, effects);
    if (result.refused === undefined) {
      this.#proposals.add({ index: result.index, term: result.term, from, requestId });
    } else {
      refuse(result.refused === "backlog" ? "backlog" : this.#elsewhere);
    }
  }

  /** A refusal in any case: of the question, not of what it is about. */
  answer(from: Sender, { requestId }: IsProposedMessage, effects: Fx): void {
    const { replies } = this.#ports;
    let reason: ReplicaRefusal = "not-serving";
    if (this.#ports.serving()) {
      if (this.#has(from, requestId)) reason = "proposed";
      else if (this.#ports.standing().role === "leader") reason = "not-proposed";
      else reason = this.#elsewhere;
    }
    replies.refuse(from.node, requestId, reason, effects);
  }

  /** What the entry at `index` has come to; undefined: nothing, it was no command. */
  settled(index: number, term: number, applied: Applied | undefined, effects: Fx): void {
    const waiter = this.#proposals.take(index);
    if (waiter === undefined) return;
    const { requestId, from } = waiter;
    const { replies } = this.#ports;
    if (applied === undefined || waiter.term !== term) {
      replies.refuse(from.node, requestId, "overwritten", effects);
      return;
    }
    const standpoint = replies.standpoint();
    const reply = { type: "propose-reply", requestId, ...standpoint, applied } as const;
    replies.say(from.node, reply, effects);
  }

  /** Leadership is lost. The next leader decides; the askers go there under the same id. */
  drop(effects: Fx): void {
    for (const { from, requestId } of this.#proposals.takeAll()) {
      this.#ports.replies.refuse(from.node, requestId, "undecided", effects);
    }
  }

  get #elsewhere(): ReplicaRefusal {
    return this.#ports.isQuorumLost() ? "quorum-lost" : "not-leader";
  }

  #has(from: Sender, requestId: number): boolean {
    const { role, term } = this.#ports.standing();
    return role === "leader" && this.#proposals.has(from, requestId, term);
  }
}
