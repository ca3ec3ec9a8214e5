import { expect, test } from "vitest";
import { settlesWithin } from "../../../../src/core/store/settles-within.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const time = new VirtualTime();
const environment = new VirtualEnvironment({ time });

test("what is done already is in time, however short that is", async () => {
  expect(await settlesWithin(Promise.resolve("done"), 0, environment)).toBe(true);
});

test("what never ends is late, and a time that is over counts as none", async () => {
  const late = settlesWithin(new Promise(() => undefined), -5, environment);
  time.advance(1);
  expect(await late).toBe(false);
});

test("a rejection is passed on", async () => {
  const rejected = settlesWithin(Promise.reject(new Error("EIO")), 10, environment);
  await expect(rejected).rejects.toThrow("EIO");
});
