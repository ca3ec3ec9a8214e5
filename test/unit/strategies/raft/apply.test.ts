import { beforeEach, describe, expect, test } from "vitest";
import { ByteWriter } from "../../../../src/core/model/bytes.ts";
import type { Stamp } from "../../../../src/core/model/stamp.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import {
  type Applied,
  type ShardChange,
  ShardMachine,
} from "../../../../src/strategies/raft/apply.ts";
import {
  type CommandBody,
  type Condition,
  type Identity,
  makeCommandRecord,
  type WriteAction,
  writeBody,
} from "../../../../src/strategies/raft/commands.ts";
import { revisionOf, valueIn } from "../../../../src/strategies/raft/record.ts";
import { CHUNK_SLOTS, SESSION_WINDOW } from "../../../../src/strategies/raft/slot-chunk.ts";
import { chunkKey, slotKey } from "../../../../src/strategies/raft/state-rows.ts";
import { MapState } from "./map-state.ts";

const START_MS = 1_900_000_000_000;
const LIFETIME_MS = 600_000;

let state: MapState;
let changes: ShardChange[];
let machine: ShardMachine;
let clockMs: number;

beforeEach(() => {
  state = new MapState();
  changes = [];
  machine = new ShardMachine(3, (change) => changes.push(change));
  machine.open(state);
  clockMs = START_MS;
});

function apply(body: CommandBody): Applied {
  const applied = applyOnly(body);
  machine.finish(state);
  return applied;
}

/** Within a step that goes on. */
function applyOnly(body: CommandBody): Applied {
  const writer = new ByteWriter();
  writeBody(writer, body);
  const header = { clockMs, salt: 77, sessionLifetimeMs: LIFETIME_MS };
  const record = makeCommandRecord(header, writer.copy());
  return machine.apply(machine.books.appliedIndex + 1, 1, record, state);
}

function put(key: string, value: string, more: { ttlMs?: number; condition?: Condition } = {}) {
  return {
    type: "put",
    key: Buffer.from(key),
    value: Buffer.from(value),
    ttlMs: more.ttlMs ?? 0,
    condition: more.condition,
  } as const;
}

function remove(key: string, condition?: Condition): WriteAction {
  return { type: "delete", key: Buffer.from(key), condition };
}

function write(actions: readonly WriteAction[], identity?: Identity): Applied {
  return apply({ type: "write", identity, actions, contentFrom: 0 });
}

function sweep(given: Partial<Extract<CommandBody, { type: "sweep" }>> = {}): Applied {
  return apply({ type: "sweep", keys: [], sessions: [], slots: [], ownKeys: [], ...given });
}

function textAt(key: string): string | undefined {
  const record = state.get(Buffer.from(key));
  return record === undefined ? undefined : Buffer.from(valueIn(record)).toString();
}

function at(revision: number): Condition {
  return { type: "revision", lifeMark: machine.lifeMark, revision };
}

function by(sequence: number, session: Stamp = sessionAt(START_MS)): Identity {
  return { type: "session", session, sequence };
}

function sessionAt(wallMs: number): Stamp {
  return { time: hybridTimeOf(wallMs), actorHigh: 7, actorLow: 9 };
}

const ABSENT: Condition = { type: "absent" };

