import { beforeEach, describe, expect, test } from "vitest";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { PeerRounds } from "../../../../../src/strategies/leaderless/anti-entropy/peer-rounds.ts";
import { type KeyedRecord, keyRecord } from "../../../../../src/strategies/leaderless/record.ts";

const PAUSE_MS = 10_000;
const BEGUN_AT_MS = 20_000;
const LATER_MS = 21_500;
const SETTLED_BY = 7;
const YOUNG = 1;
const OLD = 0;

function record(name: number, age: number): KeyedRecord {
  return keyRecord(Uint8Array.of(name), Uint8Array.of(age));
}

describe("a round that was begun between two that have been equal", () => {
  let rounds: PeerRounds;
  const begin = (): void => {
    rounds.begin(1, BEGUN_AT_MS, PAUSE_MS, SETTLED_BY);
    rounds.noteAnswer();
  };

  beforeEach(() => {
    rounds = new PeerRounds("b" as NodeId, 0, (each) => each[0] === YOUNG);
    rounds.begin(1, 0, PAUSE_MS, SETTLED_BY);
    rounds.settle(10, PAUSE_MS);
  });

  test("is over when it finds only what is being written, and the next comes after the pause", () => {
    begin();
    rounds.noteSent([record(1, YOUNG)]);
    rounds.noteTaken([record(2, YOUNG)]);
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(true);
    expect(rounds.nextAtMs).toBe(BEGUN_AT_MS + PAUSE_MS);
    rounds.putOff(BEGUN_AT_MS + PAUSE_MS);
    expect(rounds.nextAtMs).toBe(BEGUN_AT_MS + PAUSE_MS);
  });

  test("is over when what differed is equal by the time it is told", () => {
    begin();
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(true);
  });

  test("is not over while the peer has not said anything", () => {
    rounds.begin(1, BEGUN_AT_MS, PAUSE_MS, SETTLED_BY);
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(false);
    expect(rounds.nextAtMs).toBe(BEGUN_AT_MS + 1_000);
  });

  test("is not over when something older has come", () => {
    begin();
    rounds.noteTaken([record(1, YOUNG), record(2, OLD)]);
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(false);
  });

  test("is not over when something older was sent, unless the peer answers with what is younger", () => {
    begin();
    rounds.noteSent([record(1, OLD), record(2, OLD)]);
    rounds.noteTaken([record(1, YOUNG)]);
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(false);
    rounds.noteTaken([record(2, YOUNG)]);
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(true);
  });

  test("is not over when more that is older was sent than is kept in mind", () => {
    begin();
    const sent = Array.from({ length: 300 }, (_, at) =>
      keyRecord(Uint8Array.of(at >> 8, at), Uint8Array.of(OLD)),
    );
    rounds.noteSent(sent);
    rounds.noteTaken(sent.map(({ key }) => keyRecord(key, Uint8Array.of(YOUNG))));
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(false);
  });

  test("is not over once the two have met again", () => {
    rounds.meet(BEGUN_AT_MS);
    begin();
    rounds.noteSent([record(1, YOUNG)]);
    expect(rounds.maybeEndBusy(LATER_MS, PAUSE_MS)).toBe(false);
  });
});

describe("rounds after one that found nothing but what is being written", () => {
  let rounds: PeerRounds;
  let atMs: number;
  /** Begins one, which finds something of that age, and is over where that is young. */
  const busyRound = (age = YOUNG): number => {
    atMs += PAUSE_MS;
    rounds.begin(1, atMs, PAUSE_MS, SETTLED_BY);
    rounds.noteAnswer();
    rounds.noteTaken([record(1, age)]);
    rounds.maybeEndBusy(atMs, PAUSE_MS);
    return rounds.upTo;
  };

  beforeEach(() => {
    atMs = BEGUN_AT_MS;
    rounds = new PeerRounds("b" as NodeId, 0, (each) => each[0] === YOUNG);
    rounds.begin(1, 0, PAUSE_MS, SETTLED_BY);
    expect(rounds.settle(10, PAUSE_MS)).toBe(true);
  });

  test("leave out what is being written, each sixth excepted", () => {
    const upTo = Array.from({ length: 13 }, () => busyRound());
    const five = Array.from({ length: 5 }, () => SETTLED_BY);
    expect(upTo).toEqual([0, ...five, 0, ...five, 0]);
  });

  test("compare everything after one that has found something older", () => {
    expect([busyRound(), busyRound(OLD), busyRound(), busyRound()]).toEqual([
      ...[0, SETTLED_BY, 0, SETTLED_BY],
    ]);
  });

  test("compare everything after one that nobody has answered", () => {
    busyRound();
    rounds.begin(1, atMs, PAUSE_MS, SETTLED_BY);
    expect(rounds.upTo).toBe(SETTLED_BY);
    expect(busyRound()).toBe(0);
  });

  test("compare everything when the two have met again", () => {
    busyRound();
    rounds.meet(atMs);
    expect(busyRound()).toBe(0);
  });

  test("leave it out, too, where two have met under writing, once all before that is old", () => {
    rounds.meet(atMs);
    const upTo = Array.from({ length: 4 }, () => {
      atMs += PAUSE_MS / 2;
      rounds.begin(1, atMs, PAUSE_MS, SETTLED_BY);
      rounds.noteAnswer();
      rounds.noteTaken([record(1, YOUNG)]);
      expect(rounds.maybeEndBusy(atMs, PAUSE_MS)).toBe(false);
      return rounds.upTo;
    });
    expect(upTo).toEqual([0, SETTLED_BY, SETTLED_BY, SETTLED_BY]);
    expect(rounds.settle(atMs, PAUSE_MS)).toBe(false);
    expect([busyRound(), busyRound()]).toEqual([SETTLED_BY, SETTLED_BY]);
    expect(rounds.maybeEndBusy(atMs, PAUSE_MS)).toBe(false);
  });

  test("have not found both equal in everything where they find them equal", () => {
    busyRound();
    rounds.begin(1, atMs, PAUSE_MS, SETTLED_BY);
    expect(rounds.settle(atMs + 1, PAUSE_MS)).toBe(false);
    expect([rounds.settledAtMs, rounds.nextAtMs]).toEqual([10, atMs + 1 + PAUSE_MS]);
    expect(busyRound()).toBe(SETTLED_BY);
  });
});

test("a round that is not over is followed by others after 1, 2, 4 seconds, and then the pause", () => {
  const rounds = new PeerRounds("b" as NodeId, 0, () => true);
  const waits = Array.from({ length: 6 }, () => {
    const atMs = rounds.nextAtMs;
    rounds.begin(1, atMs, PAUSE_MS, SETTLED_BY);
    return rounds.nextAtMs - atMs;
  });
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, PAUSE_MS, PAUSE_MS]);
});
