import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { isWellFormed } from "../../../../src/core/model/utf8.ts";
import {
  type CommandBody,
  type Condition,
  decodeBody,
  decodeCommand,
  type Identity,
  makeCommandRecord,
  type WriteAction,
  writeBody,
  writeWriteBody,
} from "../../../../src/strategies/raft/commands.ts";
import { payloadOfEntry } from "../../../../src/strategies/raft/entry.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const bytes = (options: { minLength?: number; maxLength: number }) =>
  fc.uint8Array(options).map((array) => new Uint8Array(array));
// As UTF-8: 0xff begins the rows of the replica itself.
const key = bytes({ minLength: 1, maxLength: 40 }).filter(([first]) => first !== 0xff);
const stamp = fc.record({ time: whole, actorHigh: u32, actorLow: u32 });

const condition: fc.Arbitrary<Condition | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constant({ type: "absent" } as const),
  fc.record({ type: fc.constant("revision" as const), lifeMark: u32, revision: whole }),
);
const action: fc.Arbitrary<WriteAction> = fc.oneof(
  fc.record({
    type: fc.constant("put" as const),
    key,
    value: bytes({ maxLength: 60 }),
    ttlMs: fc.oneof(fc.constant(0), whole),
    condition,
  }),
  fc.record({ type: fc.constant("delete" as const), key, condition }),
);
const identity: fc.Arbitrary<Identity | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record({ type: fc.constant("session" as const), session: stamp, sequence: whole }),
  fc.record({
    type: fc.constant("own-key" as const),
    key: fc.string({ unit: "binary", minLength: 1, maxLength: 30 }).filter(isWellFormed),
  }),
);
const body: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({
    type: fc.constant("write" as const),
    identity,
    actions: fc.array(action, { minLength: 1, maxLength: 5 }),
    contentFrom: fc.constant(0),
  }),
  fc.record({ type: fc.constant("resolve" as const), session: stamp, sequence: whole }),
  fc.record({
    type: fc.constant("sweep" as const),
    keys: fc.array(fc.record({ key, expiresAtMs: whole }), { maxLength: 4 }),
    sessions: fc.array(stamp, { maxLength: 4 }),
    slots: fc.array(fc.record({ session: stamp, slot: fc.integer({ min: 0, max: 4_095 }) }), {
      maxLength: 4,
    }),
    ownKeys: fc.array(fc.constantFrom("a", "ключ", "x y"), { maxLength: 3 }),
  }),
);

function encoded(of: CommandBody): Uint8Array {
  const writer = new ByteWriter();
  writeBody(writer, of);
  return writer.copy();
}

/** Views compare as the bytes that they show; what the writer did not take is left out. */
function plain(of: CommandBody): unknown {
  const { contentFrom: _, ...rest } = of as CommandBody & { contentFrom?: unknown };
  return JSON.parse(
    JSON.stringify(rest, (_name, value) =>
      value instanceof Uint8Array || value?.type === "Buffer" ? [...(value.data ?? value)] : value,
    ),
  );
}

describe("commands", () => {
  test("come back as they were written", () => {
    fc.assert(
      fc.property(body, (of) => {
        expect(plain(decodeBody(encoded(of)))).toEqual(plain(of));
      }),
      { numRuns: 300 },
    );
  });

  test("have equal content exactly where they write the same, whoever asks", () => {
    const writes: WriteAction[] = [
      {
        type: "put",
        key: Buffer.from("a"),
        value: Buffer.from("1"),
        ttlMs: 0,
        condition: undefined,
      },
    ];
    const session = { time: 5, actorHigh: 1, actorLow: 2 };
    const contents = [
      undefined,
      { type: "session", session, sequence: 9 } as const,
      { type: "own-key", key: "mine" } as const,
    ].map((by) => {
      const writer = new ByteWriter();
      writeWriteBody(writer, by, writes);
      const decoded = decodeBody(writer.copy());
      return decoded.type === "write"
        ? Buffer.from(writer.copy(decoded.contentFrom)).toString("hex")
        : "";
    });
    expect(new Set(contents).size).toBe(1);
  });

  test("carry the leader's clock, salt and lifetime of sessions in front", () => {
    const header = { clockMs: 1_900_000_000_123, salt: 0xdead_beef, sessionLifetimeMs: 600_000 };
    const resolve = {
      type: "resolve",
      session: { time: 1, actorHigh: 2, actorLow: 3 },
      sequence: 4,
    } as const;
    const command = decodeCommand(payloadOfEntry(makeCommandRecord(header, encoded(resolve))));
    expect(command).toEqual({ header, body: resolve });
  });

  test("are refused when cut short or with bytes behind them, never misread", () => {
    fc.assert(
      fc.property(body, fc.nat(), (of, cut) => {
        const whole = encoded(of);
        const short = whole.subarray(0, cut % whole.length);
        expect(() => decodeBody(short)).toThrow(MalformedBytesError);
        expect(() => decodeBody(Buffer.concat([whole, Buffer.from([0])]))).toThrow(
          MalformedBytesError,
        );
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ["a type that is not known", [9]],
    ["a write without actions", [1, 0, 0, 0]],
    ["an action that is neither put nor delete", [1, 0, 0, 1, 0, 0, 1, 65]],
    ["an action that is both", [1, 0, 0, 1, 3, 0, 1, 65]],
    ["flags of a later format", [1, 0, 0, 1, 64 + 1, 0, 1, 65]],
    ["an empty key", [1, 0, 0, 1, 2, 0, 0]],
    ["two conditions", [1, 0, 0, 1, 2 + 8 + 16, 0, 1, 65]],
    ["an identity of a later format", [1, 7]],
    ["an empty key of the user's own", [1, 2, 0, 0]],
    ["more items than are allowed", [3, 0xff, 0xff]],
  ])("refuse %s", (_what, raw) => {
    expect(() => decodeBody(Uint8Array.from(raw))).toThrow(MalformedBytesError);
  });
});
