import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { CausalContext } from "../../../../src/strategies/dynamo/causal-context.ts";
import { type DynamoMessage, dynamoCodec } from "../../../../src/strategies/dynamo/messages.ts";
import {
  dottedRecords,
  dynamoMessages,
  stateDeltas,
} from "../../../support/messages/dynamo-messages.ts";

function encode(message: DynamoMessage): Uint8Array {
  const writer = new ByteWriter();
  dynamoCodec.encode(message, writer);
  return writer.copy();
}

const decode = (frame: Uint8Array) => dynamoCodec.decode(new ByteReader(frame));

describe("messages of the strategy dynamo", () => {
  test("come back from their bytes", () => {
    fc.assert(
      fc.property(dynamoMessages, (message) => {
        expect(decode(encode(message))).toEqual(message);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test("are refused when cut short, or are something that was to come", () => {
    fc.assert(
      fc.property(dynamoMessages, fc.nat(), (message, at) => {
        const frame = encode(message);
        const cut = frame.subarray(0, at % frame.length);
        let back: DynamoMessage | undefined;
        try {
          back = decode(cut);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytesError);
        }
        // Only the value at the end may be cut without notice; frames have a length.
        if (back !== undefined) expect(back.type).toBe("mint");
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  test("carry a record or what was added to it over the wire, and not both", () => {
    const [message] = fc.sample(fc.tuple(dottedRecords, stateDeltas), { seed: 3, numRuns: 1 });
    const [record, delta] = message ?? expect.fail("nothing was drawn");
    const minted = { type: "minted", requestId: 1, verdict: "minted", reason: "" } as const;
    const back = decode(encode({ ...minted, keyed: record, delta }));
    expect(back).toEqual({ ...minted, keyed: undefined, delta });
  });

  test("a delta that its base covers is refused", () => {
    const dot = { actor: { high: 1, low: 1 }, counter: 1, time: 1 };
    const base = CausalContext.of([dot]);
    const state = encodeValue(1);
    const delta = { key: Buffer.from("k"), base, dot, settledTo: 0, state };
    const frame = encode({ type: "delta", requestId: 1, delta });
    expect(() => decode(frame)).toThrow(/its base covers/);
  });

  test.each([
    ["a kind that is not known", Buffer.of(9)],
    ["an event that is not known", (frame: Uint8Array) => frame.fill(7, 30, 31)],
  ])("%s is refused", (_name, frame) => {
    const made = encode({
      type: "mint",
      requestId: 1,
      operation: { time: 1, actorHigh: 1, actorLow: 1 },
      again: false,
      newestTime: 0,
      key: Buffer.from("k"),
      event: { type: "put", value: Buffer.from("v"), seen: undefined },
    });
    const broken = typeof frame === "function" ? frame(made) : frame;
    expect(() => decode(broken)).toThrow(MalformedBytesError);
  });
});
