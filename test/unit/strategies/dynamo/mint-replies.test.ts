import { beforeEach, expect, test } from "vitest";
import type { Effects, Sender } from "../../../../src/core/contracts/machine.ts";
import type { DynamoMessage } from "../../../../src/strategies/dynamo/messages.ts";
import { MintReplies } from "../../../../src/strategies/dynamo/mint-replies.ts";
import { keyRecord } from "../../../../src/strategies/leaderless/record.ts";

const SHARD = 3;
const ASKED = { requestId: 17 };
const FROM = { node: "c" } as Sender;
const KEYED = keyRecord(Buffer.from("k"), Buffer.from("record"));

interface Said {
  readonly way: "early" | "durable";
  readonly to: readonly [node: string, role: string, shard: number];
  readonly message: DynamoMessage;
}

let said: Said[];
let effects: Effects<DynamoMessage>;
let holdsForGood: boolean;
let replies: MintReplies;

beforeEach(() => {
  said = [];
  holdsForGood = true;
  const noting =
    (way: Said["way"]) => (node: string, role: string, shard: number, message: DynamoMessage) =>
      said.push({ way, to: [node, role, shard], message });
  effects = {
    send: noting("durable"),
    sendBeforeDurable: noting("early"),
  } as unknown as Effects<DynamoMessage>;
  const copies = {
    get holdsForGood() {
      return holdsForGood;
    },
  };
  replies = new MintReplies(SHARD, copies);
});

test("the record goes at once, the acknowledgement only when it is durable", () => {
  replies.hand(FROM, ASKED, KEYED, undefined, effects);
  expect(said.map(({ way, message }) => [way, message.type])).toEqual([
    ["early", "minted"],
    ["durable", "write-ack"],
  ]);
  expect(said[0]?.message).toMatchObject({ requestId: 17, verdict: "minted", keyed: KEYED });
  expect(said[1]?.message).toMatchObject({ requestId: 17, verdict: "stored", serving: true });
  for (const { to } of said) expect(to).toEqual(["c", "coordinator", SHARD]);
});

test("a minter whose copy is not kept for good does not count", () => {
  holdsForGood = false;
  replies.hand(FROM, ASKED, KEYED, undefined, effects);
  expect(said[1]?.message).toMatchObject({ verdict: "stored", serving: false });
});

test("what an operation has added goes beside the record", () => {
  const delta = { added: true } as never;
  replies.hand(FROM, ASKED, KEYED, delta, effects);
  expect(said[0]?.message).toMatchObject({ keyed: KEYED, delta });
});

test("a verdict without a record waits for what is durable, and says why", () => {
  replies.answer(FROM, ASKED, "too-large", "of 9 bytes", effects);
  replies.answer(FROM, ASKED, "known", "", effects);
  expect(said.map(({ way }) => way)).toEqual(["durable", "durable"]);
  expect(said[0]).toMatchObject({
    to: ["c", "coordinator", SHARD],
    message: { requestId: 17, verdict: "too-large", keyed: undefined, reason: "of 9 bytes" },
  });
});
