import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { missedWrite } from "../../../../src/strategies/tunable/missed-write.ts";
import { answer, sentOf } from "./write-world.ts";

const [N1, N2] = ["n1", "n2"] as [NodeId, NodeId];

test("nobody has missed what all have answered, whatever they said", () => {
  expect(missedWrite(answer(sentOf(), "stored", "stored", "newer"), N1)).toBeUndefined();
});

test("this node's own replica is to remember it, if it holds the write; else the first that does", () => {
  expect(missedWrite(answer(sentOf(), "stored", "stored"), N2)).toMatchObject({
    holder: "n2",
    hint: { targets: ["n3"] },
  });
  expect(missedWrite(answer(sentOf(), "", "stored", "stored"), N1)).toMatchObject({
    holder: "n2",
    hint: { targets: ["n1"], key: Buffer.from("key") },
  });
});

test("nobody can remember what nobody is known to hold", () => {
  expect(missedWrite(answer(sentOf(), "newer"), N1)).toBeUndefined();
});
