import { expect, test } from "vitest";
import type {
  CoordinatorContext,
  Effects,
  Request,
  Sender,
} from "../../../../src/core/contracts/machine.ts";
import { ByteWriter } from "../../../../src/core/model/bytes.ts";
import type { CapstanError } from "../../../../src/core/model/errors.ts";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import type { Incarnation, NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import type { OperationResult } from "../../../../src/core/model/operations.ts";
import { hybridTimeOf, type Stamp } from "../../../../src/core/model/stamp.ts";
import { ShardMachine } from "../../../../src/strategies/raft/apply.ts";
import type {
  ProposeMessage,
  RaftMessage,
} from "../../../../src/strategies/raft/client-messages.ts";
import {
  bodyOfRecord,
  type CommandBody,
  decodeBody,
  makeCommandRecord,
  writeBody,
} from "../../../../src/strategies/raft/commands.ts";
import { Errands } from "../../../../src/strategies/raft/errands.ts";
import { OperationSessions } from "../../../../src/strategies/raft/operation-sessions.ts";
import { SESSION_WINDOW } from "../../../../src/strategies/raft/slot-chunk.ts";
import { WriteFlow } from "../../../../src/strategies/raft/write-flow.ts";
import { MapState } from "./map-state.ts";

const SHARD = 0;
const WALL_MS = 1_900_000_000_000;
const LIFETIME_MS = 600_000;
const OTHERS = SESSION_WINDOW + 10;
const LEADER: Sender = {
  ...{ node: "a" as NodeId, storeId: "s" as StoreId, incarnation: 1 as Incarnation },
};

/** The writes of a node without a replica, and the state of the shard that they are sent to. */
class Bench {
  readonly sent: ProposeMessage[] = [];
  readonly faults: CapstanError[] = [];
  readonly results: OperationResult[] = [];
  readonly #asked: number[] = [];
  readonly #state = new MapState();
  readonly #machine = new ShardMachine(SHARD, () => {});
  readonly #effects = {
    send: (_to: NodeId, _role: string, _shard: number, message: RaftMessage) => {
      if (message.type === "propose" || message.type === "propose-again") this.sent.push(message);
      else if (message.type === "is-proposed") this.#asked.push(message.requestId);
    },
    refuse: (_request: Request, fault: CapstanError) => this.faults.push(fault),
    replyBeforeDurable: (_request: Request, result: OperationResult) => this.results.push(result),
  } as unknown as Effects<RaftMessage>;
  readonly #errands: Errands;
  readonly #flow: WriteFlow;
  readonly #sessions: OperationSessions;

  constructor() {
    const context = {
      ...{ self: { node: "x" }, keyspace: "k", keyspaceHash: 1 },
      clock: new HybridClock({ actor: { high: 1, low: 1 }, maxSkewMs: 1_000 }),
      placement: () => ({ replicas: ["a"], epoch: 1 }),
      localReplica: () => undefined,
      isReachable: () => true,
      randomUint32: () => 1,
    } as unknown as CoordinatorContext;
    this.#machine.open(this.#state);
    this.#errands = new Errands(context, 100);
    this.#sessions = new OperationSessions(context, LIFETIME_MS);
    this.#flow = new WriteFlow(context, this.#errands, this.#sessions);
  }

  operationId(): string {
    return this.#sessions.handOut(0, WALL_MS);
  }

  put(text: string, operationId?: string): void {
    const [key, value] = [Buffer.from(text), Buffer.from("v")];
    const operation = { type: "put", key, value, shardIndex: SHARD, level: "strong", operationId };
    const request = { operation, memo: undefined, startedAtMs: 0 } as unknown as Request;
    this.#flow.start(request, 0, WALL_MS, this.#effects);
  }

  /** What was sent last is committed; the answer to it. */
  commit(): RaftMessage {
    const { record, requestId } = this.sent.at(-1) as ProposeMessage;
    const header = { clockMs: WALL_MS, salt: 7, sessionLifetimeMs: LIFETIME_MS };
    const index = this.#machine.books.appliedIndex + 1;
    const made = makeCommandRecord(header, bodyOfRecord(record));
    const applied = this.#machine.apply(index, 1, made, this.#state);
    const standpoint = { lifeMark: this.#machine.lifeMark, appliedIndex: index, voters: 1 };
    return { type: "propose-reply", requestId, ...standpoint, applied };
  }

  /** A session that another node has begun is ended, by a leader whose clock is there by then. */
  endSession(session: Stamp, clockMs: number): void {
    const actions = [
      {
        type: "put",
        key: Buffer.from("x"),
        value: Buffer.from("v"),
        ttlMs: 0,
        condition: undefined,
      },
    ] as const;
    const identity = { type: "session", session, sequence: 0 } as const;
    const bodies: CommandBody[] = [
      { type: "write", identity, actions, contentFrom: 0 },
      { type: "sweep", keys: [], sessions: [session], slots: [], ownKeys: [] },
    ];
    bodies.forEach((body, place) => {
      const writer = new ByteWriter(256);
      writeBody(writer, body);
      const header = { clockMs: clockMs + place * 2 * LIFETIME_MS, salt: 7 };
      const record = makeCommandRecord(
        { ...header, sessionLifetimeMs: LIFETIME_MS },
        new Uint8Array(writer.view()),
      );
      this.#machine.apply(this.#machine.books.appliedIndex + 1, 1, record, this.#state);
    });
  }

  hear(message: RaftMessage): void {
    this.#errands.onMessage(LEADER, SHARD, message, 0, this.#effects);
  }

  /** What was not answered is asked for again; the leader has answered it. */
  wait(): void {
    this.#errands.sweep(200, this.#effects);
    const answer = { type: "refused", reason: "not-proposed", leader: LEADER.node } as const;
    const place = { voters: [], configurationIndex: 0, configurationGroup: 0 };
    for (const requestId of this.#asked.splice(0)) this.hear({ ...answer, ...place, requestId });
  }
}

/** The first write is committed, and its answer is lost; then so many others come and go. */
function answerLost(others: number) {
  const bench = new Bench();
  bench.put("lost");
  bench.commit();
  for (let n = 0; n < others; n++) {
    bench.put(`k${n}`);
    bench.hear(bench.commit());
  }
  expect(bench.results).toHaveLength(others);
  return bench;
}

test("a write whose answer is lost is the same write when it is sent again, whatever was written meanwhile", () => {
  const bench = answerLost(OTHERS);
  bench.wait();
  bench.hear(bench.commit());
  expect(bench.faults).toEqual([]);
  expect(bench.results).toHaveLength(OTHERS + 1);
});

test("a session's window slides on over what has its answer, so that little is remembered", () => {
  const bench = new Bench();
  const sessions = new Set<number>();
  for (let n = 0; n < OTHERS; n++) {
    bench.put(`k${n}`);
    const body = decodeBody(bodyOfRecord((bench.sent.at(-1) as ProposeMessage).record));
    if (body.type === "write" && body.identity?.type === "session")
      sessions.add(body.identity.session.time);
    bench.hear(bench.commit());
  }
  expect(sessions.size).toBe(1);
});

// A clock that had been an hour ahead for seconds, and was set right: once the session that its node had
// begun was over, no other node could begin one for an hour.
test.each(["of its own", "that it hands out"])(
  "a node begins a session %s above one that a clock which is ahead has begun, and that is over",
  (whose) => {
    const bench = new Bench();
    const aheadMs = WALL_MS + 3_600_000;
    bench.endSession({ time: hybridTimeOf(aheadMs), actorHigh: 2, actorLow: 2 }, aheadMs);
    const put = (key: string) => {
      bench.put(key, whose === "of its own" ? undefined : bench.operationId());
      bench.hear(bench.commit());
    };
    put("a");
    expect(bench.faults.map(({ code }) => code)).toEqual([
      whose === "of its own" ? "UNAVAILABLE" : "OPERATION_ID_EXPIRED",
    ]);
    for (const key of ["b", "c", "d"]) put(key);
    expect(bench.faults).toHaveLength(1);
    expect(bench.results).toHaveLength(3);
    // Others of the node that was ahead end later.
    const laterMs = aheadMs + LIFETIME_MS / 2;
    bench.endSession({ time: hybridTimeOf(laterMs), actorHigh: 2, actorLow: 2 }, laterMs);
    put("e");
    expect(bench.faults).toHaveLength(1);
  },
);
