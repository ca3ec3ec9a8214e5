import { describe, expect, test } from "vitest";
import { PLANTED_SCENES } from "../../support/planted-scenes.ts";

const SLOW = { timeout: 60_000 };

describe.each(Object.entries(PLANTED_SCENES))("%s", (_name, scene) => {
  test("is found where its state is brought about", SLOW, async () => {
    expect(await scene(true)).not.toEqual([]);
  });

  test("and nothing is found there without it", SLOW, async () => {
    expect(await scene(false)).toEqual([]);
  });
});
