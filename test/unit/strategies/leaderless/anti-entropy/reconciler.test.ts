import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../../../src/core/model/bytes.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { ScanBudget } from "../../../../../src/strategies/leaderless/anti-entropy/fingerprint-index.ts";
import { ReconcileDraft } from "../../../../../src/strategies/leaderless/anti-entropy/reconcile-draft.ts";
import type { ReconcileMessage } from "../../../../../src/strategies/leaderless/anti-entropy/reconcile-message.ts";
import { Reconciler } from "../../../../../src/strategies/leaderless/anti-entropy/reconciler.ts";
import { leaderlessCodec } from "../../../../../src/strategies/leaderless/messages.ts";
import {
  keyRecord,
  makeKeyedRecord,
  timeOf,
} from "../../../../../src/strategies/leaderless/record.ts";
import { mergedOf } from "../../../../../src/strategies/leaderless/record-rules.ts";
import { stampedRules } from "../../../../../src/strategies/leaderless/stamped-rules.ts";
import { PlainState } from "../../../../support/plain-state.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";

const STEP_ENTRIES = 200;
/** A span that is cut by its entries is read as one. */
const LARGEST_RUN = 256;

class CountingState extends PlainState {
  /** Entries that were read in runs. */
  read = 0;
  /** Their bytes, of one run at the most. */
  mostBytes = 0;

  override range(...span: Parameters<PlainState["range"]>): ReturnType<PlainState["range"]> {
    const result = super.range(...span);
    this.read += result.entries.length;
    const bytes = result.entries.reduce((sum, { value }) => sum + value.length, 0);
    this.mostBytes = Math.max(this.mostBytes, bytes);
    return result;
  }
}

/** A replica reduced to what anti-entropy needs of it. */
class Side {
  readonly state = new CountingState();
  readonly reconciler = new Reconciler(timeOf);
  readonly name: NodeId;
  settledRound = 0;
  mostSent = 0;
  mostRead = 0;
  allRead = 0;

  constructor(name: string) {
    this.name = name as NodeId;
  }

  write(key: string, time: number, value: string | undefined): void {
    const stamp = { time, actorHigh: 1, actorLow: 1 };
    const bytes = value === undefined ? undefined : Buffer.from(value);
    const { key: keyBytes, record } = makeKeyedRecord(Buffer.from(key), stamp, bytes);
    this.merge(keyBytes, record);
  }

  merge(key: Uint8Array, record: Uint8Array): void {
    const merged = mergedOf(stampedRules, this.state.get(key), record);
    this.state.put(key, merged);
    this.reconciler.index.touch(key);
  }

  /** Answers what goes back at once. */
  take(from: Side, message: ReconcileMessage): ReconcileMessage | undefined {
    const back = new ReconcileDraft(from.name);
    for (const { key, record } of message.records) {
      this.merge(key, record);
      const held = this.state.get(key) as Uint8Array;
      if (Buffer.compare(held, record) !== 0) back.addRecord(keyRecord(key, held));
    }
    if (message.settledRound > 0) this.settledRound = message.settledRound;
    this.reconciler.take(from.name, message);
    return back.isEmpty || message.isAnswer ? undefined : { ...back.finish(), isAnswer: true };
  }

  /** One step's work for the peer. */
  work(peer: Side): ReconcileMessage | undefined {
    const draft = new ReconcileDraft(peer.name, this.reconciler.next?.upTo);
    this.state.read = 0;
    this.reconciler.work(this.state, new ScanBudget(STEP_ENTRIES, 1e6), draft, 32 * 1024);
    this.mostRead = Math.max(this.mostRead, this.state.read);
    this.allRead += this.state.read;
    this.mostSent = Math.max(this.mostSent, draft.bytes);
    return draft.isEmpty ? undefined : draft.finish();
  }
}

interface Traffic {
  bytes: number;
  messages: number;
}

/** Until both have nothing left to do. `lose` decides about each message. */
function runRound(
  a: Side,
  b: Side,
  round: number,
  lose = (): boolean => false,
  { upTo = 0, meanwhile = () => undefined as unknown } = {},
): Traffic {
  const traffic = { bytes: 0, messages: 0 };
  a.reconciler.begin(b.name, round, upTo);
  for (let steps = 0; !(a.reconciler.isIdle && b.reconciler.isIdle); steps++) {
    if (steps > 20_000) throw new Error("the round does not end");
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      meanwhile();
      const message = from.work(to);
      const answer = message === undefined ? undefined : carry(message, from, to, traffic, lose);
      if (answer !== undefined) carry(answer, to, from, traffic, lose);
    }
  }
  return traffic;
}

