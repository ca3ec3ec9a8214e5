import { describe, expect, test } from "vitest";
import type { Sender, ShardMap } from "../../../../src/core/contracts/machine.ts";
import {
  CopyReader,
  type CopyReaderParts,
} from "../../../../src/strategies/leaderless/copy-reader.ts";
import type { LeaderlessMessage } from "../../../../src/strategies/leaderless/messages.ts";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";
import { SidedEffects } from "./sided-effects.ts";

const KEY = Buffer.from("k");
const FROM = { node: "b" } as unknown as Sender;
const STAMP = { time: 4_096, actorHigh: 0, actorLow: 9 };
const { record: RECORD } = makeKeyedRecord(KEY, STAMP, Buffer.alloc(100));
const FLOOR = Uint8Array.of(1, 2, 3);

class Copy {
  readonly effects = new SidedEffects();
  readonly settling = {
    absent: undefined as Uint8Array | undefined,
    floors: { floor: 5, reapable: 3 },
  };
  serving = true;
  readonly reader = new CopyReader({
    ...{ context: { shardIndex: 2 }, rules: stampedRules, settling: this.settling },
    place: { map: { epoch: 4 } as ShardMap, vote: undefined },
    isServing: () => this.serving,
  } as unknown as CopyReaderParts);

  read(digestAbove: number | undefined, stampOnly = false): LeaderlessMessage {
    this.reader.onRead(
      FROM,
      { type: "read", requestId: 7, key: KEY, stampOnly, digestAbove },
      this.effects,
    );
    return this.effects.sent.at(-1)?.message as LeaderlessMessage;
  }

  range(purpose: "scan" | "rebuild"): LeaderlessMessage {
    const run = { from: undefined, to: undefined, limitBytes: 10_000, limitEntries: 10 };
    const message = { type: "range", requestId: 7, purpose, ...run } as const;
    this.reader.onRange(FROM, message as never, this.effects);
    return this.effects.sent.at(-1)?.message as LeaderlessMessage;
  }
}

function holding(): Copy {
  const copy = new Copy();
  copy.effects.put(KEY, RECORD);
  return copy;
}

describe("a read of one key is answered", () => {
  test("with the record, or with its summary and length where it is longer than asked for", () => {
    expect(holding().read(undefined)).toMatchObject({ serving: true, record: RECORD });
    expect(holding().read(RECORD.length)).toMatchObject({ record: RECORD });
    expect(holding().read(RECORD.length - 1)).toMatchObject({
      record: stampedRules.summaryOf(RECORD),
      fullBytes: RECORD.length,
    });
  });

  test("with the summary alone where only the stamp was asked for", () => {
    const reply = holding().read(undefined, true);
    expect(reply).toMatchObject({ record: stampedRules.summaryOf(RECORD) });
    expect(reply).not.toHaveProperty("fullBytes");
  });

  test("with what is settled of a key that is not held, or with nothing", () => {
    const copy = new Copy();
    expect(copy.read(undefined)).toMatchObject({ requestId: 7, record: undefined });
    copy.settling.absent = FLOOR;
    expect(copy.read(undefined)).toMatchObject({ record: FLOOR });
  });

  test("also by a copy that does not serve, which says so", () => {
    const copy = holding();
    copy.serving = false;
    expect(copy.read(undefined)).toMatchObject({ serving: false, record: RECORD });
  });
});

describe("a run of keys is answered", () => {
  test("to a scan as it is", () => {
    const reply = holding().range("scan");
    expect(reply).toMatchObject({ type: "range-reply", purpose: "scan", floor: 5, reapable: 3 });
    expect(reply).toMatchObject({ entries: [{ key: KEY, record: RECORD }], more: false });
  });

  test("to a copy that learns under the map that it is of", () => {
    const reply = holding().range("rebuild");
    expect(reply).toMatchObject({ type: "at-epoch", epoch: 4 });
    expect(reply).toMatchObject({ message: { type: "range-reply", entries: [{ key: KEY }] } });
  });
});
