import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../../../src/core/model/bytes.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import { type Applied, ShardMachine } from "../../../../src/strategies/raft/apply.ts";
import {
  type CommandBody,
  type Condition,
  makeCommandRecord,
  type WriteAction,
  writeBody,
} from "../../../../src/strategies/raft/commands.ts";
import {
  CHUNK_SLOTS,
  SESSION_WINDOW,
  slotsInRow,
} from "../../../../src/strategies/raft/slot-chunk.ts";
import { sessionOfRow, slotKey } from "../../../../src/strategies/raft/state-rows.ts";
import { MapState } from "./map-state.ts";

const START_MS = 1_900_000_000_000;
const LIFETIME_MS = 1_000;

/** One entry as it is drawn: small numbers, so that entries meet each other. */
interface Drawn {
  readonly elapsedMs: number;
  readonly session: number;
  readonly sequence: number;
  readonly resolves: boolean;
  readonly actions: readonly {
    readonly key: number;
    readonly kind: "put" | "delete";
    readonly ttlMs: number;
    readonly condition: "none" | "absent" | "revision";
    readonly revision: number;
  }[];
  readonly sweeps: boolean;
}

const drawnEntry: fc.Arbitrary<Drawn> = fc.record({
  elapsedMs: fc.constantFrom(0, 1, 10, 300, 2_500),
  session: fc.nat(2),
  // Those from 4,096 on take over the slots of the small ones.
  sequence: fc.oneof(
    fc.nat(5),
    fc.constantFrom(4_096, 4_097, 4_098, 8_193),
    // Each in a chunk of its own, and more of them than are held.
    fc.nat(30).map((chunk) => chunk * CHUNK_SLOTS),
  ),
  resolves: fc.boolean(),
  sweeps: fc.boolean(),
  actions: fc.array(
    fc.record({
      key: fc.nat(3),
      kind: fc.constantFrom("put" as const, "put" as const, "delete" as const),
      ttlMs: fc.constantFrom(0, 0, 5, 400),
      condition: fc.constantFrom("none" as const, "absent" as const, "revision" as const),
      revision: fc.nat(12),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

function session(number: number) {
  return { time: hybridTimeOf(START_MS) + number, actorHigh: 1, actorLow: number };
}

function bodyOf(drawn: Drawn, index: number, lifeMark: number): CommandBody {
  const { session: of, sequence, resolves, sweeps } = drawn;
  if (sweeps) {
    return {
      type: "sweep",
      keys: drawn.actions.map(({ key, revision }) => ({
        key: Buffer.from(`k${key}`),
        expiresAtMs: START_MS + revision,
      })),
      sessions: [session(of)],
      slots: [{ session: session(of), slot: sequence % SESSION_WINDOW }],
      ownKeys: [],
    };
  }
  if (resolves) return { type: "resolve", session: session(of), sequence };
  const actions = drawn.actions.map((action): WriteAction => {
    const conditions: Readonly<Record<string, Condition | undefined>> = {
      none: undefined,
      absent: { type: "absent" },
      revision: { type: "revision", lifeMark, revision: action.revision },
    };
    const condition = conditions[action.condition];
    const key = Buffer.from(`k${action.key}`);
    return action.kind === "delete"
      ? { type: "delete", key, condition }
      : { type: "put", key, value: Buffer.from(`${index}`), ttlMs: action.ttlMs, condition };
  });
  const identity = { type: "session", session: session(of), sequence } as const;
  return { type: "write", identity, actions, contentFrom: 0 };
}

function recordsOf(entries: readonly Drawn[]): Uint8Array[] {
  const lifeMark = lifeMarkAfterFirst();
  let clockMs = START_MS;
  return entries.map((drawn, at) => {
    clockMs += drawn.elapsedMs;
    const writer = new ByteWriter();
    writeBody(writer, bodyOf(drawn, at + 1, lifeMark));
    const header = { clockMs, salt: 5, sessionLifetimeMs: LIFETIME_MS };
    return makeCommandRecord(header, writer.copy());
  });
}

function lifeMarkAfterFirst(): number {
  const state = new MapState();
  const machine = new ShardMachine(0, () => undefined);
  const writer = new ByteWriter();
  writeBody(writer, { type: "sweep", keys: [], sessions: [], slots: [], ownKeys: [] });
  const header = { clockMs: START_MS, salt: 5, sessionLifetimeMs: LIFETIME_MS };
  machine.apply(1, 1, makeCommandRecord(header, writer.copy()), state);
  return machine.lifeMark;
}

function applyAll(
  records: readonly Uint8Array[],
  reopenAfter: (index: number) => boolean,
  state = new MapState(),
) {
  const applied: Applied[] = [];
  const changes: string[] = [];
  const open = () => {
    const machine = new ShardMachine(0, ({ type, key, index, ordinal }) =>
      changes.push(`${index}.${ordinal} ${type} ${Buffer.from(key)}`),
    );
    machine.open(state);
    return machine;
  };
  let machine = open();
  const before = machine.books.appliedIndex;
  for (const [at, record] of records.entries()) {
    applied.push(machine.apply(before + at + 1, 1, record, state));
    if (!reopenAfter(at + 1)) continue;
    machine.finish(state);
    machine = open();
  }
  machine.finish(state);
  return { digest: state.digest(), applied, changes, chain: machine.books.chain, state };
}

/** As builds before chunks kept it: each slot in a row of its own. */
function withSlotRows(state: MapState): MapState {
  const old = new MapState();
  for (const { key, value } of state.all()) {
    if (key[0] !== 0xff || key[1] !== "x".charCodeAt(0)) {
      old.put(key, value);
      continue;
    }
    for (const [at, slot] of slotsInRow(value).entries()) {
      old.put(slotKey(sessionOfRow(key), slot), value.subarray(at * 21, at * 21 + 21));
    }
  }
  return old;
}

describe("the state machine of a shard", () => {
  test("goes on from slots in rows of their own as from those in chunks", () => {
    fc.assert(
      fc.property(
        fc.array(drawnEntry, { maxLength: 30 }),
        fc.array(drawnEntry, { maxLength: 30 }),
        fc.nat(),
        (entries, later, cut) => {
          const records = recordsOf([...entries, ...later]);
          const { state } = applyAll(records.slice(0, entries.length), () => false);
          const goOn = (from: MapState, reopenAfter: (index: number) => boolean) =>
            applyAll(records.slice(entries.length), reopenAfter, from);
          const old = withSlotRows(state);
          const chunked = goOn(state.copy(), () => false);
          const atOnce = goOn(old.copy(), () => false);
          const cutUp = goOn(old.copy(), (index) => (index * 7 + cut) % 3 === 0);
          expect(atOnce.applied).toEqual(chunked.applied);
          expect(atOnce.chain).toBe(chunked.chain);
          expect(withSlotRows(atOnce.state).digest()).toBe(withSlotRows(chunked.state).digest());
          expect(cutUp.digest).toBe(atOnce.digest);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("makes the same state and outcomes of the same entries, however they are cut into steps", () => {
    fc.assert(
      fc.property(fc.array(drawnEntry, { maxLength: 40 }), fc.nat(), (entries, cut) => {
        const records = recordsOf(entries);
        const atOnce = applyAll(records, () => false);
        const cutUp = applyAll(records, (index) => (index * 7 + cut) % 3 === 0);
        expect(cutUp.digest).toBe(atOnce.digest);
        expect(cutUp.chain).toBe(atOnce.chain);
        expect(cutUp.applied).toEqual(atOnce.applied);
        expect(cutUp.changes).toEqual(atOnce.changes);
      }),
      { numRuns: 200 },
    );
  });

  test("writes at most once under one identity, and never after it was fenced", () => {
    fc.assert(
      fc.property(fc.array(drawnEntry, { maxLength: 60 }), (entries) => {
        const { applied } = applyAll(recordsOf(entries), () => false);
        const written = new Set<string>();
        const settled = new Map<string, string>();
        for (const [at, { session: of, sequence, sweeps }] of entries.entries()) {
          const identity = `${of}/${sequence}`;
          const outcome = applied[at] as Applied;
          if (sweeps) continue;
          if (outcome.type === "resolved" && outcome.outcome !== "unknown") {
            expect(settled.get(identity) ?? outcome.outcome).toBe(outcome.outcome);
            settled.set(identity, outcome.outcome);
            expect(outcome.outcome === "applied").toBe(written.has(identity));
          }
          // The index of the entry as revision: this one wrote, and was not a copy's answer.
          if (outcome.type === "written" && outcome.revision === at + 1) {
            expect(written.has(identity)).toBe(false);
            expect(settled.has(identity)).toBe(false);
            written.add(identity);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("keeps its counts of rows equal to the rows that there are", () => {
    fc.assert(
      fc.property(fc.array(drawnEntry, { maxLength: 60 }), (entries) => {
        const { state } = applyAll(recordsOf(entries), () => false);
        const machine = new ShardMachine(0, () => undefined);
        machine.open(state);
        const rowsOf = (kind: string) =>
          state.all().filter(({ key }) => key[0] === 0xff && key[1] === kind.charCodeAt(0));
        const rows = (kind: string) => rowsOf(kind).length;
        const slots = rowsOf("x").flatMap(({ value }) => slotsInRow(value)).length;
        expect(machine.books.expiringRows).toBe(rows("e"));
        expect(machine.books.rememberedRows).toBe(rows("s") + slots + rows("o"));
        expect(rowsOf("x").filter(({ value }) => value.length === 0)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
