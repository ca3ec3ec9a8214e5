import { describe, expect, test } from "vitest";
import { parseJson } from "../../../src/cli/parse-json.ts";

const problemOf = (text: string): string => {
  const parsed = parseJson(text);
  return parsed.ok ? "" : parsed.problem;
};

describe("JSON from the command line", () => {
  test.each([
    ["null", null],
    ['"text"', "text"],
    ["-0.5", -0.5],
    ['{"a":[1,{"b":true}]}', { a: [1, { b: true }] }],
  ])("%s is taken", (text, value) => {
    expect(parseJson(text)).toEqual({ ok: true, value });
  });

  test("keeps a field named __proto__", () => {
    const parsed = parseJson('{"__proto__": {"a": 1}}');
    expect(parsed.ok && Object.keys(parsed.value as object)).toEqual(["__proto__"]);
  });

  test("names line and column of what is no JSON", () => {
    expect(problemOf('{"a": 1\n "b": 2}')).toMatch(/line 2, column 2/);
    expect(problemOf("{bad")).toMatch(/line 1, column 2/);
  });

  test.each([
    ["", /end of JSON/],
    ['{"a":1,"a":2}', /stands twice/],
    ["12345678901234567890", /beyond 2\^53/],
    ["1e400", /too large/],
  ])("%j is refused, since it would not be stored as written", (text, problem) => {
    expect(problemOf(text)).toMatch(problem);
  });
});
