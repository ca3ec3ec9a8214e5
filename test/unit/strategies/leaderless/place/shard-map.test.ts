import { describe, expect, test } from "vitest";
import type { ShardMap } from "../../../../../src/core/contracts/machine.ts";
import { ByteReader, ByteWriter } from "../../../../../src/core/model/bytes.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import { MalformedBytesError } from "../../../../../src/core/model/malformed-bytes-error.ts";
import { leaderlessCodec } from "../../../../../src/strategies/leaderless/messages.ts";
import { atEpoch } from "../../../../../src/strategies/leaderless/place/place-messages.ts";
import {
  changeQuorum,
  homeOf,
  isHolder,
  learnedFrom,
  learnersOf,
  membersOf,
  readMap,
  settledAfter,
  stageOf,
  switched,
  withPending,
} from "../../../../../src/strategies/leaderless/place/shard-map.ts";
import { mergedVotes, promised } from "../../../../../src/strategies/leaderless/place/vote.ts";

const nodes = (text: string) => text.split("") as NodeId[];
const SETTLED: ShardMap = { epoch: 4 as Epoch, replicas: nodes("abc") };
const QUORUM = { read: "quorum", write: "quorum" } as const;

describe("a shard's map", () => {
  test("names who holds it in every stage of a change", () => {
    const pending = withPending(SETTLED, nodes("bcd"));
    const switching = switched(pending);
    expect([SETTLED, pending, switching, settledAfter(switching)].map(stageOf)).toEqual([
      "settled",
      "pending",
      "switching",
      "settled",
    ]);
    expect(membersOf(pending)).toEqual(nodes("abcd"));
    expect(membersOf(switching)).toEqual(nodes("bcda"));
    expect(nodes("abcd").map((node) => isHolder(pending, node))).toEqual([true, true, true, false]);
    expect(nodes("abcd").every((node) => isHolder(switching, node))).toBe(true);
    expect(homeOf(switching, "a" as NodeId)).toEqual(nodes("abc"));
    expect(homeOf(switching, "b" as NodeId)).toEqual(nodes("bcd"));
    expect(settledAfter(switching)).toEqual({ epoch: 7, replicas: nodes("bcd") });
  });

  test("asks of a change what the keyspace's own levels rest on, and a majority at least", () => {
    expect([1, 2, 3, 4, 5, 7].map((n) => changeQuorum(n, QUORUM))).toEqual([1, 2, 2, 3, 3, 4]);
    expect(changeQuorum(3, { read: "one", write: "all" })).toBe(3);
    expect(changeQuorum(5, { read: "two", write: "quorum" })).toBe(4);
    expect(learnedFrom(5, QUORUM)).toBe(3);
    expect(learnedFrom(3, { read: "all", write: "one" })).toBe(3);
  });

  test("has those learn who are new, and all where many leave", () => {
    expect(learnersOf(nodes("abc"), nodes("abd"), QUORUM)).toEqual(nodes("d"));
    expect(learnersOf(nodes("abc"), nodes("def"), QUORUM)).toEqual(nodes("def"));
    expect(learnersOf(nodes("abcde"), nodes("abc"), QUORUM)).toEqual(nodes("abc"));
    expect(learnersOf(nodes("abc"), nodes("abcde"), QUORUM)).toEqual(nodes("de"));
  });

  test("is refused when its bytes name nobody, or somebody twice", () => {
    const bytes = (write: (writer: ByteWriter) => void) => {
      const writer = new ByteWriter();
      writer.u32(2);
      write(writer);
      return new ByteReader(writer.copy());
    };
    const list = (writer: ByteWriter, ...names: string[]) => {
      writer.u8(names.length);
      for (const name of names) writer.string(name);
    };
    const none = bytes((writer) => [writer.u8(0), list(writer)]);
    expect(() => readMap(none)).toThrow(MalformedBytesError);
    const twice = bytes((writer) => [writer.u8(0), list(writer, "a", "a")]);
    expect(() => readMap(twice)).toThrow(/the replica "a"/);
    const stage = bytes((writer) => [writer.u8(3), list(writer, "a"), list(writer, "b")]);
    expect(() => readMap(stage)).toThrow(/stage 3/);
  });
});

describe("messages about a shard's place", () => {
  const ballot = { round: 3, node: "b" as NodeId, nonce: 77 };
  const vote = {
    ...promised(undefined, SETTLED.epoch, ballot),
    accepted: { ballot, map: SETTLED },
  };
  const pending = withPending(SETTLED, nodes("bcd"));
  const roundTrip = (message: Parameters<typeof leaderlessCodec.encode>[0]) => {
    const writer = new ByteWriter();
    leaderlessCodec.encode(message, writer);
    return leaderlessCodec.decode(new ByteReader(writer.copy()));
  };

  test.each([
    { type: "place-map", requestId: 4, map: switched(pending) },
    { type: "place-wanted", epoch: 9 as Epoch },
    { type: "place-prepare", requestId: 1, base: SETTLED, ballot },
    { type: "place-accept", requestId: 2, base: SETTLED, ballot, next: pending },
    { type: "place-state", requestId: 3, map: pending, vote, serving: true, readyFor: 5 },
    atEpoch(pending, { type: "handoff-ack", requestId: 8 } as const, vote),
  ] as const)("come as they went: $type", (message) => {
    expect(roundTrip(message)).toEqual(message);
  });

  test("say their epoch only where it is not the first", () => {
    const message = { type: "handoff-ack", requestId: 8 } as const;
    expect(atEpoch({ epoch: 1 as Epoch }, message)).toBe(message);
  });

  test("are refused where an accepted map does not follow its base, or a byte is missing", () => {
    const accept = { type: "place-accept", requestId: 2, base: SETTLED, ballot } as const;
    expect(() => roundTrip({ ...accept, next: SETTLED })).toThrow(MalformedBytesError);
    const writer = new ByteWriter();
    leaderlessCodec.encode({ ...accept, next: pending }, writer);
    const short = new ByteReader(writer.copy().subarray(0, writer.length - 1));
    expect(() => leaderlessCodec.decode(short)).toThrow(MalformedBytesError);
    expect(() => leaderlessCodec.decode(new ByteReader(Uint8Array.of(0xff)))).toThrow(
      /message type 255/,
    );
  });

  test("merge votes to what any of them may have helped to decide", () => {
    const later = { ...ballot, round: 5 };
    const other = promised(undefined, SETTLED.epoch, later);
    expect(mergedVotes(vote, other)).toEqual({
      epoch: SETTLED.epoch,
      promised: later,
      accepted: { ballot, map: SETTLED },
    });
    expect(mergedVotes(vote, promised(undefined, pending.epoch, ballot))?.epoch).toBe(5);
  });
});
