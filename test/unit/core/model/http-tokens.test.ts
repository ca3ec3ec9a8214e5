import { describe, expect, test } from "vitest";
import { isCapstanError } from "../../../../src/core/model/errors.ts";
import { isHttpToken, parseHttpTokens } from "../../../../src/core/model/http-tokens.ts";

const GOOD = "0123456789abcdef0123";
const SECRET = "s3cret";

describe("tokens of a configuration", () => {
  test("are given by role, themselves or by a file", () => {
    expect(parseHttpTokens(undefined)).toBeUndefined();
    expect(parseHttpTokens({ admin: GOOD, write: [GOOD, `${GOOD}=`], readFile: "r" })).toEqual([
      { role: "read", option: "http.tokens.readFile", file: "r" },
      { role: "write", option: "http.tokens.write", tokens: [GOOD, `${GOOD}=`] },
      { role: "admin", option: "http.tokens.admin", tokens: [GOOD] },
    ]);
  });

  test.each([
    [{}, "http.tokens names no tokens"],
    [SECRET, "http.tokens names no tokens"],
    [[SECRET], "http.tokens names no tokens"],
    [{ [SECRET.slice(0, 2)]: SECRET }, "http.tokens.s3 is no field here; allowed: read, readFile"],
    [{ read: SECRET }, "http.tokens.read is no token"],
    [{ read: [GOOD, SECRET] }, "http.tokens.read is no token, or one of them is none"],
    [{ read: [] }, "http.tokens.read is no token"],
    // A variable of the environment that is not set.
    [{ write: undefined, admin: GOOD }, "http.tokens.write is no token"],
    [{ writeFile: undefined }, "http.tokens.writeFile is no path"],
    [{ write: SECRET, writeFile: "w" }, "http.tokens.writeFile stands beside http.tokens.write"],
    [{ adminFile: "" }, "http.tokens.adminFile is no path"],
  ])("%j is refused, and not repeated", (input, message) => {
    let fault: unknown;
    try {
      parseHttpTokens(input);
    } catch (error) {
      fault = error;
    }
    if (!isCapstanError(fault)) throw new Error("nothing was refused");
    expect(fault.message).toContain(message);
    expect(JSON.stringify([fault.message, fault.details])).not.toContain(SECRET);
  });

  test("are long, and of characters that travel in a header", () => {
    for (const text of [GOOD, "a".repeat(512), `${GOOD}-._~+/==`])
      expect(isHttpToken(text)).toBe(true);
    const wrong = [
      "a".repeat(19),
      "a".repeat(513),
      `${GOOD} `,
      `${GOOD}\r\nX: y`,
      `=${GOOD}`,
      "",
      7,
    ];
    for (const text of wrong) expect(isHttpToken(text)).toBe(false);
  });
});
