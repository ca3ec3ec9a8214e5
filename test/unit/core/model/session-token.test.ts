import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BEGIN_SESSION,
  joinMarks,
  MAX_SESSION_TOKEN_CHARACTERS,
  type SessionMark,
  SessionToken,
} from "../../../../src/core/model/session-token.ts";

const KEYSPACE = 7;

const numbers = fc.oneof(fc.nat(1_000), fc.maxSafeNat());
const marks: fc.Arbitrary<SessionMark> = fc
  .array(fc.tuple(fc.constantFrom("", "a", "log-2", "é", "key/1", "key/2", "key/3"), numbers), {
    maxLength: 4,
  })
  .map((entries) => new Map(entries));
const tokens = fc
  .array(fc.tuple(fc.nat(65_534), marks), { maxLength: 6 })
  .map((entries) =>
    entries.reduce((token, [shard, mark]) => token.with(shard, mark), SessionToken.begin(KEYSPACE)),
  );

describe("a session token", () => {
  it("comes back from its text as it was", () => {
    fc.assert(
      fc.property(tokens, fc.nat(65_534), (token, shard) => {
        const text = token.toString();
        const again = SessionToken.parse(KEYSPACE, text);
        expect(again.toString()).toBe(text);
        expect(again.mark(shard)).toEqual(token.mark(shard));
      }),
    );
  });

  it("joins in any order, and twice, to the same token", () => {
    fc.assert(
      fc.property(tokens, tokens, tokens, (a, b, c) => {
        expect(a.join(b).toString()).toBe(b.join(a).toString());
        expect(a.join(b).join(c).toString()).toBe(a.join(b.join(c)).toString());
        expect(a.join(a).toString()).toBe(a.toString());
      }),
    );
  });

  it("never forgets what was seen of a shard", () => {
    const token = SessionToken.begin(KEYSPACE)
      .with(3, new Map([["log", 9]]))
      .with(3, new Map([["log", 4]]))
      .with(3, new Map([["other", 1]]));
    expect(token.mark(3)).toEqual(
      new Map([
        ["log", 9],
        ["other", 1],
      ]),
    );
    expect(token.mark(4).size).toBe(0);
  });

  it("keeps of a group the greatest alone: by number, then by rank", () => {
    const mark = (name: string, number: number) => new Map([[name, number]]);
    const token = SessionToken.begin(KEYSPACE)
      .with(3, mark("key/b", 7))
      .with(3, mark("key/a", 7))
      .with(3, mark("other/a", 1))
      .with(3, mark("key/c", 6));
    expect([...token.mark(3)].sort()).toEqual([
      ["key/b", 7],
      ["other/a", 1],
    ]);
    expect([...token.with(3, mark("key/a", 8)).mark(3)].sort()[0]).toEqual(["key/a", 8]);
  });

  it("is begun with a word", () => {
    const token = SessionToken.parse(KEYSPACE, BEGIN_SESSION);
    expect(token.mark(0).size).toBe(0);
    expect(token.toString()).toBe(SessionToken.begin(KEYSPACE).toString());
  });

  it("is refused when it is another keyspace's, damaged, or no token at all", () => {
    const text = SessionToken.begin(KEYSPACE)
      .with(1, new Map([["", 5]]))
      .toString();
    const last = text.at(-1) === "A" ? "B" : "A";
    const wrong = ["", "x", text.slice(0, -1), `${text.slice(0, -1)}${last}`, `${text}AAAA`];
    for (const each of wrong) {
      expect(() => SessionToken.parse(KEYSPACE, each)).toThrow(
        expect.objectContaining({ code: "INVALID_SESSION" }),
      );
    }
    expect(() => SessionToken.parse(KEYSPACE + 1, text)).toThrow(/not made by this keyspace/);
  });

  it("never throws anything else, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 60 }), (text, bytes) => {
        SessionToken.maybeDecode(text);
        SessionToken.maybeDecode(Buffer.from(bytes).toString("base64url"));
      }),
    );
  });

  it("holds a thousand shards of a log, and says so when it can hold no more", () => {
    let token = SessionToken.begin(KEYSPACE);
    const at = (shard: number): SessionMark => new Map([["", 1e9 + shard]]);
    for (let shard = 0; shard < 1_000; shard++) token = token.with(shard, at(shard));
    const text = token.toString();
    expect(text.length).toBeLessThanOrEqual(MAX_SESSION_TOKEN_CHARACTERS);
    expect(SessionToken.parse(KEYSPACE, text).mark(999)).toEqual(at(999));

    for (let shard = 1_000; shard < 2_000; shard++) token = token.with(shard, at(shard));
    const full = token.toString();
    expect(() => SessionToken.parse(KEYSPACE, full)).toThrow(/seen more than a token/);
    expect(SessionToken.maybeDecode(full)?.isFull).toBe(true);
  });

  it("stays full, joined with whatever", () => {
    const many = new Map(Array.from({ length: 256 }, (_, index) => [String(index), 1] as const));
    const full = SessionToken.begin(KEYSPACE).with(0, many);
    const other = SessionToken.begin(KEYSPACE).with(0, new Map([["a", 1]]));
    expect(full.isFull).toBe(true);
    expect(other.join(full).isFull).toBe(true);
    expect(full.join(other).isFull).toBe(true);
  });

  it("refuses what a strategy may not put into a mark", () => {
    const withMark = (mark: SessionMark) => () =>
      SessionToken.begin(KEYSPACE).with(0, mark).toString();
    expect(withMark(new Map([["", 1.5]]))).toThrow(RangeError);
    expect(withMark(new Map([["x".repeat(65), 1]]))).toThrow(RangeError);
  });
});

describe("joined marks", () => {
  it("are the first one itself where the second adds nothing", () => {
    const held = new Map([["a", 2]]);
    expect(joinMarks(held, new Map([["a", 1]]))).toBe(held);
    expect(joinMarks(held, new Map([["b", 0]])).get("b")).toBe(0);
  });
});
