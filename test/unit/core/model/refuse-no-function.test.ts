import { describe, expect, it } from "vitest";
import { refuseNoFunction } from "../../../../src/core/model/refuse-no-function.ts";
import { openStore } from "../../../../src/open-store.ts";

describe("what modify is given", () => {
  it.each([[undefined], [null], [{}], ["x"]])("is refused if it is %j", (change) => {
    expect(() => refuseNoFunction(change)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", outcome: "not-applied" }),
    );
  });

  it("may be any function", () => {
    expect(() => refuseNoFunction(() => 1)).not.toThrow();
  });

  it("is looked at before the key is read", async () => {
    await using store = await openStore({ keyspaces: { locks: { strategy: "raft" } } });
    await store.ready();
    const call = store.keyspace("locks").modify("key", undefined as never);
    await expect(call).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
