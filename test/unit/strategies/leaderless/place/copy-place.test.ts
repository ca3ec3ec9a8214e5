import { beforeEach, describe, expect, test } from "vitest";
import type { OpenedState, ShardMap } from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import type {
  CopyMessage,
  LeaderlessMessage,
} from "../../../../../src/strategies/leaderless/messages.ts";
import { CopyPlace } from "../../../../../src/strategies/leaderless/place/copy-place.ts";
import { atEpoch } from "../../../../../src/strategies/leaderless/place/place-messages.ts";
import { makeKeyedRecord } from "../../../../../src/strategies/leaderless/record.ts";
import { DEFAULT_REPAIR } from "../../../../../src/strategies/leaderless/repair-settings.ts";
import { contextOf, OLD, SendingEffects } from "./place-world.ts";

const FROM = contextOf("b").self;
const KEY = Buffer.from("k");
const READ: CopyMessage = { type: "read", requestId: 7, stampOnly: false, key: KEY };

function writeOf(kind: "first-hand" | "repair"): CopyMessage {
  const keyed = makeKeyedRecord(KEY, { time: 9, actorHigh: 0, actorLow: 1 }, Buffer.from("v"));
  return { type: "write", requestId: 7, kind, proof: undefined, keyed };
}

function rangeOf(purpose: "scan" | "move"): CopyMessage {
  const range = { type: "range", requestId: 7, purpose, from: undefined, to: undefined } as const;
  return { ...range, limitBytes: 1_000, limitEntries: 10 };
}

/** The copy of node a. */
class Copy {
  readonly effects = new SendingEffects();
  readonly before: ShardMap[] = [];
  readonly place: CopyPlace;

  constructor(node = "a") {
    this.place = new CopyPlace({
      context: contextOf(node),
      settings: DEFAULT_REPAIR,
      planted: {},
      onMap: (before) => this.before.push(before),
      onLeft: () => undefined,
    });
  }

  hear(epoch: number, more: Partial<ShardMap> = {}): void {
    const map = { epoch: epoch as Epoch, replicas: OLD, ...more } as ShardMap;
    const message = { type: "place-map", requestId: 0, map } as const;
    this.place.onMessage(FROM, message, () => true, this.effects);
    this.effects.sent.length = 0;
  }

  admitted(message: LeaderlessMessage, isLearning = false): LeaderlessMessage | undefined {
    this.effects.sent.length = 0;
    return this.place.admitted(FROM, message, isLearning, this.effects);
  }

  get said(): readonly LeaderlessMessage[] {
    return this.effects.sent.map(({ message }) => message);
  }
}

function at(epoch: number, message: CopyMessage): LeaderlessMessage {
  return { type: "at-epoch", epoch: epoch as Epoch, vote: undefined, message } as LeaderlessMessage;
}

let copy: Copy;
beforeEach(() => {
  copy = new Copy();
});

describe("what was made under the map that is known", () => {
  test("is done, also before the shard was ever moved", () => {
    for (const message of [READ, writeOf("repair"), rangeOf("scan")]) {
      expect(copy.admitted(message)).toBe(message);
    }
    copy.hear(2);
    expect(copy.admitted(at(2, READ))).toBe(READ);
    expect(copy.said).toEqual([]);
  });
});

describe("what was made under an older map", () => {
  beforeEach(() => copy.hear(3));

  test.each([
    ["of an epoch that it names", at(2, READ)],
    ["of the first, which nobody names", READ],
  ])("%s is answered with the map", (_of, message) => {
    expect(copy.admitted(message)).toBeUndefined();
    expect(copy.said).toMatchObject([{ type: "place-map", requestId: 0, map: { epoch: 3 } }]);
  });

  test("tells the coordinator of a client's write that it was not done, and of no other", () => {
    copy.admitted(at(2, writeOf("first-hand")));
    expect(copy.said).toMatchObject([{ type: "place-map", requestId: 7 }]);
    copy.admitted(at(2, writeOf("repair")));
    expect(copy.said).toMatchObject([{ type: "place-map", requestId: 0 }]);
  });

  test("is done all the same if it is not about the map: an answer is one", () => {
    const answer = { type: "write-ack", requestId: 7 } as unknown as CopyMessage;
    expect(copy.admitted(answer)).toBe(answer);
    expect(copy.admitted(at(2, answer))).toBe(answer);
  });
});

