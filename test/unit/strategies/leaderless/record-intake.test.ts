import { describe, expect, test } from "vitest";
import type { Sender } from "../../../../src/core/contracts/machine.ts";
import type { WriteKind, WriteVerdict } from "../../../../src/strategies/leaderless/messages.ts";
import { type KeyedRecord, makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import {
  RecordIntake,
  type RecordIntakeParts,
} from "../../../../src/strategies/leaderless/record-intake.ts";
import { SidedEffects } from "./sided-effects.ts";

const FROM = { node: "b" } as unknown as Sender;
const MET = { time: 9, actorHigh: 1, actorLow: 2 };

function keyedAs(key: string): KeyedRecord {
  const stamp = { time: 4_096, actorHigh: 0, actorLow: 9 };
  return makeKeyedRecord(Buffer.from(key), stamp, Buffer.from("v"));
}

/** What the gate, the verdicts and the room are is said beforehand; what is done of it is noted. */
class Copy {
  readonly effects = new SidedEffects();
  readonly done: string[] = [];
  judged: "news" | "held" | "refused" = "news";
  verdict: WriteVerdict = "stored";
  hasRoom = true;
  hasRoomFor = true;
  refused: readonly number[] | undefined = [];
  readonly intake: RecordIntake;

  constructor(hintsOverwriteNewer = false) {
    const note = (word: string) => (keyed: KeyedRecord) => {
      this.done.push(`${word} ${Buffer.from(keyed.key)}`);
      return keyed;
    };
    const copy = this;
    this.intake = new RecordIntake({
      context: { shardIndex: 2 },
      planted: { hintsOverwriteNewer },
      gate: {
        judge: () => this.judged,
        stampAbove: () => MET,
        takeHandedOver: (
          records: readonly KeyedRecord[],
          _wallMs: number,
          _state: unknown,
          _bound: unknown,
          take: (keyed: KeyedRecord, admitted: Uint8Array) => KeyedRecord,
        ) => {
          for (const keyed of records) take(keyed, keyed.record);
          return this.refused;
        },
      },
      verdicts: { of: ({ keyed }: { readonly keyed: KeyedRecord }) => this.#said(keyed) },
      keeper: {
        get hasRoom() {
          return copy.hasRoom;
        },
        hasRoomFor: () => this.hasRoomFor,
        store: note("store"),
        merge: note("merge"),
      },
      holdsForGood: () => true,
    } as unknown as RecordIntakeParts);
  }

  /** What is answered to a write. */
  write(kind: WriteKind = "first-hand"): unknown {
    this.effects.sent.length = 0;
    const keyed = keyedAs("k");
    const message = { type: "write", requestId: 7, kind, proof: undefined, keyed } as const;
    this.intake.onWrite(FROM, message, 0, 0, this.effects);
    const [sent] = this.effects.sent;
    return sent?.message;
  }

  handOff(...keys: readonly string[]): unknown {
    const message = { type: "handoff", requestId: 7, records: keys.map(keyedAs) } as const;
    this.intake.onHandoff(FROM, message as never, 0, this.effects);
    return this.effects.sent[0]?.message;
  }

  #said(stored: KeyedRecord): { readonly verdict: WriteVerdict; readonly stored: KeyedRecord } {
    return { verdict: this.verdict, stored };
  }
}

describe("a write", () => {
  test("that is news is stored, and answered for", () => {
    const copy = new Copy();
    expect(copy.write()).toMatchObject({ type: "write-ack", requestId: 7, verdict: "stored" });
    expect(copy.done).toEqual(["store k"]);
  });

  test("that is refused for a newer one says which stamp it has met", () => {
    const copy = new Copy();
    copy.verdict = "newer";
    expect(copy.write()).toMatchObject({ verdict: "newer", stamp: MET });
    expect(copy.done).toEqual([]);
  });

  test("is not answered without room: nobody counts who does not say that he holds it", () => {
    const full = new Copy();
    full.hasRoom = false;
    expect(full.write()).toBeUndefined();
    full.effects.put(Buffer.from("k"), keyedAs("k").record);
    expect(full.write()).toMatchObject({ verdict: "stored" });
    full.hasRoomFor = false;
    expect(full.write()).toBeUndefined();
    expect(full.done).toEqual(["store k"]);
  });

  test("of a client is for the verdicts alone; what is sent on has to pass the gate", () => {
    const copy = new Copy();
    copy.judged = "refused";
    expect(copy.write("first-hand")).toMatchObject({ verdict: "stored" });
    expect(copy.write("write-back")).toBeUndefined();
    copy.judged = "held";
    expect(copy.write("write-back")).toMatchObject({ verdict: "equal" });
    expect(copy.done).toEqual(["store k"]);
  });

  test("of repair is awaited by nobody", () => {
    const copy = new Copy();
    expect(copy.write("repair")).toBeUndefined();
    expect(copy.done).toEqual(["store k"]);
  });
});

describe("what is handed over", () => {
  test("is merged, and those that are too large are named", () => {
    const copy = new Copy();
    copy.refused = [1];
    expect(copy.handOff("a", "b")).toMatchObject({ type: "handoff-ack", refused: [1] });
    expect(copy.done).toEqual(["merge a", "merge b"]);
    expect(new Copy().handOff("a")).not.toHaveProperty("refused");
  });

  test("is not acknowledged where some of it has to come again", () => {
    const copy = new Copy();
    copy.refused = undefined;
    expect(copy.handOff("a")).toBeUndefined();
  });

  test("takes the place of what is newer only by a planted bug", () => {
    const copy = new Copy(true);
    copy.handOff("a");
    expect(copy.done).toEqual(["store a"]);
  });
});
