import { describe, expect, it } from "vitest";
import {
  contended,
  refuseNoFunction,
  valueToModify,
} from "../../../../src/core/model/modify-rules.ts";
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

describe("what modify calls its function with", () => {
  it("is the value that is there, or nothing", () => {
    expect(valueToModify({ found: true, value: 7 }, "key")).toBe(7);
    expect(valueToModify({ found: false, value: 7 }, "key")).toBeUndefined();
  });

  it("is refused where there are several", () => {
    const siblings = { found: true, conflict: true, value: 7 };
    expect(() => valueToModify(siblings, "key")).toThrow(
      expect.objectContaining({ code: "NOT_SUPPORTED", outcome: "not-applied" }),
    );
  });
});

it("a modify that others always were ahead of has written nothing", () => {
  expect(contended("key")).toMatchObject({ code: "CONTENDED", outcome: "not-applied" });
});
