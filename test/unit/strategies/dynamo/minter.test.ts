import { describe, expect, test } from "vitest";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { gCounter } from "../../../../src/resolvers/crdt/counters.ts";
import { decodeRecord } from "../../../../src/strategies/dynamo/dotted-record.ts";
import { MinterWorld, recordOf, verdictOf } from "./minter-world.ts";

function valuesIn(record: Uint8Array): readonly (string | undefined)[] {
  return decodeRecord(record).siblings.map(
    ({ value }) => value && Buffer.from(value).toString("hex"),
  );
}

describe("a write", () => {
  test("is kept in the step that names it, handed back at once, and acknowledged when durable", () => {
    const world = new MinterWorld();
    const sent = world.mint(1);
    expect(sent.map(({ message, isDurable }) => [message.type, isDurable])).toEqual([
      ["minted", false],
      ["write-ack", true],
    ]);
    expect(world.data.get("key")).toEqual(recordOf(sent));
    expect(world.minter.minted).toBe(1);
  });

  test("that comes twice is minted once, and handed back again", () => {
    const world = new MinterWorld();
    const first = recordOf(world.mint(1));
    expect(recordOf(world.mint(1, {}, { again: true }))).toEqual(first);
    expect(world.minter.minted).toBe(1);
    const twice = new MinterWorld(undefined, { mintedTwice: true });
    twice.mint(1);
    twice.mint(1);
    expect(twice.minter.minted).toBe(2);
  });

  test("that was minted upon a copy which has left since is not minted again", () => {
    const world = new MinterWorld();
    world.mint(1);
    world.data.clear();
    expect(verdictOf(world.mint(1, {}, { again: true }))).toBe("forgotten");
    expect(world.minter.minted).toBe(1);
  });

  test("that may have come before this machine was here is not minted", () => {
    const world = new MinterWorld();
    expect(verdictOf(world.mint(1, {}, { again: true }))).toBe("forgotten");
    expect(world.data.size).toBe(0);
  });

  test("is later than what it follows, and than what is promised to be over", () => {
    const world = new MinterWorld();
    world.copies.fence = 9_000_000_000;
    const fenced = decodeRecord(recordOf(world.mint(1)));
    expect(fenced.newestTime).toBeGreaterThan(9_000_000_000);
    const follows = fenced.newestTime + 77;
    const next = decodeRecord(recordOf(world.mint(2, {}, { newestTime: follows })));
    expect(next.newestTime).toBeGreaterThan(follows);
  });

  test("stands beside what its client has not seen, and replaces what it has", () => {
    const world = new MinterWorld();
    const [a, b, c] = ["a", "b", "c"].map((text) => encodeValue(text));
    const hex = (value?: Uint8Array) => value && Buffer.from(value).toString("hex");
    world.mint(1, { value: a });
    const both = recordOf(world.mint(2, { value: b }));
    expect(valuesIn(both)).toEqual([hex(a), hex(b)]);
    const { context: seen } = decodeRecord(both);
    expect(valuesIn(recordOf(world.mint(3, { value: c, seen })))).toEqual([hex(c)]);
  });
});

describe("nothing is minted, kept or counted", () => {
  test("without room for a copy", () => {
    const world = new MinterWorld();
    world.copies.hasRoom = false;
    expect(verdictOf(world.mint(1))).toBe("no-room");
    expect([world.data.size, world.minter.minted]).toEqual([0, 0]);
  });

  test("where two such records would not fit the log together", () => {
    const log = 2_100 + 2 * 200;
    const world = new MinterWorld(undefined, {}, log);
    expect(verdictOf(world.mint(1, { value: new Uint8Array(100) }))).toBe("minted");
    const large = new MinterWorld(undefined, {}, log);
    expect(verdictOf(large.mint(1, { value: new Uint8Array(200) }))).toBe("too-large");
    expect([large.data.size, large.minter.minted]).toEqual([0, 0]);
  });

  test("of an operation that the resolver does not have", () => {
    const plain = new MinterWorld();
    expect(verdictOf(plain.mint(1, { type: "update" }))).toBe("refused");
    const counter = new MinterWorld(gCounter());
    const value = encodeValue({ increment: -1 });
    expect(verdictOf(counter.mint(1, { type: "update", value }))).toBe("refused");
    expect(counter.data.size).toBe(0);
  });
});

test("of a CRDT's operation what it has added goes along, where that is less than the record", () => {
  const world = new MinterWorld(gCounter());
  const increment = { type: "update", value: encodeValue({ increment: 1 }) } as const;
  for (let operation = 1; operation < 20; operation++) {
    world.minter.onCopyLeft();
    world.mint(operation, increment);
  }
  const [first] = world.mint(20, increment);
  if (first?.message.type !== "minted") throw new Error("not minted");
  const { delta, keyed } = first.message;
  expect(delta?.dot.counter).toBe(20);
  expect(delta?.state.length).toBeLessThan(keyed?.record.length as number);
});

test("a copy that was left gives the next event another actor", () => {
  const world = new MinterWorld();
  const actorOf = (record: Uint8Array) => decodeRecord(record).siblings[0]?.dot.actor;
  const first = actorOf(recordOf(world.mint(1)));
  world.data.clear();
  world.minter.onCopyLeft();
  expect(actorOf(recordOf(world.mint(2)))).not.toEqual(first);
});

test("of an operation it tells whether it was minted here since it was opened", () => {
  const world = new MinterWorld();
  world.mint(1);
  expect([world.recall(1), world.recall(2)]).toEqual(["known", "forgotten"]);
});
