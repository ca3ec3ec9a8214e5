import { describe, expect, test } from "vitest";
import {
  CapstanError,
  ERRORS,
  type ErrorCode,
  type ErrorDefinition,
  isCapstanError,
  overloaded,
} from "../../../../src/core/model/errors.ts";

const rows: [string, ErrorDefinition][] = Object.entries(ERRORS);

describe("the registry", () => {
  test.each(rows)("%s makes sense", (code, { outcome, retry, httpStatus, summary }) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(httpStatus).toBeGreaterThanOrEqual(400);
    expect(httpStatus).toBeLessThan(600);
    expect(summary).toMatch(/^[A-Z"].*[^.]\.$|^[a-z]+.*\.$/);
    // Never advise what could make a write happen twice, nor an id where nothing happened.
    if (outcome === "unknown") expect(retry).not.toBe("safe");
    else expect(retry).not.toBe("same-operation-id");
  });

  test("cannot be changed", () => {
    expect(Object.isFrozen(ERRORS)).toBe(true);
    for (const [, row] of rows) expect(Object.isFrozen(row)).toBe(true);
  });
});

describe("CapstanError", () => {
  test("says what its code says", () => {
    const error = new CapstanError("INVALID_KEY", "the key is empty");
    expect(error).toMatchObject({
      name: "CapstanError",
      message: "the key is empty",
      code: "INVALID_KEY",
      outcome: "not-applied",
      retry: "never",
      httpStatus: 400,
      operationId: undefined,
    });
  });

  test("whose outcome turned out unknown asks for the same operation id, and is a 504", () => {
    const error = new CapstanError("ABORTED", "aborted", { outcome: "unknown", operationId: "x" });
    expect(error).toMatchObject({ retry: "same-operation-id", httpStatus: 504, operationId: "x" });
  });

  test("takes advice that knows better, a cause, and details", () => {
    const cause = new Error("why");
    const details = { path: "$" };
    const options = { retry: "safe", cause, details, allowed: ["one"] } as const;
    const error = new CapstanError("INVALID_VALUE", "no", options);
    expect(error).toMatchObject({ retry: "safe", cause, details, allowed: ["one"] });
    expect("cause" in new CapstanError("INVALID_VALUE", "no")).toBe(false);
  });

  test("as JSON says its message, which programs log", () => {
    const fault = new CapstanError("INVALID_LEVEL", "no level", { details: { level: "x" } });
    expect(JSON.parse(JSON.stringify({ fault }))).toEqual({
      fault: {
        name: "CapstanError",
        code: "INVALID_LEVEL",
        message: "no level",
        outcome: "not-applied",
        retry: "never",
        details: { level: "x" },
      },
    });
  });

  test("is known by its brand, also from another copy of the package", () => {
    const foreign = Object.assign(new Error("x"), { [Symbol.for("capstan.error")]: true });
    expect(isCapstanError(new CapstanError("OVERLOADED", "full"))).toBe(true);
    expect(isCapstanError(foreign)).toBe(true);
    for (const other of [new Error("x"), { code: "OVERLOADED" }, null, undefined, "OVERLOADED"]) {
      expect(isCapstanError(other)).toBe(false);
    }
  });

  test("can be made of every code", () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      expect(new CapstanError(code, "m").httpStatus).toBe(ERRORS[code].httpStatus);
    }
  });

  test("that refuses for load gathers no trace: that would cost more than what is refused", () => {
    const error = overloaded("4 of 4 are under way");
    expect(error).toMatchObject({ code: "OVERLOADED", outcome: "not-applied", retry: "safe" });
    expect(error.stack).not.toContain("\n    at ");
    expect(new CapstanError("INTERNAL", "afterwards").stack).toContain("\n    at ");
  });

  test("is the same where the length of traces cannot be set", () => {
    const defined = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit") ?? {};
    Object.defineProperty(Error, "stackTraceLimit", { ...defined, writable: false });
    try {
      expect(overloaded("full")).toMatchObject({ code: "OVERLOADED", message: "full" });
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", defined);
    }
  });
});
