import { describe, expect, test } from "vitest";
import { EXIT, exitCodeOf } from "../../../src/cli/exit-codes.ts";
import { faultFields, faultLine, reportFault } from "../../../src/cli/report-fault.ts";
import { UsageError } from "../../../src/cli/usage-error.ts";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { fakeSurroundings } from "./fake-surroundings.ts";

const unknown = new CapstanError("OUTCOME_UNKNOWN", "1 of 2 replicas answered", {
  operationId: "op-17",
});

describe("the exit code of a fault", () => {
  test.each([
    ["a usage error", new UsageError("wrong"), EXIT.usage],
    ["input that the server refused", new CapstanError("INVALID_KEY", "too long"), EXIT.usage],
    ["a level not offered", new CapstanError("INVALID_LEVEL", "no"), EXIT.usage],
    ["an undeclared keyspace", new CapstanError("UNKNOWN_KEYSPACE", "no"), EXIT.usage],
    ["nothing sent", new CapstanError("UNAVAILABLE", "no"), EXIT.notApplied],
    ["no server", new CapstanError("UNREACHABLE_SERVER", "no"), EXIT.notApplied],
    ["no consensus", new CapstanError("CONDITIONAL_UNSUPPORTED", "no"), EXIT.notApplied],
    ["a write lost to a newer one", new CapstanError("SUPERSEDED", "no"), EXIT.versionMismatch],
    ["an unknown outcome", unknown, EXIT.unknown],
    [
      "a fault that turned out unknown",
      new CapstanError("UNAVAILABLE", "cut", { outcome: "unknown", operationId: "x" }),
      EXIT.unknown,
    ],
    ["a fault of our own", new TypeError("oops"), EXIT.unknown],
  ])("%s", (_case, error, exitCode) => {
    expect(exitCodeOf(error)).toBe(exitCode);
  });
});

describe("the line for people", () => {
  test("names code and outcome, and says that nothing happened", () => {
    const line = faultLine(new CapstanError("UNAVAILABLE", "1 of 3 replicas can be reached"));
    expect(line).toBe(
      "UNAVAILABLE (not applied): 1 of 3 replicas can be reached. " +
        "Nothing happened: trying again is safe.",
    );
  });

  test("of an unknown outcome carries the operation id and what to do with it", () => {
    const line = faultLine(unknown);
    expect(line).toContain("OUTCOME_UNKNOWN (outcome unknown): 1 of 2 replicas answered.");
    expect(line).toContain("Operation id: op-17.");
    expect(line).toContain("--operation-id op-17");
  });

  test("stays one line, and repeats nothing that the message has said", () => {
    const error = new CapstanError("INVALID_LEVEL", "no such level\nhere: one, all", {
      allowed: ["one", "all"],
    });
    expect(faultLine(error)).toBe("INVALID_LEVEL (not applied): no such level here: one, all.");
    const silent = new CapstanError("INVALID_LEVEL", "no such level", { allowed: ["one", "all"] });
    expect(faultLine(silent)).toContain("Allowed: one, all.");
  });

  test("says where a server could come from", () => {
    expect(faultLine(new CapstanError("UNREACHABLE_SERVER", "refused"))).toContain(
      "`capstan cluster`",
    );
  });

  test("and of which kind it is", () => {
    const details = { servers: ["127.0.0.1:4222"] };
    const line = faultLine(new CapstanError("UNREACHABLE_SERVER", "refused", { details }));
    expect(line).toContain("--nats-url");
    expect(line).not.toContain("CAPSTAN_URL");
  });
});

describe("the object for programs", () => {
  test("has the fields of the HTTP API's faults", () => {
    expect(faultFields(unknown)).toEqual({
      code: "OUTCOME_UNKNOWN",
      outcome: "unknown",
      retry: "same-operation-id",
      message: "1 of 2 replicas answered",
      operation_id: "op-17",
    });
    expect(faultFields(new UsageError("wrong"))).toMatchObject({ code: "USAGE" });
  });

  test("goes to standard output, the line for people to standard error", () => {
    const asJson = fakeSurroundings();
    expect(reportFault(unknown, asJson, true)).toBe(EXIT.unknown);
    expect(JSON.parse(asJson.stdout.text)).toMatchObject({ error: { operation_id: "op-17" } });
    expect(asJson.stderr.text).toBe("");

    const asText = fakeSurroundings();
    reportFault(unknown, asText, false);
    expect(asText.stderr.text).toMatch(/^error: OUTCOME_UNKNOWN .*\n$/);
    expect(asText.stdout.text).toBe("");
  });

  test("colours only where colours are wanted", () => {
    const colored = fakeSurroundings({ env: { FORCE_COLOR: "1" } });
    reportFault(unknown, colored, false);
    expect(colored.stderr.text).toContain("\u001b[31merror:");
    const plain = fakeSurroundings({ env: { FORCE_COLOR: "1", NO_COLOR: "1" } });
    reportFault(unknown, plain, false);
    expect(plain.stderr.text).not.toContain("\u001b");
  });
});