function carry(
  message: ReconcileMessage,
  from: Side,
  to: Side,
  traffic: Traffic,
  lose: () => boolean,
): ReconcileMessage | undefined {
  const writer = new ByteWriter();
  leaderlessCodec.encode(message, writer);
  traffic.bytes += writer.length;
  traffic.messages++;
  if (lose()) return undefined;
  return to.take(from, leaderlessCodec.decode(new ByteReader(writer.copy())) as ReconcileMessage);
}

function entriesOf(side: Side): readonly string[] {
  return side.state.entries.map(
    ({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value).toString("hex")}`,
  );
}

function twoSides(): { readonly a: Side; readonly b: Side } {
  return { a: new Side("a"), b: new Side("b") };
}

describe("two sides that reconcile", () => {
  it("hold the merge of both afterwards, whatever each held before", () => {
    const write = fc.record({
      key: fc.nat(700).map((number) => `k${number}`),
      time: fc.integer({ min: 1, max: 1_000 }),
      value: fc.option(fc.string({ maxLength: 20 }), { nil: undefined }),
      at: fc.constantFrom("a", "b", "both"),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 1_200, size: "max" }), (writes) => {
        const { a, b } = twoSides();
        for (const { key, time, value, at } of writes) {
          if (at !== "b") a.write(key, time, value);
          if (at !== "a") b.write(key, time, value);
        }
        const merged = new Side("merged");
        for (const side of [a, b]) {
          for (const { key, value } of side.state.entries) merged.merge(key, value);
        }
        runRound(a, b, 1);
        expect(entriesOf(a)).toEqual(entriesOf(merged));
        expect(entriesOf(b)).toEqual(entriesOf(merged));
        expect(a.settledRound).toBe(entriesOf(a).length === 0 ? 1 : a.settledRound);
        runRound(a, b, 2);
        expect(a.settledRound).toBe(2);
      }),
      { numRuns: 20 },
    );
  });

  it("say so at once where nothing differs, in two small messages", () => {
    const { a, b } = twoSides();
    for (const side of [a, b]) for (let i = 0; i < 3_000; i++) side.write(`k${i}`, i, "v");
    const traffic = runRound(a, b, 7);
    expect(a.settledRound).toBe(7);
    expect(traffic).toEqual({ bytes: expect.any(Number), messages: 2 });
    expect(traffic.bytes).toBeLessThan(100);
  });

  it("send in proportion to what differs, not to what they hold", () => {
    const value = "x".repeat(256);
    const sent = [2_000, 8_000].map((held) => {
      const { a, b } = twoSides();
      for (const side of [a, b]) {
        for (let i = 0; i < held; i++) side.write(`user-${i}`, 1, value);
      }
      for (let i = 0; i < 20; i++) a.write(`user-${i * 97}`, 2, value);
      return runRound(a, b, 1).bytes;
    });
    const differing = 20 * 256;
    expect(Math.max(...sent)).toBeLessThan(6 * differing);
    expect(sent[1] as number).toBeLessThan((sent[0] as number) * 2);
  });

  it("find each difference between values of any size, in one round", () => {
    for (const kib of [1, 10, 20, 30, 60, 100, 400]) {
      const value = "x".repeat(kib * 1024);
      for (let differing = 100; differing < 109; differing++) {
        const { a, b } = twoSides();
        for (const side of [a, b]) for (let i = 100; i < 109; i++) side.write(`k${i}`, 1, value);
        (differing % 2 === 0 ? a : b).write(`k${differing}`, 2, value);
        runRound(a, b, 1);
        expect(entriesOf(a), `${kib} KiB, ${differing}`).toEqual(entriesOf(b));
      }
    }
  });

  it("never read many large values at once", () => {
    const { a, b } = twoSides();
    const value = "x".repeat(200 * 1024);
    for (const side of [a, b]) for (let i = 100; i < 200; i++) side.write(`k${i}`, 1, value);
    for (const side of [a, b]) for (let i = 200; i < 300; i++) side.write(`k${i}`, 1, "small");
    a.write("k150", 2, "other");
    b.write("k199", 2, "other");
    b.write("k250", 2, "other");
    const { messages } = runRound(a, b, 1);
    expect(entriesOf(a)).toEqual(entriesOf(b));
    expect(Math.max(a.state.mostBytes, b.state.mostBytes)).toBeLessThan(1024 * 1024);
    expect(messages).toBeLessThan(40);
  });

  it("fill an empty one, in messages that are bounded", () => {
    const { a, b } = twoSides();
    for (let i = 0; i < 4_000; i++) b.write(`k${i}`, i + 1, "v".repeat(100));
    runRound(a, b, 1);
    expect(entriesOf(a)).toEqual(entriesOf(b));
    expect(b.mostSent).toBeLessThanOrEqual(128 * 1024);
  });

  it("read little in a step, though every key differs: clients wait as long as a step takes", () => {
    const { a, b } = twoSides();
    for (let key = 0; key < 5_000; key++) {
      for (const [at, side] of [a, b].entries()) side.write(`k${key}`, 1 + at, "x".repeat(20));
    }
    runRound(a, b, 1);
    expect(entriesOf(a)).toEqual(entriesOf(b));
    for (const side of [a, b]) expect(side.mostRead).toBeLessThan(STEP_ENTRIES + 2 * LARGEST_RUN);
  });

  it("are equal after some rounds, though every eighth message is lost", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new SeededRandom(seed);
      const { a, b } = twoSides();
      for (let i = 0; i < 600; i++) {
        const draw = random.uint32() % 10;
        if (draw !== 0) a.write(`k${i}`, i + 1, "a");
        if (draw !== 1) b.write(`k${i}`, i + 1 + (draw === 2 ? 1 : 0), "a");
      }
      let round = 0;
      const lose = (): boolean => random.uint32() % 8 === 0;
      while (a.settledRound === 0) {
        round++;
        if (round > 60) throw new Error(`seed ${seed}: not equal after ${round} rounds`);
        runRound(a, b, round, lose);
      }
      expect(entriesOf(a)).toEqual(entriesOf(b));
    }
  });

  it("may leave out what is younger, and mend all else", () => {
    const write = fc.record({
      key: fc.nat(900).map((number) => `k${number}`),
      time: fc.integer({ min: 1, max: 1_000 }),
      at: fc.constantFrom("a", "b", "both"),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 1_500, size: "max" }), (writes) => {
        const upTo = 700;
        const { a, b } = twoSides();
        for (const { key, time, at } of writes) {
          if (at !== "b") a.write(key, time, "v");
          if (at !== "a") b.write(key, time, "v");
        }
        const [merged, older] = [new Side("merged"), new Set<string>()];
        const before = new Map(entriesOf(a).map((each) => [each.split("=")[0], each]));
        for (const side of [a, b]) {
          for (const { key, value } of side.state.entries) {
            merged.merge(key, value);
            if (timeOf(value) <= upTo) older.add(Buffer.from(key).toString());
          }
        }
        runRound(a, b, 1, undefined, { upTo });
        const wanted = entriesOf(merged).filter((each) => older.has(each.split("=")[0] as string));
        for (const side of [a, b]) expect(entriesOf(side)).toEqual(expect.arrayContaining(wanted));
        for (const each of entriesOf(a)) {
          const [key] = each.split("=");
          if (!older.has(key as string)) expect(each).toBe(before.get(key));
        }
        runRound(a, b, 2, undefined, { upTo });
        expect(a.settledRound).toBe(2);
      }),
      { numRuns: 20 },
    );
  });

  it("read a shard that is written all the time once, where they leave out what is younger", () => {
    const keys = 4_000;
    const readWith = (upTo: number, missed: boolean): number => {
      const { a, b } = twoSides();
      for (const side of [a, b]) for (let key = 0; key < keys; key++) side.write(`k${key}`, 9, "v");
      let time = 10;
      const meanwhile = (): void => {
        for (let count = 0; count < 40; count++, time++) {
          for (const side of [a, b]) side.write(`k${(time * 7_919) % keys}`, time, "v");
        }
      };
      for (let steps = 0; steps < 200; steps++) meanwhile();
      if (missed) a.write("missed", 5, "v");
      runRound(a, b, 1, undefined, { upTo, meanwhile });
      expect(b.state.get(Buffer.from("missed")) !== undefined).toBe(missed);
      expect(a.settledRound).toBe(upTo > 0 && !missed ? 1 : 0);
      return (a.allRead + b.allRead) / keys;
    };
    expect(readWith(9, false)).toBeLessThan(2.1);
    expect(readWith(9, true)).toBeLessThan(4.5);
    expect(readWith(0, false)).toBeGreaterThan(8);
  });

  it("drop work that a peer lays up without end, and count it", () => {
    const { a, b } = twoSides();
    for (let i = 0; i < 5_000; i++) a.reconciler.begin(b.name, i + 1);
    expect(a.reconciler.dropped).toBe(5_000 - 1_024);
    a.reconciler.forget(b.name);
    expect(a.reconciler.isIdle).toBe(true);
  });
});

describe("a message of anti-entropy", () => {
  it.each([
    ["a span that ends before it begins", [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 9, 0, 1, 3]],
    ["more parts than there are bytes", [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]],
    ["an unknown flag", [7, 0, 0, 0, 0, 0, 0, 0, 0, 4]],
    ["a time beyond 2^53", [7, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0]],
  ])("is refused with %s", (_name, bytes) => {
    expect(() => leaderlessCodec.decode(new ByteReader(Buffer.from(bytes)))).toThrow(
      expect.objectContaining({ name: "MalformedBytesError" }),
    );
  });
});
