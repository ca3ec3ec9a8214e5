import { describe, expect, it } from "vitest";
import { BEGIN_SESSION, SessionToken } from "../../../../src/core/model/session-token.ts";
import { NOTHING_MORE, openBench, RESOLVED_KEYSPACE } from "./fake-engine.ts";

const { hash } = RESOLVED_KEYSPACE;

describe("a session handed from call to call", () => {
  it("is begun by a word, and its answers carry what was seen", async () => {
    const { keyspace, engine } = openBench();
    const written = await keyspace.put("a", 1, { session: BEGIN_SESSION });
    const shard = engine.executed[0]?.shardIndex ?? -1;
    expect(engine.executed[0]?.options?.session).toEqual(new Map());
    expect(SessionToken.parse(hash, written.session ?? "").mark(shard)).toEqual(new Map([["", 1]]));

    const read = await keyspace.get("a", { session: written.session as string });
    expect(engine.executed[1]?.options?.session).toEqual(new Map([["", 1]]));
    expect(read.session).toBe(written.session);
  });

  it("is absent from calls without one, and from their operations", async () => {
    const { keyspace, engine } = openBench();
    expect(await keyspace.put("a", 1)).not.toHaveProperty("session");
    expect(await keyspace.get("a")).not.toHaveProperty("session");
    expect(engine.executed.map(({ options }) => options)).toEqual([undefined, undefined]);
  });

  it("goes with each key of a call with many, and comes back with each", async () => {
    const { keyspace } = openBench();
    const many = await keyspace.putMany([["a", 1] as const, ["b", 2] as const], {
      session: BEGIN_SESSION,
    });
    const tokens = many.map((each) => (each.ok ? each.result.session : undefined));
    expect(tokens.every((token) => token !== undefined)).toBe(true);
    expect(new Set(tokens).size).toBe(2);
  });

  it("comes back from a refused conditional write, which has seen what is there", async () => {
    const { keyspace } = openBench();
    await keyspace.put("a", 1);
    const refused = await keyspace.put("a", 2, { ifAbsent: true, session: BEGIN_SESSION });
    expect(refused).toMatchObject({ ok: false, session: expect.any(String) });
  });

  it("goes through modify, from its read to its write", async () => {
    const { keyspace, engine } = openBench();
    await keyspace.put("a", 1);
    const written = await keyspace.modify("a", () => 2, { session: BEGIN_SESSION });
    expect(engine.executed.at(-1)?.options?.session).toEqual(new Map([["", 1]]));
    expect(written.session).toEqual(expect.any(String));
  });

  it("is refused if it is damaged, or where the strategy has none", async () => {
    const { keyspace } = openBench();
    const damaged = { code: "INVALID_SESSION", message: expect.stringContaining('"begin"') };
    await expect(keyspace.get("a", { session: "nonsense" })).rejects.toMatchObject(damaged);
    const { keyspace: without } = openBench(NOTHING_MORE);
    const call = without.get("a", { session: BEGIN_SESSION });
    await expect(call).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});

describe("withSession", () => {
  it.each([null, 5, {}])("refuses %j in the place of a token", (token) => {
    const { keyspace } = openBench();
    expect(() => keyspace.withSession(token as never)).toThrow(
      expect.objectContaining({
        code: "INVALID_SESSION",
        message: expect.stringContaining("a session has to be text, not"),
      }),
    );
  });

  it("carries what its calls have seen, without showing it in their results", async () => {
    const { keyspace, engine } = openBench();
    const session = keyspace.withSession();
    expect(await session.put("a", 1)).not.toHaveProperty("session");
    expect(await session.has("a")).toBe(true);
    await session.getMany(["a"]);
    const seen = engine.executed.map(({ options }) => options?.session?.get(""));
    expect(seen).toEqual([undefined, 1, 1]);
  });

  it("goes on elsewhere from its token", async () => {
    const { keyspace } = openBench();
    const session = keyspace.withSession();
    await session.put("a", 1);
    const { keyspace: elsewhere, engine } = openBench();
    await elsewhere.withSession(session.token).get("a");
    expect(engine.executed[0]?.options?.session).toEqual(new Map([["", 1]]));
  });

  it("keeps what calls under way at once have seen, in whatever order they end", async () => {
    const { keyspace, engine } = openBench();
    const session = keyspace.withSession();
    engine.hold = true;
    const calls = [session.put("a", 1), session.put("b", 1)];
    engine.release();
    engine.release();
    await Promise.all(calls);
    const token = SessionToken.parse(hash, session.token);
    const shards = engine.executed.map(({ shardIndex }) => shardIndex);
    expect(shards.map((shard) => token.mark(shard).get(""))).toEqual([1, 2]);
  });

  it("says that it is full instead of forgetting", async () => {
    const { keyspace } = openBench();
    const many = new Map(Array.from({ length: 256 }, (_, index) => [String(index), 1] as const));
    const full = SessionToken.begin(hash).with(0, many).toString();
    expect(() => keyspace.withSession(full)).toThrow(/seen more than/);
  });

  it("has calls that are refused where the strategy has no sessions", async () => {
    const { keyspace } = openBench(NOTHING_MORE);
    const refusal = { code: "NOT_SUPPORTED" };
    await expect(keyspace.withSession().get("a")).rejects.toMatchObject(refusal);
  });
});
