import type { CoordinatorContext, Effects, Request } from "../../core/contracts/machine.ts";
import { ByteWriter } from "../../core/model/bytes.ts";
import { decodeSessionOperationId } from "../../core/model/operation-id.ts";
import type { Outcome } from "../../core/model/outcome.ts";
import type { ClientMessage, RaftMessage } from "./client-messages.ts";
import { proposedRecord, writeBody } from "./commands.ts";
import type { Errand, Errands, ErrandTask, ReplicaReply } from "./errands.ts";

type Fx = Effects<RaftMessage>;

/** A request's memo while what became of an earlier write is found out. */
export class PendingResolve {
  readonly request: Request;
  readonly tasks: ResolveTask[] = [];
  waiting = 0;
  outcome: Outcome = "not-applied";

  constructor(request: Request) {
    this.request = request;
  }
}

class ResolveTask implements ErrandTask {
  readonly route = "leader";
  readonly isProposal = true;
  readonly shardIndex: number;
  readonly pending: PendingResolve;
  readonly #flow: ResolveFlow;
  readonly #body: Uint8Array;
  errand: Errand | undefined = undefined;

  constructor(flow: ResolveFlow, pending: PendingResolve, shardIndex: number, body: Uint8Array) {
    this.#flow = flow;
    this.pending = pending;
    this.shardIndex = shardIndex;
    this.#body = body;
  }

  message(requestId: number, isAgain: boolean): ClientMessage {
    const type = isAgain ? "propose-again" : "propose";
    return { type, requestId, record: proposedRecord(this.#body) };
  }

  answered(_errand: Errand, reply: ReplicaReply, _nowMs: number, effects: Fx): void {
    if (reply.type !== "propose-reply") return;
    const { applied } = reply;
    this.#flow.settled(this, applied.type === "resolved" ? applied.outcome : "unknown", effects);
  }

  refused(): boolean {
    return true;
  }
}

/**
 * What became of a write: a fence is committed where it would have to be applied, so that `not
 * applied` stays true whatever copy of it is still on its way. An id that was handed out does not
 * say which shard it was used for: then the fence is committed in all of them.
 */
export class ResolveFlow {
  readonly #context: CoordinatorContext;
  readonly #errands: Errands;
  readonly #writer = new ByteWriter();

  constructor(context: CoordinatorContext, errands: Errands) {
    this.#context = context;
    this.#errands = errands;
  }

  start(request: Request, nowMs: number, effects: Fx): void {
    const id = decodeSessionOperationId(request.operation.operationId ?? "");
    if (id === undefined || id.keyspaceHash !== this.#context.keyspaceHash) {
      effects.reply(request, { outcome: "unknown" });
      return;
    }
    this.#writer.reset();
    writeBody(this.#writer, { type: "resolve", session: id.session, sequence: id.sequence });
    const body = this.#writer.copy();
    const pending = new PendingResolve(request);
    request.memo = pending;
    const { shardCount } = this.#context;
    const shards =
      id.shardIndex === undefined
        ? Array.from({ length: shardCount }, (_, index) => index)
        : [id.shardIndex % shardCount];
    pending.waiting = shards.length;
    for (const shardIndex of shards) {
      const task = new ResolveTask(this, pending, shardIndex, body);
      pending.tasks.push(task);
      task.errand = this.#errands.start(task, nowMs, effects);
    }
  }

  settled({ pending }: ResolveTask, outcome: Outcome, effects: Fx): void {
    pending.waiting--;
    if (outcome === "applied") {
      this.#answer(pending, "applied", effects);
      return;
    }
    if (outcome === "unknown") pending.outcome = "unknown";
    if (pending.waiting === 0) this.#answer(pending, pending.outcome, effects);
  }

  /** At its deadline, or where nobody waits any more: nothing is known. */
  giveUp(pending: PendingResolve, effects: Fx): void {
    this.#answer(pending, "unknown", effects);
  }

  #answer(pending: PendingResolve, outcome: Outcome, effects: Fx): void {
    for (const { errand } of pending.tasks) if (errand !== undefined) this.#errands.end(errand);
    effects.replyBeforeDurable(pending.request, { outcome });
  }
}