describe("writes", () => {
  test("a put is there, with the index of its entry as revision", () => {
    expect(write([put("a", "1")])).toEqual({ type: "written", revision: 1 });
    expect(textAt("a")).toBe("1");
    expect(revisionOf(state.get(Buffer.from("a")) as Uint8Array)).toBe(1);
    expect(write([put("a", "2")])).toEqual({ type: "written", revision: 2 });
    expect(textAt("a")).toBe("2");
  });

  test("a delete leaves nothing, and tells nobody where nothing was", () => {
    write([put("a", "1")]);
    write([remove("a")]);
    write([remove("a")]);
    expect(textAt("a")).toBeUndefined();
    expect(changes.map(({ type, index }) => `${type} ${index}`)).toEqual(["put 1", "delete 2"]);
  });

  test("ifAbsent writes once, and then shows what is there", () => {
    expect(write([put("a", "1", { condition: ABSENT })]).type).toBe("written");
    const second = write([put("a", "2", { condition: ABSENT })]);
    expect(second).toMatchObject({ type: "rejected", reason: "exists" });
    expect(second.type === "rejected" && revisionOf(second.current as Uint8Array)).toBe(1);
    expect(textAt("a")).toBe("1");
  });

  test("ifVersion writes over that revision only, and says why not", () => {
    expect(write([put("a", "1", { condition: at(1) })])).toMatchObject({ reason: "absent" });
    write([put("a", "1")]);
    expect(write([put("a", "2", { condition: at(1) })])).toMatchObject({
      reason: "version-mismatch",
    });
    expect(write([put("a", "2", { condition: at(2) })]).type).toBe("written");
    expect(write([remove("a", at(2))])).toMatchObject({ reason: "version-mismatch" });
    expect(write([remove("a", at(4))]).type).toBe("written");
    expect(textAt("a")).toBeUndefined();
  });

  test("a version of an earlier life of the shard matches nothing", () => {
    write([put("a", "1")]);
    const other: Condition = { type: "revision", lifeMark: machine.lifeMark ^ 1, revision: 1 };
    expect(write([put("a", "2", { condition: other })])).toMatchObject({
      reason: "version-mismatch",
    });
  });

  test("a batch is written whole, or not at all", () => {
    write([put("a", "1"), put("b", "1")]);
    expect(write([put("a", "2"), put("b", "2", { condition: ABSENT })])).toMatchObject({
      type: "rejected",
      key: Buffer.from("b"),
    });
    expect([textAt("a"), textAt("b")]).toEqual(["1", "1"]);
    expect(write([put("a", "2", { condition: at(1) }), remove("b")]).type).toBe("written");
    expect([textAt("a"), textAt("b")]).toEqual(["2", undefined]);
    expect(changes.filter(({ index }) => index === 3).map(({ ordinal }) => ordinal)).toEqual([
      0, 1,
    ]);
  });

  test("entries out of order are refused, also the same one twice", () => {
    write([put("a", "1")]);
    expect(() => machine.skip(1, 1)).toThrow("entry 1 was to be applied behind entry 1");
    expect(() => machine.skip(3, 1)).toThrow("entry 3");
  });
});

describe("expiry", () => {
  test("a record is gone for conditions as soon as the clock of the log has passed it", () => {
    write([put("a", "1", { ttlMs: 100 })]);
    clockMs += 99;
    expect(write([put("a", "2", { condition: ABSENT, ttlMs: 100 })]).type).toBe("rejected");
    clockMs += 1;
    expect(write([put("a", "3", { condition: ABSENT })]).type).toBe("written");
    expect(changes.map(({ type }) => type)).toEqual(["put", "expire", "put"]);
    expect(machine.books.expiringRows).toBe(0);
  });

  test("a sweep removes what is due, and nothing that was written again meanwhile", () => {
    for (const key of ["due", "again", "longer", "plain"]) write([put(key, "1", { ttlMs: 50 })]);
    const keys = ["due", "again", "longer", "plain"].map((key) => ({
      key: Buffer.from(key),
      expiresAtMs: START_MS + 50,
    }));
    sweep({ keys });
    expect(textAt("due")).toBe("1");
    clockMs += 50;
    write([put("again", "2", { ttlMs: 50 })]);
    write([put("longer", "2", { ttlMs: 5_000 })]);
    write([put("plain", "2")]);
    changes.length = 0;
    sweep({ keys });
    expect(["due", "again", "longer", "plain"].map(textAt)).toEqual([undefined, "2", "2", "2"]);
    expect(changes.map(({ type, key }) => `${type} ${Buffer.from(key)}`)).toEqual(["expire due"]);
    expect(machine.books.expiringRows).toBe(2);
  });

  test("a record that is removed, and has expired before, has expired", () => {
    write([put("a", "1", { ttlMs: 50 })]);
    clockMs += 60;
    write([remove("a")]);
    expect(changes.map(({ type }) => type)).toEqual(["put", "expire"]);
  });

  test("the clock of the log never falls, whatever a leader's clock does", () => {
    write([put("a", "1", { ttlMs: 100 })]);
    clockMs += 100;
    sweep();
    clockMs -= 3_600_000;
    expect(write([put("a", "2", { condition: ABSENT })]).type).toBe("written");
    expect(machine.books.clockMs).toBe(START_MS + 100);
  });
});

