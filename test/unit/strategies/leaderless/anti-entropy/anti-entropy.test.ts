import { expect, test } from "vitest";
import type { Effects, ReplicaContext, Sender } from "../../../../../src/core/contracts/machine.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { AntiEntropy } from "../../../../../src/strategies/leaderless/anti-entropy/anti-entropy.ts";
import type { ReconcileMessage } from "../../../../../src/strategies/leaderless/anti-entropy/reconcile-message.ts";
import type { LeaderlessMessage } from "../../../../../src/strategies/leaderless/messages.ts";
import { DEFAULT_REPAIR } from "../../../../../src/strategies/leaderless/repair-settings.ts";

const PEER = { node: "b" as NodeId } as Sender;
const NO_DIFFERENCE: ReconcileMessage = {
  type: "reconcile",
  requestId: 0,
  settledRound: 0,
  spans: [],
  lists: [],
  records: [],
  isAnswer: false,
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

  constructor(lagMs = 0) {
    const context = {
      shardIndex: 0,
      self: { node: "a" },
      placement: () => ({ replicas: ["a", "b"] }),
      isReachable: () => true,
      randomUint32: () => 2 ** 31,
      health: { eventLoopLagMs: () => lagMs },
    } as unknown as ReplicaContext;
    this.#antiEntropy = new AntiEntropy(context, DEFAULT_REPAIR);
    this.#antiEntropy.start(0, this.#effects);
  }

  get roundsBegunAtMs(): readonly number[] {
    const begins = this.sent.filter(
      ({ message }) => message.type === "reconcile" && message.requestId > 0,
    );
    return begins.map(({ atMs }) => atMs);
  }

  take(message: ReconcileMessage): void {
    this.#antiEntropy.onMessage(PEER, message, this.#nowMs, this.#effects, (keyed) => keyed);
  }

  runTo(untilMs: number): void {
    for (;;) {
      const due = [...this.#timers].sort(([, a], [, b]) => a - b)[0];
      if (due === undefined || due[1] > untilMs) break;
      this.#timers.delete(due[0]);
      this.#nowMs = due[1];
      this.#antiEntropy.onTimer(due[0], this.#nowMs, this.#effects);
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

test("what the peer says of itself before the first round does not put it off", () => {
  const replica = new Replica();
  replica.take(NO_DIFFERENCE);
  replica.runTo(100);
  expect(replica.roundsBegunAtMs).toEqual([22]);
});
