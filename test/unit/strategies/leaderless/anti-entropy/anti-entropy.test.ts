import { expect, test } from "vitest";
import type { Effects, ReplicaContext, Sender } from "../../../../../src/core/contracts/machine.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { hybridTimeOf } from "../../../../../src/core/model/stamp.ts";
import { AntiEntropy } from "../../../../../src/strategies/leaderless/anti-entropy/anti-entropy.ts";
import type { ReconcileMessage } from "../../../../../src/strategies/leaderless/anti-entropy/reconcile-message.ts";
import type { LeaderlessMessage } from "../../../../../src/strategies/leaderless/messages.ts";
import { type KeyedRecord, keyRecord } from "../../../../../src/strategies/leaderless/record.ts";
import { DEFAULT_REPAIR } from "../../../../../src/strategies/leaderless/repair-settings.ts";

const WALL_MS = 1_800_000_000_000;
const PEER = { node: "b" as NodeId } as Sender;
const NO_DIFFERENCE: ReconcileMessage = {
  type: "reconcile",
  requestId: 0,
  settledRound: 0,
  spans: [],
  lists: [],
  records: [],
  isAnswer: false,
  upTo: 0,
  wants: [],
};

/** An empty replica of `a`, whose timers go off when they are due. */
class Replica {
  readonly sent: { readonly atMs: number; readonly message: LeaderlessMessage }[] = [];
  readonly #timers = new Map<string, number>();
  readonly #antiEntropy: AntiEntropy;
  #nowMs = 0;
  readonly #effects = {
    send: (_to: NodeId, _role: string, _shard: number, message: LeaderlessMessage) => {
      this.sent.push({ atMs: this.#nowMs, message });
    },
    setTimer: (timer: string, afterMs: number) => {
      this.#timers.set(timer, this.#nowMs + afterMs);
    },
    range: () => ({ entries: [], more: false }),
    emit: () => undefined,
  } as unknown as Effects<LeaderlessMessage>;

  /** Every record is of `writtenMs`. */
  constructor(lagMs = 0, writtenMs = 0) {
    const context = {
      shardIndex: 0,
      self: { node: "a" },
      placement: () => ({ replicas: ["a", "b"] }),
      isReachable: () => true,
      randomUint32: () => 2 ** 31,
      health: { eventLoopLagMs: () => lagMs },
    } as unknown as ReplicaContext;
    this.#antiEntropy = new AntiEntropy(context, DEFAULT_REPAIR, {
      settling: { timeOf: () => hybridTimeOf(writtenMs) },
    });
    this.#antiEntropy.start(0, this.#effects);
  }

  get roundsBegunAtMs(): readonly number[] {
    const begins = this.sent.filter(
      ({ message }) => message.type === "reconcile" && message.requestId > 0,
    );
    return begins.map(({ atMs }) => atMs);
  }

  take(message: ReconcileMessage): void {
    const wallMs = WALL_MS + this.#nowMs;
    const merge = (keyed: KeyedRecord) => keyed;
    this.#antiEntropy.onMessage(PEER, message, this.#nowMs, wallMs, this.#effects, merge);
  }

  runTo(untilMs: number): void {
    for (;;) {
      const due = [...this.#timers].sort(([, a], [, b]) => a - b)[0];
      if (due === undefined || due[1] > untilMs) break;
      this.#timers.delete(due[0]);
      this.#nowMs = due[1];
      this.#antiEntropy.onTimer(due[0], this.#nowMs, WALL_MS + this.#nowMs, this.#effects);
    }
    this.#nowMs = untilMs;
  }
}

test("a round that nobody answers is followed by another one a second later", () => {
  const replica = new Replica();
  replica.runTo(1_500);
  expect(replica.roundsBegunAtMs).toEqual([22, 1_024]);
});

test.each([
  [4, 22],
  [25, 40],
  [900, 70],
])("where timers are %i ms late, the first comparison comes after %i ms", (lagMs, atMs) => {
  const replica = new Replica(lagMs);
  replica.runTo(500);
  expect(replica.roundsBegunAtMs).toEqual([atMs]);
});

test("no round begins as long as messages of the last one come", () => {
  const replica = new Replica();
  for (let atMs = 500; atMs <= 5_000; atMs += 500) {
    replica.runTo(atMs);
    replica.take(NO_DIFFERENCE);
  }
  expect(replica.roundsBegunAtMs).toEqual([22]);
  replica.runTo(6_100);
  expect(replica.roundsBegunAtMs).toHaveLength(2);
});

test.each([
  ["in the last five seconds", 6_001, [22, 10_024, 20_024]],
  ["before that", 6_000, [22, 10_024, 12_002, 14_002, 18_002]],
])("what was written %s has the next round come when it should", (_when, atMs, begun) => {
  const replica = new Replica(0, WALL_MS + atMs);
  replica.runTo(22);
  replica.take({ ...NO_DIFFERENCE, settledRound: 1 });
  replica.runTo(11_000);
  replica.take({ ...NO_DIFFERENCE, records: [keyRecord(Uint8Array.of(1), Uint8Array.of(2))] });
  replica.runTo(21_000);
  expect(replica.roundsBegunAtMs).toEqual(begun);
});

test("what the peer says of itself before the first round does not put it off", () => {
  const replica = new Replica();
  replica.take(NO_DIFFERENCE);
  replica.runTo(100);
  expect(replica.roundsBegunAtMs).toEqual([22]);
});
