import { expect, it } from "vitest";
import { type CloseRequest, ClosingStack } from "../../../../src/core/store/closing-stack.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

it("closes the newest first, all of it, and says what did not close as it should", async () => {
  const opened = new ClosingStack(new VirtualEnvironment());
  const closed: string[] = [];
  const closing = (what: string, error?: Error) => async () => {
    closed.push(what);
    if (error !== undefined) throw error;
  };
  const cause = new Error("stuck");
  opened.push("first", closing("first"));
  opened.push("second", closing("second", cause));
  opened.push("third", closing("third"));
  const fault = await opened.close({ drain: true, timeoutMs: 100 }).catch((error) => error);
  expect(closed).toEqual(["third", "second", "first"]);
  expect(fault).toMatchObject({
    code: "INTERNAL",
    cause,
    message: expect.stringMatching(/second$/),
  });
  await opened.close({ drain: true, timeoutMs: 100 });
  expect(closed).toHaveLength(3);
});

it("gives those who come later what is left of the time", async () => {
  const environment = new VirtualEnvironment();
  const opened = new ClosingStack(environment);
  const requests: CloseRequest[] = [];
  opened.push("fast", async (request) => {
    requests.push(request);
  });
  opened.push("slow", async (request) => {
    requests.push(request);
    environment.time.advance(70);
  });
  await opened.close({ drain: true, timeoutMs: 100 });
  expect(requests).toEqual([
    { drain: true, timeoutMs: 100 },
    { drain: true, timeoutMs: 30 },
  ]);
});