describe("at most once", () => {
  test("a copy of a write is answered with the first one's revision, and changes nothing", () => {
    expect(write([put("a", "1")], by(1))).toEqual({ type: "written", revision: 1 });
    write([put("a", "2")], by(2));
    expect(write([put("a", "1")], by(1))).toEqual({ type: "written", revision: 1 });
    expect(textAt("a")).toBe("2");
    expect(changes).toHaveLength(2);
  });

  test("a copy of a rejected write is rejected again, though it would be taken now", () => {
    write([put("a", "1")]);
    expect(write([put("a", "2", { condition: ABSENT })], by(1)).type).toBe("rejected");
    write([remove("a")]);
    const again = write([put("a", "2", { condition: ABSENT })], by(1));
    expect(again).toMatchObject({ type: "rejected", reason: "exists", current: undefined });
    expect(textAt("a")).toBeUndefined();
  });

  test("sequences may come in any order within the window", () => {
    expect(write([put("a", "5")], by(5)).type).toBe("written");
    expect(write([put("a", "3")], by(3)).type).toBe("written");
    expect(write([put("a", "5")], by(5))).toEqual({ type: "written", revision: 1 });
    expect(textAt("a")).toBe("3");
  });

  test("what a step applies of one session is one row, and is known within the step", () => {
    const actions = [put("a", "1")];
    const writes = (sequence: number) =>
      applyOnly({ type: "write", identity: by(sequence), actions, contentFrom: 0 });
    for (let sequence = 0; sequence < CHUNK_SLOTS; sequence++) writes(sequence);
    expect(writes(3)).toEqual({ type: "written", revision: 4 });
    const before = state.all().length;
    machine.finish(state);
    // The books, and the outcomes of all.
    expect(state.all().length).toBe(before + 2);
    expect(write(actions, by(3))).toEqual({ type: "written", revision: 4 });
    expect(machine.books.rememberedRows).toBe(1 + CHUNK_SLOTS);
  });

  test("a step may apply operations of more chunks than are held", () => {
    const actions = [put("a", "1")];
    const chunks = SESSION_WINDOW / CHUNK_SLOTS;
    const writes = (chunk: number) => {
      const identity = by(chunk * CHUNK_SLOTS);
      return applyOnly({ type: "write", identity, actions, contentFrom: 0 });
    };
    const known = (chunk: number) => ({ type: "written", revision: chunk + 1 });
    for (let chunk = 0; chunk < chunks; chunk++) expect(writes(chunk)).toEqual(known(chunk));
    for (let chunk = 0; chunk < chunks; chunk++) expect(writes(chunk)).toEqual(known(chunk));
    machine.finish(state);
    machine.open(state);
    for (let chunk = 0; chunk < chunks; chunk++) expect(writes(chunk)).toEqual(known(chunk));
  });

  test("what the window has left behind is forgotten, and never applied", () => {
    write([put("a", "1")], by(1));
    write([put("a", "2")], by(1 + SESSION_WINDOW));
    expect(write([put("a", "1")], by(1))).toMatchObject({ type: "forgotten" });
    expect(textAt("a")).toBe("2");
    // The session's own row, and the one slot that both have had.
    expect(machine.books.rememberedRows).toBe(2);
  });

  test("an id that was used for something else is refused", () => {
    write([put("a", "1")], by(1));
    expect(write([put("a", "2")], by(1))).toEqual({ type: "reused" });
    expect(write([put("b", "1")], by(1))).toEqual({ type: "reused" });
    expect(textAt("a")).toBe("1");
  });

  test("a session lives while it is used, and for its lifetime after", () => {
    const session = sessionAt(START_MS);
    for (let sequence = 1; sequence <= 10; sequence++) {
      write([put("a", `${sequence}`)], by(sequence, session));
      clockMs += LIFETIME_MS;
      sweep({ sessions: [session] });
    }
    expect(write([put("a", "1")], by(1, session))).toEqual({ type: "written", revision: 1 });
  });

  test("once it is over nothing of it is applied, and no copy opens it again", () => {
    const session = sessionAt(START_MS);
    write([put("a", "1")], by(1, session));
    clockMs += 2 * LIFETIME_MS;
    sweep({ sessions: [session] });
    const slots = [{ session, slot: 1 }];
    expect(write([put("a", "1")], by(1, session))).toMatchObject({ type: "forgotten" });
    expect(write([put("a", "9")], by(9, session))).toEqual({
      type: "forgotten",
      floor: session.time,
    });
    sweep({ slots });
    sweep({ sessions: [session] });
    expect(machine.books.rememberedRows).toBe(0);
    expect(write([put("a", "1")], by(1, session))).toMatchObject({ type: "forgotten" });
    expect(write([put("a", "1")], by(1, sessionAt(clockMs))).type).toBe("written");
  });

  test("outcomes in rows of their own, of a build before chunks, hold, and are swept", () => {
    const session = sessionAt(START_MS);
    write([put("a", "1")], by(1, session));
    write([put("a", "2")], by(2, session));
    const chunk = state.get(chunkKey(session, 0)) as Uint8Array;
    state.delete(chunkKey(session, 0));
    const half = chunk.length / 2;
    state.put(slotKey(session, 1), chunk.subarray(0, half));
    state.put(slotKey(session, 2), chunk.subarray(half));
    machine.open(state);
    expect(write([put("a", "1")], by(1, session))).toEqual({ type: "written", revision: 1 });
    expect(write([put("a", "3")], by(3, session)).type).toBe("written");
    expect(state.get(slotKey(session, 2))).toBeUndefined();
    expect(write([put("a", "2")], by(2, session))).toEqual({ type: "written", revision: 2 });
    expect(machine.books.rememberedRows).toBe(4);
    clockMs += 2 * LIFETIME_MS;
    sweep({ sessions: [session] });
    sweep({ slots: [1, 2, 3].map((slot) => ({ session, slot })) });
    sweep({ sessions: [session] });
    expect(machine.books.rememberedRows).toBe(0);
    expect(state.all().filter(({ key }) => key[0] === 0xff)).toHaveLength(1);
  });

  test("slots of a session that lives are not swept", () => {
    write([put("a", "1")], by(1));
    sweep({ slots: [{ session: sessionAt(START_MS), slot: 1 }] });
    expect(write([put("a", "1")], by(1))).toEqual({ type: "written", revision: 1 });
  });

  test("a key of the user's own is remembered for the lifetime", () => {
    const mine: Identity = { type: "own-key", key: "order-17" };
    write([put("a", "1")], mine);
    write([put("a", "2")]);
    expect(write([put("a", "1")], mine)).toEqual({ type: "written", revision: 1 });
    clockMs += LIFETIME_MS - 1;
    sweep({ ownKeys: ["order-17"] });
    expect(write([put("a", "1")], mine)).toEqual({ type: "written", revision: 1 });
    clockMs += 1;
    sweep({ ownKeys: ["order-17"] });
    expect(machine.books.rememberedRows).toBe(0);
    expect(write([put("a", "3")], mine)).toMatchObject({ type: "written", revision: 7 });
  });
});

