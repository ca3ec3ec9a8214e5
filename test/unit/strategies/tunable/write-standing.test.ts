import { describe, expect, test } from "vitest";
import { endOf, standingOf } from "../../../../src/strategies/tunable/write-standing.ts";
import { ALL, answer, pendingOf, sentOf, stampAt } from "./write-world.ts";

describe("a quorum write to three replicas stands", () => {
  test.each([
    ["awaited", ["stored"]],
    ["awaited", ["stored", "newer*"]],
    ["met", ["stored", "stored"]],
    ["met", ["stored", "skewed", "equal"]],
    ["overtaken", ["stored", "newer"]],
    ["overtaken", ["stored*", "newer", "newer"]],
    ["awaited", ["newer", "newer"]],
    ["outrun", ["newer", "newer", "newer"]],
    ["exhausted", ["newer", "newer", "skewed"]],
    ["exhausted", ["stored", "stored*", "stored*"]],
    ["outdated", ["stored", "outdated", "skewed"]],
    ["reused", ["reused"]],
    ["reused", ["stored", "stored", "reused"]],
  ])("%s after %j", (standing, verdicts) => {
    expect(standingOf(answer(sentOf(), ...verdicts))).toBe(standing);
  });

  test("reused, whatever else is said of it", () => {
    expect(standingOf(answer(sentOf(), "newer", "newer", "reused"))).toBe("reused");
  });

  test("met by one copy less, where one counts twice by a planted bug", () => {
    const pending = answer(sentOf(), "stored");
    expect(standingOf(pending, 1)).toBe("met");
    expect(standingOf(pending, 0)).toBe("awaited");
  });
});

describe("what all have refused for newer versions is stamped again", () => {
  const refused = ["newer", "newer", "newer"];

  test("not under a stamp that its id names", () => {
    expect(standingOf(answer(sentOf(stampAt(5)), ...refused))).toBe("exhausted");
  });

  test("not if it was sent in an earlier round: it may have been stored then", () => {
    const pending = sentOf();
    pending.sentAgain = true;
    expect(standingOf(answer(pending, ...refused))).toBe("exhausted");
  });

  test("not if a copy of it was taken somewhere, and lost", () => {
    const pending = sentOf();
    pending.stored = true;
    pending.newer = ALL;
    pending.answers.answered = ALL;
    expect(standingOf(pending)).toBe("exhausted");
  });

  test("eight times at the most", () => {
    const pending = sentOf();
    for (let round = 2; standingOf(answer(pending, ...refused)) === "outrun"; round++) {
      pending.stampAs(stampAt(10 + round), undefined);
      pending.beginRound(round, ALL, 0);
      pending.sentTo = ALL;
    }
    expect(pending.attempts).toBe(8);
  });
});

describe("a write of which no more is awaited ends", () => {
  test("unsent while it learns, whoever has answered", () => {
    const pending = pendingOf();
    pending.beginRound(1, ALL, 0);
    expect(endOf(pending, true)).toBe("unsent");
  });

  test.each([
    ["refused", "refused", ["newer", "skewed", "newer"]],
    ["unconfirmed", "lowered", ["stored"]],
    ["unconfirmed", "overtaken", ["stored", "newer"]],
    ["unconfirmed", "unconfirmed", ["stored*"]],
    ["unconfirmed", "unconfirmed", ["newer", "newer"]],
    ["unconfirmed", "unconfirmed", []],
  ])("%s, or %s where fewer copies will do, after %j", (strict, lower, verdicts) => {
    expect(endOf(answer(sentOf(), ...verdicts), false)).toBe(strict);
    expect(endOf(answer(sentOf(), ...verdicts), true)).toBe(lower);
  });
});
