import { expect, test } from "vitest";
import { AnswerWait } from "../../../../src/core/model/answer-wait.ts";

test("an answer is waited for twice as long as the last one took, and longer after each wait in vain", () => {
  const wait = new AnswerWait(250);
  expect(wait.ms).toBe(2_000);
  wait.answered(1);
  expect(wait.ms).toBe(250);
  wait.answered(1_000);
  expect(wait.ms).toBe(2_000);
  wait.inVain();
  expect(wait.ms).toBe(3_000);
  for (let n = 0; n < 20; n++) wait.inVain();
  expect(wait.ms).toBe(30_000);
  wait.answered(500);
  expect(wait.ms).toBe(1_000);
});

test("the least that is waited for is never less, and may be more than what is waited for at first", () => {
  expect(new AnswerWait().ms).toBe(2_000);
  const slow = new AnswerWait(5_000);
  expect(slow.ms).toBe(5_000);
  slow.answered(1);
  expect(slow.ms).toBe(5_000);
});