describe("what was made under a newer map", () => {
  test("is done, and the map is asked for", () => {
    expect(copy.admitted(at(2, READ))).toBe(READ);
    expect(copy.said).toMatchObject([{ type: "place-wanted", epoch: 2 }]);
  });

  test("is not, if a stream is asked for: it would lack what is acknowledged here until then", () => {
    expect(copy.admitted(at(2, rangeOf("move")))).toBeUndefined();
    expect(copy.admitted(at(2, rangeOf("scan")))).toBeDefined();
  });
});

describe("a copy that learns what it has lost", () => {
  const vote = {
    epoch: 1 as Epoch,
    promised: { round: 3, node: "c" as NodeId, nonce: 1 },
    accepted: undefined,
  };
  const reply = { type: "range-reply", requestId: 7 } as unknown as CopyMessage;
  const streamed = { ...atEpoch({ epoch: 2 as Epoch }, reply), vote } as LeaderlessMessage;

  test("learns what its source has promised, too", () => {
    copy.admitted(streamed, true);
    expect(copy.place.known.vote).toEqual(vote);
  });

  test("and does not, if it is whole: then it has said so itself", () => {
    copy.admitted(streamed, false);
    expect(copy.place.known.vote).toBeUndefined();
  });
});

describe("a copy that was opened", () => {
  const opened = (origin: OpenedState["origin"]) => {
    copy.hear(2, { pending: ["a", "d", "e"] as NodeId[] });
    copy.place.known.ready(copy.effects);
    copy.place.onOpened({ origin } as OpenedState, copy.effects);
    return [copy.place.known.isReady, copy.place.catchUp.wasLost];
  };

  test("and is empty has lost what it was ready with", () => {
    expect(opened("empty")).toEqual([false, true]);
  });

  test("and is kept is as ready as it was", () => {
    expect(opened("kept")).toEqual([true, false]);
  });
});

describe("what works with the copy", () => {
  test("is among those who hold the shard, or among those who are given it, too", () => {
    copy.hear(2, { pending: ["a", "d"] as NodeId[] });
    const { amongReplicas, amongMembers } = copy.place;
    expect(amongReplicas.placement(0)).toEqual({ epoch: 2, replicas: OLD, standIns: [] });
    expect(amongMembers.placement(0).replicas).toEqual([...OLD, "d"]);
    copy.hear(3);
    expect(amongMembers.placement(0)).toEqual({ epoch: 3, replicas: OLD, standIns: [] });
    expect(copy.before.map(({ epoch }) => epoch)).toEqual([1, 2]);
  });
});

describe("after a change", () => {
  test("a copy that holds the shard no more hands over what it has", () => {
    copy.hear(2, { replicas: ["b", "c", "d"] as NodeId[] });
    copy.effects.put(KEY, makeKeyedRecord(KEY, { time: 9, actorHigh: 0, actorLow: 1 }, KEY).record);
    copy.effects.lines.length = 0;
    copy.place.review(0, copy.effects);
    expect(copy.effects.lines.some((line) => line.startsWith("timer"))).toBe(true);
    expect(copy.place.describe()).toMatchObject({ stage: "settled", epoch: 2 });
  });

  test("a copy that holds it hands over nothing, nor one that the shard never was moved from", () => {
    copy.hear(2);
    copy.effects.lines.length = 0;
    copy.place.review(0, copy.effects);
    new Copy("z").place.review(0, copy.effects);
    expect(copy.effects.lines.filter((line) => line.startsWith("timer"))).toEqual([]);
  });

  test("a peer that is met again is told, and before the first change there is nothing to tell", () => {
    copy.place.onIdentity(FROM, copy.effects);
    expect(copy.said).toEqual([]);
    expect(copy.place.describe()).toBeUndefined();
    copy.hear(2);
    copy.place.onIdentity(FROM, copy.effects);
    expect(copy.said).toMatchObject([{ type: "place-map", map: { epoch: 2 } }]);
  });
});
