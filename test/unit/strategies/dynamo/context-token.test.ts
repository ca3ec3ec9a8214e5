import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CausalContext,
  CONTEXT_ENTRY_BYTES,
} from "../../../../src/strategies/dynamo/causal-context.ts";
import {
  ContextTokens,
  MAX_CONTEXT_BYTES,
  MAX_CONTEXT_CHARACTERS,
} from "../../../../src/strategies/dynamo/context-token.ts";
import { encodeRecord, NOTHING } from "../../../../src/strategies/dynamo/dotted-record.ts";

const KEY = Buffer.from("alice");
const CLUSTER_KEY = Buffer.alloc(32, 7);
const CONTEXT = CausalContext.of([
  { actor: { high: 1, low: 2 }, counter: 3, time: 5 },
  { actor: { high: 0xffff_ffff, low: 0 }, counter: 2 ** 48 - 1, time: 4_096 },
]);
const unsigned = new ContextTokens("carts", 77, undefined);
const signed = new ContextTokens("carts", 77, CLUSTER_KEY);
const both = [
  ["without a cluster key", unsigned],
  ["with a cluster key", signed],
] as const;

const refusal = expect.objectContaining({ code: "INVALID_ARGUMENT", outcome: "not-applied" });

describe.each(both)("tokens %s", (_name, tokens) => {
  const token = tokens.tokenOf(KEY, CONTEXT, 4_096);

  test("say again what they were made of", () => {
    const seen = tokens.parse(KEY, token);
    expect(seen.context.entries).toEqual(CONTEXT.entries);
    expect(seen).toMatchObject({ newestTime: 4_096, isSigned: tokens === signed });
  });

  test.each([0, 300, 5_000])("are the same of a record that says it, with the base %d", (base) => {
    const context = CONTEXT.raisedTo(base);
    const record = encodeRecord({ ...NOTHING, context, newestTime: 4_096 });
    expect(tokens.tokenOfRecord(KEY, record, [])).toBe(tokens.tokenOf(KEY, context, 4_096));
  });

  test("name versions that the context covers and nobody has seen", () => {
    const unseen = [
      { actor: { high: 1, low: 2 }, counter: 2, time: 4 },
      { actor: { high: 1, low: 2 }, counter: 3, time: 5 },
    ];
    const record = encodeRecord({ ...NOTHING, context: CONTEXT, newestTime: 4_096 });
    const seen = tokens.parse(KEY, tokens.tokenOfRecord(KEY, record, unseen));
    expect(seen.context.entries).toEqual(CONTEXT.entries);
    expect(seen).toMatchObject({ unseen, newestTime: 4_096, isSigned: tokens === signed });
    expect(tokens.parse(KEY, token).unseen).toEqual([]);
  });

  test("say that nothing was seen where they would be too long, and never more", () => {
    let context = CausalContext.EMPTY;
    while (context.byteLength + CONTEXT_ENTRY_BYTES <= MAX_CONTEXT_BYTES) {
      const low = context.entries.length + 1;
      context = context.with({ actor: { high: 0, low }, counter: 2, time: low });
    }
    const record = encodeRecord({ ...NOTHING, context, newestTime: 4_096 });
    const unseen = { actor: { high: 0, low: 7 }, counter: 1, time: 6 };
    const text = tokens.tokenOfRecord(KEY, record, [unseen]);
    expect(text.length).toBeLessThanOrEqual(MAX_CONTEXT_CHARACTERS);
    const seen = tokens.parse(KEY, text);
    expect(seen).toMatchObject({ context: CausalContext.EMPTY, unseen: [], newestTime: 4_096 });
  });

  test("are refused for another key, naming it", () => {
    expect(() => tokens.parse(Buffer.from("bob"), token)).toThrow(refusal);
    expect(() => tokens.parse(Buffer.from("bob"), token)).toThrow(/"bob".*"carts"/);
  });

  test("are refused in another keyspace", () => {
    const others = new ContextTokens("notes", 78, tokens === signed ? CLUSTER_KEY : undefined);
    expect(() => others.parse(KEY, token)).toThrow(refusal);
  });

  test("are refused when cut short, at every length", () => {
    for (let length = 0; length < token.length; length++) {
      expect(() => tokens.parse(KEY, token.slice(0, length))).toThrow(refusal);
    }
  });

  test("are refused with any character changed", () => {
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.nat(63), (at, to) => {
        const letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[
          to
        ] as string;
        if (letter === token[at]) return;
        const changed = token.slice(0, at) + letter + token.slice(at + 1);
        expect(() => tokens.parse(KEY, changed)).toThrow(refusal);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test.each(["", "d", "t0", "d====", "null", "d".repeat(MAX_CONTEXT_CHARACTERS + 1), "dé"])(
    "refuse %j",
    (text) => {
      expect(() => tokens.parse(KEY, text)).toThrow(refusal);
    },
  );
});

describe("the cluster's key", () => {
  test("decides: a token of another cluster's key, or of none, is refused", () => {
    const other = new ContextTokens("carts", 77, Buffer.alloc(32, 8));
    for (const [mine, theirs] of [
      [signed, other],
      [signed, unsigned],
      [unsigned, signed],
    ] as const) {
      expect(() => mine.parse(KEY, theirs.tokenOf(KEY, CONTEXT, 1))).toThrow(refusal);
    }
  });

  test("is what makes a forged context known; a checksum can be made by anybody", () => {
    const forged = CausalContext.of([
      { actor: { high: 1, low: 2 }, counter: 2 ** 48 - 1, time: 1 },
    ]);
    const forger = new ContextTokens("carts", 77, undefined);
    expect(() => signed.parse(KEY, forger.tokenOf(KEY, forged, 1))).toThrow(refusal);
    expect(unsigned.parse(KEY, forger.tokenOf(KEY, forged, 1)).isSigned).toBe(false);
  });
});

test("the largest context that a key may have fits a token", () => {
  let context = CausalContext.EMPTY;
  for (let low = 1; context.byteLength + CONTEXT_ENTRY_BYTES <= MAX_CONTEXT_BYTES; low++) {
    context = context.with({ actor: { high: 0, low }, counter: 1, time: 1 });
  }
  const token = signed.tokenOf(KEY, context, 1);
  expect(token.length).toBeLessThanOrEqual(MAX_CONTEXT_CHARACTERS);
  expect(signed.parse(KEY, token).context.entries).toHaveLength(context.entries.length);
});
