import { expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { noteFailure } from "../../../../src/core/store/machine-failures.ts";

test("a machine is made anew three times; with the fourth failure the node has to stop", () => {
  const cell = { failures: 0, role: "replica" as const, shardIndex: 3 };
  const notices: unknown[] = [];
  const told = { observer: SILENT_OBSERVER, onNotice: (notice: unknown) => notices.push(notice) };
  const error = new Error("a broken invariant");
  const fail = () => noteFailure(cell, "users", error, told);
  expect([fail(), fail(), fail()]).toEqual([undefined, undefined, undefined]);
  const fault = fail();
  expect(fault?.message).toBe("a replica of keyspace users failed 4 times");
  expect([fault?.code, fault?.cause]).toEqual(["STORE_FAILED", error]);
  expect(notices).toHaveLength(4);
  expect(notices[0]).toEqual({
    type: "machine-failed",
    keyspace: "users",
    role: "replica",
    shard: 3,
    message: "a broken invariant",
  });
});

test("what is thrown and is no error is told as it is", () => {
  const cell = { failures: 0, role: "coordinator" as const, shardIndex: 0 };
  const messages: unknown[] = [];
  const onNotice = ({ message }: { readonly [field: string]: unknown }) => messages.push(message);
  noteFailure(cell, "users", "a word", { observer: SILENT_OBSERVER, onNotice });
  expect(messages).toEqual(["a word"]);
});
