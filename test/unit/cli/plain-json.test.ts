import { expect, test } from "vitest";
import { plainGet, plainMismatch, plainWritten, valueText } from "../../../src/cli/plain-json.ts";
import { receipt } from "./receipts.ts";

test("a value that JSON cannot hold is shown for what it is", () => {
  const value = { at: new Date(0), raw: new Uint8Array([1, 2, 3]), big: 12n, list: [1n] };
  expect(valueText(value)).toBe(
    '{"at":{"$date":"1970-01-01T00:00:00.000Z"},"raw":{"$bytes":"AQID"},"big":{"$bigint":"12"},' +
      '"list":[{"$bigint":"1"}]}',
  );
});

test("a field named __proto__ is shown like any other", () => {
  expect(valueText(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
});

test("results have the names of the HTTP API", () => {
  const found = { found: true, conflict: false, value: 1, version: "v1", receipt } as const;
  expect(plainGet("k", found)).toEqual({
    key: "k",
    found: true,
    value: 1,
    version: "v1",
    consistency_asked: "quorum",
    consistency_achieved: "quorum",
    consistent: true,
    nodes_queried: 2,
    pending_sync: false,
    replicas: { total: 3, answered: 2, durable: 2, stand_ins: 0 },
    repaired: 0,
    epoch: 1,
    duration_ms: 1.25,
  });
  expect(plainGet("k", { found: false, receipt })).toMatchObject({ key: "k", found: false });
  const siblings = {
    found: true,
    conflict: true,
    siblings: [1, 2],
    version: "v",
    receipt,
  } as const;
  expect(plainGet("k", siblings)).toMatchObject({ conflict: true, siblings: [1, 2] });
  expect(plainWritten("k", { version: "v2", receipt })).toMatchObject({ ok: true, version: "v2" });
  expect(plainMismatch("k", { ok: false, reason: "exists", current: found })).toEqual({
    key: "k",
    ok: false,
    reason: "exists",
    current: { found: true, value: 1, version: "v1" },
  });
});