describe("resolve", () => {
  const resolve = (sequence: number, session = sessionAt(START_MS)) =>
    apply({ type: "resolve", session, sequence });

  test("says what became of a write", () => {
    write([put("a", "1")], by(1));
    write([put("a", "2", { condition: ABSENT })], by(2));
    expect(resolve(1)).toEqual({ type: "resolved", outcome: "applied" });
    expect(resolve(2)).toEqual({ type: "resolved", outcome: "not-applied" });
  });

  test("fences what was not applied: a late copy is refused, and the answer stays", () => {
    expect(resolve(1)).toEqual({ type: "resolved", outcome: "not-applied" });
    expect(write([put("a", "1")], by(1))).toEqual({ type: "fenced" });
    expect(resolve(1)).toEqual({ type: "resolved", outcome: "not-applied" });
    expect(textAt("a")).toBeUndefined();
  });

  test("is unknown for what is forgotten", () => {
    const session = sessionAt(START_MS);
    write([put("a", "1")], by(1, session));
    clockMs += 2 * LIFETIME_MS;
    sweep({ sessions: [session] });
    expect(resolve(1, session)).toEqual({ type: "resolved", outcome: "unknown" });
  });
});

test("what was seen before the first command is of no other life, what was seen in another one is", () => {
  const before = machine.lifeMark;
  expect(machine.isOfAnotherLife(12_345)).toBe(false);
  write([put("a", "1")]);
  expect(machine.lifeMark).not.toBe(before);
  expect(machine.isOfAnotherLife(before)).toBe(false);
  expect(machine.isOfAnotherLife(machine.lifeMark)).toBe(false);
  expect(machine.isOfAnotherLife(12_345)).toBe(true);
});
