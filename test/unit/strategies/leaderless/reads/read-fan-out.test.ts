import { describe, expect, test } from "vitest";
import type {
  CoordinatorContext,
  Effects,
  Request,
  Sender,
  ShardPlacement,
} from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import type { Level } from "../../../../../src/core/model/levels.ts";
import { type Demand, demandOf } from "../../../../../src/strategies/leaderless/demand.ts";
import type {
  LeaderlessMessage,
  ReadMessage,
  ReadReply,
} from "../../../../../src/strategies/leaderless/messages.ts";
import { QuorumRead } from "../../../../../src/strategies/leaderless/reads/quorum-read.ts";
import { ReadFanOut } from "../../../../../src/strategies/leaderless/reads/read-fan-out.ts";
import { ReplicaAnswers } from "../../../../../src/strategies/leaderless/replica-answers.ts";
import { stampedRules } from "../../../../../src/strategies/leaderless/stamped-rules.ts";

const [N1, N2, N3, N4] = ["n1", "n2", "n3", "n4"] as NodeId[] as [NodeId, NodeId, NodeId, NodeId];
const PLACEMENT: ShardPlacement = { epoch: 1 as Epoch, replicas: [N1, N2, N3], standIns: [N4] };
const DIGEST_ABOVE = 4_096;

class Bench {
  /** `n2 4096`: asked for a digest of what is longer. */
  readonly asked: string[] = [];
  readonly fanOut: ReadFanOut<QuorumRead>;
  readonly read: QuorumRead;
  #reachable: readonly NodeId[] = [N1, N2, N3, N4];

  constructor(self: NodeId, level: Level) {
    const context = {
      self: { node: self },
      isReachable: (node: NodeId) => this.#reachable.includes(node),
    } as unknown as CoordinatorContext;
    const settings = { hedge: "off", digestAbove: DIGEST_ABOVE } as const;
    this.fanOut = new ReadFanOut(context, settings, stampedRules, {});
    const places = { placement: PLACEMENT, self, datacenterOf: () => "" };
    this.read = new QuorumRead({
      request: { id: 1 } as Request,
      key: Buffer.from("k"),
      shardIndex: 0,
      demand: demandOf(level, places) as Demand,
      answers: new ReplicaAnswers(PLACEMENT),
      roundId: 7,
      nowMs: 1_000,
      deadlineMs: 1_100,
    });
    this.fanOut.begin(this.read, 0b111, this.effects());
  }

  cut(node: NodeId): void {
    this.#reachable = this.#reachable.filter((each) => each !== node);
  }

  reply(node: NodeId, serving = true): number {
    const reply: ReadReply = { type: "read-reply", requestId: 7, serving, record: undefined };
    return this.fanOut.onReply(this.read, { node } as Sender, reply, 1_010);
  }

  effects(): Effects<LeaderlessMessage> {
    const send = (node: NodeId, _role: string, _shard: number, message: ReadMessage): void => {
      this.asked.push(`${node}${message.digestAbove === undefined ? "" : " digest"}`);
    };
    return { send, setTimer: () => undefined } as unknown as Effects<LeaderlessMessage>;
  }
}

describe("a read", () => {
  test("asks its own node's replica for the record, and the others for a digest", () => {
    expect(new Bench(N2, "all").asked).toEqual(["n2", "n1 digest", "n3 digest"]);
  });

  test("asks the first for the record where its own node has no replica", () => {
    expect(new Bench(N4, "all").asked).toEqual(["n1", "n2 digest", "n3 digest"]);
  });

  test("asks only as many as its level needs, and the others when it is widened", () => {
    const bench = new Bench(N1, "one");
    expect(bench.asked).toEqual(["n1"]);
    expect(bench.fanOut.widen(bench.read, bench.effects())).toBe(true);
    expect(bench.asked).toEqual(["n1", "n2", "n3"]);
    expect(bench.fanOut.widen(bench.read, bench.effects())).toBe(false);
  });

  test("does not ask whom it cannot reach, and asks them once it can", () => {
    const bench = new Bench(N1, "one");
    bench.cut(N3);
    bench.fanOut.widen(bench.read, bench.effects());
    expect(bench.asked).toEqual(["n1", "n2"]);
    expect(bench.read.answers.isEverybodyAsked).toBe(false);
  });

  test("counts a replica once, and nobody whom it has not asked", () => {
    const bench = new Bench(N1, "one");
    expect(bench.fanOut.isMet(bench.read)).toBe(false);
    expect([bench.reply(N2), bench.reply(N4), bench.reply(N1), bench.reply(N1)]).toEqual([
      0, 0, 0b001, 0,
    ]);
    expect(bench.fanOut.isMet(bench.read)).toBe(true);
  });

  test("is not met by a replica that is being rebuilt", () => {
    const bench = new Bench(N1, "one");
    expect(bench.reply(N1, false)).toBe(0b001);
    expect(bench.fanOut.isMet(bench.read)).toBe(false);
  });

  test("has others than the replicas answer, and counts none of them", () => {
    const bench = new Bench(N1, "one");
    const standIns = new ReplicaAnswers({ ...PLACEMENT, replicas: [N4], standIns: [] });
    expect(bench.fanOut.widen(bench.read, bench.effects(), standIns)).toBe(true);
    expect(bench.asked).toEqual(["n1", "n4"]);
    expect([bench.reply(N4), standIns.take(N4, true)]).toEqual([0, 0b1]);
    expect(bench.fanOut.isMet(bench.read)).toBe(false);
  });
});
