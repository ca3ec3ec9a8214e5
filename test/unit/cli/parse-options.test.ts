import { describe, expect, test } from "vitest";
import {
  countOption,
  durationOption,
  levelOption,
  urlOption,
} from "../../../src/cli/parse-options.ts";

describe("a duration", () => {
  test.each([
    ["250", 250],
    ["250ms", 250],
    ["5s", 5_000],
    ["1.5s", 1_500],
    ["2m", 120_000],
    ["1h", 3_600_000],
  ])("%s is %i ms", (text, durationMs) => {
    expect(durationOption(text)).toBe(durationMs);
  });

  test.each(["", "0", "-5s", "5q", "1d", "abc", "61m", "0.5ms", "1e3", "Infinity"])(
    "%j is refused, with what is allowed",
    (text) => {
      expect(() => durationOption(text)).toThrow("from 1ms to 1h");
    },
  );
});

describe("a level", () => {
  test.each([
    ["quorum", "quorum"],
    ["STRONG", "strong"],
    ["local_quorum", "local-quorum"],
  ])("%s is %s", (word, level) => {
    expect(levelOption(word)).toBe(level);
  });

  test("of another name is refused, naming those that there are", () => {
    expect(() => levelOption("qourum")).toThrow(/one, two, three, quorum, all/);
  });
});

describe("a count", () => {
  test.each(["", "0", "65", "-1", "1.5", "1e1", "0x10", "ten", "99999999999999999999"])(
    "%j is refused, with its bounds",
    (text) => {
      expect(() => countOption(1, 64)(text)).toThrow("from 1 to 64");
    },
  );

  test("is taken within its bounds, both included", () => {
    expect([countOption(1, 64)("1"), countOption(1, 64)("64")]).toEqual([1, 64]);
  });
});

describe("a URL", () => {
  test.each([
    ["http://127.0.0.1:8401", "http://127.0.0.1:8401"],
    ["http://127.0.0.1:8401/", "http://127.0.0.1:8401"],
    ["127.0.0.1:8402", "http://127.0.0.1:8402"],
    ["localhost:8403", "http://localhost:8403"],
    ["https://store.example", "https://store.example"],
    ["[::1]:8401", "http://[::1]:8401"],
  ])("%s is %s", (text, origin) => {
    expect(urlOption(text)).toBe(origin);
  });

  test.each([
    "",
    "http://",
    "ftp://host:21",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:8401/api/v1",
    "http://127.0.0.1:8401?x=1",
    "http://user:secret@127.0.0.1:8401",
  ])("%j is refused, with an example", (text) => {
    expect(() => urlOption(text)).toThrow("such as http://127.0.0.1:8401");
  });
});
