import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseQuery } from "../../../src/http/query.ts";
import { keyOf, keyspaceOf, queryOf, routerPath } from "../../../src/http/resource-path.ts";

const key = (raw: string) => keyOf(`/api/v1/data/${raw}`);

describe("keys in paths", () => {
  test.each([
    ["a", "a"],
    ["a%2Fb", "a/b"],
    ["a/b", "a/b"],
    ["a%252Fb", "a%2Fb"],
    ["a//b/", "a//b/"],
    ["/a", "/a"],
    ["a+b", "a+b"],
    ["a%20b;c=d", "a b;c=d"],
    ["__proto__", "__proto__"],
    ["...", "..."],
    ["a%2F..%2Fb", "a/../b"],
    ["%00", "\0"],
    ["%EF%BB%BFx", "\ufeffx"],
    ["e%CC%81", "e\u0301"],
    ["%C3%A9", "\u00e9"],
    // Bytes that curl sends as they are.
    ["\u00c3\u00a9", "\u00e9"],
  ])("%s is %j", (raw, expected) => {
    expect(key(raw)).toBe(expected);
  });

  test("every key comes back from encodeURIComponent, once decoded", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1 });
    fc.assert(
      fc.property(text, (original) => {
        fc.pre(original !== "." && original !== "..");
        expect(key(encodeURIComponent(original))).toBe(original);
        const other = `/api/v1/keyspaces/data/data/${encodeURIComponent(original)}?x=/data/`;
        expect([keyspaceOf(other), keyOf(other)]).toEqual(["data", original]);
      }),
    );
  });

  test.each([
    ["", /empty/],
    ["%zz", /no percent-encoding/],
    ["%", /no percent-encoding/],
    ["a%2", /no percent-encoding/],
    ["%ff", /not well-formed UTF-8/],
    ["%c0%ae", /not well-formed UTF-8/],
    ["%ED%A0%80", /not well-formed UTF-8/],
    [".", /cannot be a whole segment/],
    ["..", /cannot be a whole segment/],
    ["%2e", /cannot be a whole segment/],
    ["%2E.", /cannot be a whole segment/],
    ["a/../b", /cannot be a whole segment/],
    ["a/%2e%2E", /cannot be a whole segment/],
    ["a#b", /bare #/],
  ])("%s is refused", (raw, message) => {
    expect(() => key(raw)).toThrow(message);
  });

  test("the router never sees a user's text", () => {
    expect(routerPath("/api/v1/data/%zz/../x?y")).toBe("/api/v1/data/-");
    expect(routerPath("/api/v1/keyspaces/%zz/data/%ff")).toBe("/api/v1/keyspaces/-/data/-");
    expect(routerPath("/api/v1/keyspaces/a/data?limit=1")).toBe("/api/v1/keyspaces/-/data");
    expect(routerPath("/api/v1/operations/a%zz/resolve")).toBe("/api/v1/operations/-/resolve");
    expect(routerPath("http://x/api/v1/data/a")).toBe("/api/v1/data/-");
    expect(routerPath("*")).toBe("*");
  });
});

describe("queries", () => {
  test("fields are decoded once; a plus is a space", () => {
    const fields = parseQuery(queryOf("/x?prefix=a%2Bb+c&cursor=&__proto__=1"));
    expect({ ...fields }).toEqual({ prefix: "a+b c", cursor: "", ["__proto__"]: "1" });
    expect(Object.keys(fields)).toContain("__proto__");
  });

  test("a field that stands twice is refused, also when spelt differently", () => {
    expect(() => parseQuery("limit=1&limit=1")).toThrow(/"limit" stands twice/);
    expect(() => parseQuery("limit=1&%6cimit=2")).toThrow(/"limit" stands twice/);
    expect(() => parseQuery("a=%ff")).toThrow(/UTF-8/);
  });
});
