import { expect, test } from "vitest";
import type {
  Effects,
  MachineEvent,
  ReplicaContext,
} from "../../../../src/core/contracts/machine.ts";
import type { Epoch } from "../../../../src/core/model/ids.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { gCounter } from "../../../../src/resolvers/crdt/counters.ts";
import { DeltaIntake } from "../../../../src/strategies/dynamo/delta-intake.ts";
import { decodeRecord } from "../../../../src/strategies/dynamo/dotted-record.ts";
import type { DynamoMessage } from "../../../../src/strategies/dynamo/messages.ts";
import type { StateDelta } from "../../../../src/strategies/dynamo/states/state-delta.ts";
import { States } from "../../../../src/strategies/dynamo/states/states.ts";
import type { LeaderlessMessage } from "../../../../src/strategies/leaderless/messages.ts";
import { MinterWorld, recordOf } from "./minter-world.ts";

const resolver = gCounter();
type Arrival = Extract<MachineEvent<DynamoMessage>, { readonly type: "message" }>;

/** A counter that ten others have counted before, and its next two increments. */
function made(): { record: Uint8Array; first: StateDelta; second: StateDelta } {
  const world = new MinterWorld(resolver);
  const increment = { type: "update", value: encodeValue({ increment: 1 }) } as const;
  let record = new Uint8Array(0);
  for (let operation = 1; operation <= 10; operation++) {
    world.minter.onCopyLeft();
    record = recordOf(world.mint(operation, increment)) as Uint8Array<ArrayBuffer>;
  }
  const next = (operation: number): StateDelta => {
    const [sent] = world.mint(operation, increment);
    if (sent?.message.type !== "minted" || !sent.message.delta) throw new Error("no delta");
    return sent.message.delta;
  };
  return { record, first: next(11), second: next(12) };
}

/** A copy of it at another node. */
class Copy {
  readonly gaps: number[] = [];
  readonly writes: Uint8Array[] = [];
  readonly copies = {
    ...{ epoch: 3 as Epoch, floor: 0, hasRoom: true },
    hasRoomFor: () => this.hasRoomFor,
    step: ({ message }: { readonly message: LeaderlessMessage }) => this.#onWrite(message),
  };
  hasRoomFor = true;
  readonly intake: DeltaIntake;
  held: Uint8Array | undefined;

  constructor(held: Uint8Array | undefined) {
    this.held = held;
    const context = { shardIndex: 0 } as ReplicaContext;
    const states = new States(resolver, {});
    this.intake = new DeltaIntake(context, states, this.copies as never);
  }

  take(delta: StateDelta): void {
    const message = { type: "delta", requestId: 8, delta } as const;
    const event = { type: "message", from: { node: "n2" }, message } as unknown as Arrival;
    const effects = {
      get: () => this.held,
      send: (_to: string, _role: string, _shard: number, sent: DynamoMessage) => {
        if (sent.type === "gap") this.gaps.push(sent.requestId);
      },
    } as unknown as Effects<DynamoMessage>;
    this.intake.take(event, message, effects);
  }

  #onWrite(message: LeaderlessMessage): void {
    if (message.type !== "at-epoch" || message.message.type !== "write") {
      throw new Error(`a copy was handed ${message.type}`);
    }
    expect([message.epoch, message.message.requestId]).toEqual([3, 8]);
    this.held = message.message.keyed.record;
    this.writes.push(this.held);
  }
}

test("is joined to a copy that holds what it rests on, as if the record had come", () => {
  const { record, first, second } = made();
  const copy = new Copy(record);
  copy.take(first);
  copy.take(second);
  expect(copy.intake.describe()).toEqual({ deltasJoined: 2, deltaGaps: 0 });
  const context = decodeRecord(copy.held as Uint8Array).context;
  expect(context.covers(second.dot, second.dot.time)).toBe(true);
});

test("asks for the record where the copy lacks what it rests on, and changes nothing", () => {
  const { record, second } = made();
  for (const held of [record, undefined]) {
    const copy = new Copy(held);
    copy.take(second);
    expect(copy.gaps).toEqual([8]);
    expect([copy.writes.length, copy.held]).toEqual([0, held]);
    expect(copy.intake.describe()).toEqual({ deltasJoined: 0, deltaGaps: 1 });
  }
});

test("asks for the record of what is settled: whether that was held here, no delta says", () => {
  const { record, first } = made();
  const copy = new Copy(record);
  copy.copies.floor = first.dot.time;
  copy.take(first);
  expect([copy.gaps, copy.writes.length]).toEqual([[8], 0]);
});

test("that comes twice is answered for by what is held, and counted once", () => {
  const { record, first } = made();
  const copy = new Copy(record);
  copy.take(first);
  copy.take(first);
  expect(copy.writes[1]).toEqual(copy.writes[0]);
  expect(copy.intake.describe().deltasJoined).toBe(1);
});

test("is neither joined nor answered without room for it", () => {
  const { record, first } = made();
  const full = new Copy(undefined);
  full.copies.hasRoom = false;
  full.take(first);
  const long = new Copy(record);
  long.hasRoomFor = false;
  long.take(first);
  for (const copy of [full, long]) {
    expect([copy.gaps, copy.writes, copy.intake.describe().deltasJoined]).toEqual([[], [], 0]);
  }
});
