import type { ConsensusCore } from "./consensus-core.ts";
import type { ReadFailure } from "./consensus-types.ts";
import type { ReadIndexReply } from "./peer-messages.ts";

const QUESTIONS_PER_LIFE = 4_294_967_296;
/** As many as a safe integer has room for. */
const MAX_LIVES = 1_048_576;

interface Question {
  readonly id: number;
  readonly tokens: readonly number[];
  readonly askedAtMs: number;
  sentAtMs: number;
}

/**
 * Reads at a follower (thesis §6.4): it asks the leader for an index, one question at a time for
 * all readers that wait, and may read once it has applied so far.
 */
export class FollowerReads {
  readonly #core: ConsensusCore;
  #waiting: number[] = [];
  #question: Question | undefined;
  #lastId: number;

  /**
   * An answer may reach a later life of this node, or the machine that was made in the place of one
   * that threw: its questions are not those of this one.
   */
  constructor(core: ConsensusCore) {
    this.#core = core;
    const { self, firstQuestion } = core.options;
    this.#lastId = (self.incarnation % MAX_LIVES) * QUESTIONS_PER_LIFE + firstQuestion;
  }

  get isIdle(): boolean {
    return this.#question === undefined && this.#waiting.length === 0;
  }

  add(token: number): void {
    this.#waiting.push(token);
  }

  flush(): void {
    if (this.#waiting.length === 0 || this.#question !== undefined) return;
    if (this.#core.leader === undefined) {
      this.fail("not-leader");
      return;
    }
    const { nowMs } = this.#core;
    const id = ++this.#lastId;
    this.#question = { id, tokens: this.#waiting, askedAtMs: nowMs, sentAtMs: nowMs };
    this.#waiting = [];
    this.#ask(this.#question);
  }

  onReply(reply: ReadIndexReply): void {
    const question = this.#question;
    if (question === undefined || question.id !== reply.token) return;
    this.#question = undefined;
    const { outputs } = this.#core.options;
    for (const token of question.tokens) {
      if (reply.failure === undefined) outputs.readConfirmed(token, reply.index);
      else outputs.readFailed(token, reply.failure);
    }
    this.flush();
  }

  /** A question that is not answered is asked again, and given up after an election timeout. */
  tick(): void {
    const question = this.#question;
    if (question === undefined) return;
    const { nowMs, options } = this.#core;
    const { electionTimeoutMs, heartbeatMs } = options.timing;
    if (nowMs - question.askedAtMs >= electionTimeoutMs) this.fail("timed-out");
    else if (nowMs - question.sentAtMs >= 2 * heartbeatMs) {
      question.sentAtMs = nowMs;
      this.#ask(question);
    }
  }

  fail(reason: ReadFailure): void {
    const tokens = [...(this.#question?.tokens ?? []), ...this.#waiting];
    this.#question = undefined;
    this.#waiting = [];
    for (const token of tokens) this.#core.options.outputs.readFailed(token, reason);
  }

  /** A question vouches for nothing. */
  #ask({ id }: Question): void {
    const { leader, term } = this.#core;
    if (leader === undefined) return;
    this.#core.sendAtOnce(leader, { type: "read-index", term, token: id }, "control");
  }
}
