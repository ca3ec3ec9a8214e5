import type {
  CoordinatorContext,
  Effects,
  Request,
  Sender,
} from "../../../../src/core/contracts/machine.ts";
import type { CapstanError } from "../../../../src/core/model/errors.ts";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import type { Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import type { RaftMessage } from "../../../../src/strategies/raft/client-messages.ts";
import { bodyOfRecord, decodeBody } from "../../../../src/strategies/raft/commands.ts";
import type { Standing } from "../../../../src/strategies/raft/consensus-types.ts";
import { Errands } from "../../../../src/strategies/raft/errands.ts";
import { OperationSessions } from "../../../../src/strategies/raft/operation-sessions.ts";
import type { PlantedReplicaBugs } from "../../../../src/strategies/raft/planted-bugs.ts";
import { ProposalDesk } from "../../../../src/strategies/raft/proposal-desk.ts";
import { WriteFlow } from "../../../../src/strategies/raft/write-flow.ts";

const SHARD = 0;
const RESEND_MS = 100;
const WALL_MS = 1_900_000_000_000;
const CONFIGURATION = { voters: [], configurationIndex: 0, configurationGroup: 0 } as const;

interface Flight {
  readonly from: string;
  readonly to: string;
  readonly message: RaftMessage;
}

/** The desk of a replica, and the log that it proposes to. */
class Replica {
  readonly log: { readonly term: number }[] = [];
  readonly desk: ProposalDesk;
  standing: Standing = { role: "follower", term: 1, leader: undefined };
  applied = 0;

  constructor(stage: ProposalStage, name: string) {
    const say = (node: NodeId, message: RaftMessage) => stage.send(name, node, message);
    this.desk = new ProposalDesk({
      replies: {
        standpoint: () => ({ lifeMark: 1, appliedIndex: this.applied, voters: 2 }),
        say,
        refuse: (node, requestId, reason) => {
          const { leader } = this.standing;
          say(node, { type: "refused", requestId, reason, leader, ...CONFIGURATION });
        },
      },
      maxRecordBytes: () => undefined,
      serving: () => true,
      standing: () => this.standing,
      isQuorumLost: () => false,
      propose: (record) => {
        const { role, term, leader } = this.standing;
        if (role !== "leader") return { refused: "not-leader", leader };
        const body = decodeBody(bodyOfRecord(record));
        const action = body.type === "write" ? body.actions[0] : undefined;
        const key = Buffer.from(action?.key ?? []).toString();
        const index = this.log.push({ term });
        stage.lines.push(`${name} appends ${key} as ${index}/${term}`);
        return { index, term };
      },
    });
  }
}

/**
 * A node x that holds no replica writes to a shard of a and b, whose consensus is as it is told. The
 * language of its transcripts, a command a line:
 *
 * - `put k`: x writes a key. `wait 100`: milliseconds pass.
 * - `deliver x>a`, `lose x>a`: the oldest message between the two; `overtake x>a`: the newest arrives;
 *   `forget`: all that are on their way.
 * - `lead a`, `depose a`: in a term of its own; the other node hears of it. `commit a`: all that is in
 *   its log.
 * - `restart x`: another process of it, which gives out the same numbers.
 * - `end`: the deadlines of what was written are over.
 */
export class ProposalStage {
  readonly lines: string[] = [];
  readonly #replicas = new Map([
    ["a", new Replica(this, "a")],
    ["b", new Replica(this, "b")],
  ]);
  readonly #planted: PlantedReplicaBugs;
  #flights: Flight[] = [];
  #nowMs = 0;
  #incarnation = 0;
  #term = 1;
  #requests: Request[] = [];
  #errands: Errands;
  #writes: WriteFlow;

  constructor(planted: PlantedReplicaBugs = {}) {
    this.#planted = planted;
    [this.#errands, this.#writes] = this.#start();
  }

  send(from: string, to: string, message: RaftMessage): void {
    const what = message.type === "refused" ? message.reason : message.type;
    this.lines.push(`${from} → ${to} ${what} ${"requestId" in message ? message.requestId : ""}`);
    this.#flights.push({ from, to, message });
  }

  run(line: string): readonly string[] {
    this.lines.length = 0;
    const [command = "", word = ""] = line.split(" ");
    const replica = this.#replicas.get(word);
    if (command === "put") this.#put(word);
    else if (command === "wait") this.#wait(Number(word));
    else if (command === "deliver" || command === "overtake")
      this.#arrive(this.#next(word, command));
    else if (command === "lose") this.#next(word, command);
    else if (command === "forget") this.#flights = [];
    else if (command === "restart") [this.#errands, this.#writes] = this.#start();
    else if (command === "end") for (const request of this.#requests.splice(0)) this.#end(request);
    else if (replica === undefined) throw new Error(`"${line}" is not a command`);
    else this.#onReplica(command, word, replica);
    return this.lines.slice();
  }

  #onReplica(command: string, name: string, replica: Replica): void {
    if (command === "lead" || command === "depose") {
      const leader = command === "lead" ? (name as NodeId) : undefined;
      this.#term++;
      for (const [each, other] of this.#replicas) {
        const wasLeader = other.standing.role === "leader";
        const role = each === leader ? "leader" : "follower";
        other.standing = { role, term: this.#term, leader };
        if (wasLeader) other.desk.drop(this.#effectsOf());
      }
      return;
    }
    if (command !== "commit") throw new Error(`"${command}" is not a command`);
    for (let index = replica.applied + 1; index <= replica.log.length; index++) {
      const term = replica.log[index - 1]?.term ?? 0;
      replica.applied = index;
      replica.desk.settled(index, term, { type: "written", revision: index }, this.#effectsOf());
    }
  }

  #start(): [Errands, WriteFlow] {
    this.#incarnation++;
    const context = {
      ...{ self: { node: "x" }, keyspace: "k", keyspaceHash: 1 },
      clock: new HybridClock({ actor: { high: 1, low: 1 }, maxSkewMs: 1_000 }),
      placement: () => ({ replicas: ["a", "b"], epoch: 1 }),
      localReplica: () => undefined,
      isReachable: () => true,
      randomUint32: () => 0,
    } as unknown as CoordinatorContext;
    const errands = new Errands(context, RESEND_MS, this.#planted);
    const sessions = new OperationSessions(context, 600_000);
    return [errands, new WriteFlow(context, errands, sessions)];
  }

  #put(text: string): void {
    const [key, value] = [Buffer.from(text), Buffer.from("v")];
    const operation = { type: "put", key, value, shardIndex: SHARD, level: "strong" };
    const request = { operation, memo: undefined, startedAtMs: 0 } as unknown as Request;
    this.#requests.push(request);
    this.#writes.start(request, this.#nowMs, WALL_MS, this.#effectsOf());
  }

  #wait(ms: number): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; ) {
      this.#nowMs += 10;
      this.#errands.sweep(this.#nowMs, this.#effectsOf());
    }
  }

  /** No longer on its way. */
  #next(link: string, command: string): Flight {
    const between = this.#flights.filter(({ from, to }) => `${from}>${to}` === link);
    const flight = command === "overtake" ? between.at(-1) : between[0];
    if (flight === undefined) throw new Error(`nothing is on its way from ${link}`);
    this.#flights = this.#flights.filter((each) => each !== flight);
    return flight;
  }

  #arrive({ from, to, message }: Flight): void {
    const sender: Sender = {
      node: from as NodeId,
      storeId: "s" as StoreId,
      incarnation: this.#incarnation as Incarnation,
    };
    const desk = this.#replicas.get(to)?.desk;
    const effects = this.#effectsOf();
    const at = { nowMs: this.#nowMs, wallMs: WALL_MS };
    if (desk === undefined) this.#errands.onMessage(sender, SHARD, message, this.#nowMs, effects);
    else if (message.type === "is-proposed") desk.answer(sender, message, effects);
    else if (message.type === "propose" || message.type === "propose-again") {
      desk.take(sender, message, at, effects);
    }
  }

  #end(request: Request): void {
    const { memo } = request;
    if (memo !== undefined) this.#writes.onDeadline(memo as never, this.#effectsOf());
  }

  #effectsOf(): Effects<RaftMessage> {
    return {
      send: (to: NodeId, _role: string, _shard: number, message: RaftMessage) =>
        this.send("x", to, message),
      refuse: (request: Request, fault: CapstanError) =>
        this.#answered(request, `${fault.code}, ${fault.outcome ?? "not-applied"}`),
      replyBeforeDurable: (request: Request) => this.#answered(request, "applied"),
    } as unknown as Effects<RaftMessage>;
  }

  #answered(request: Request, what: string): void {
    this.#requests = this.#requests.filter((each) => each !== request);
    this.lines.push(`${Buffer.from(request.operation.key).toString()} is ${what}`);
  }
}
