import { expect, test } from "vitest";
import type { NodeId, StoreId } from "../../../../src/core/model/ids.ts";
import type { Configuration, Identity } from "../../../../src/strategies/raft/configuration.ts";
import { Place } from "../../../../src/strategies/raft/place.ts";

const SELF: Identity = { node: "a" as NodeId, storeId: "s1" as StoreId, original: false };

function naming(part: "voters" | "outgoing" | "learners" | "nobody"): Configuration {
  const nobody = { voters: [], outgoing: [], learners: [], goal: undefined };
  return part === "nobody" ? nobody : { ...nobody, [part]: [SELF] };
}

function whatIs(place: Place, configuration: Configuration, identity = SELF) {
  return [place.isVoter(configuration, identity), place.isNamed(configuration, identity)];
}

test("voters of either set have a vote; learners are named and have none", () => {
  expect(whatIs(new Place(), naming("voters"))).toEqual([true, true]);
  expect(whatIs(new Place(), naming("outgoing"))).toEqual([true, true]);
  expect(whatIs(new Place(), naming("learners"))).toEqual([false, true]);
  expect(whatIs(new Place(), naming("nobody"))).toEqual([false, false]);
});

test("another configuration, or another identity, is looked at anew", () => {
  const place = new Place();
  expect(whatIs(place, naming("voters"))).toEqual([true, true]);
  expect(whatIs(place, naming("learners"))).toEqual([false, true]);
  const configuration = naming("voters");
  expect(whatIs(place, configuration)).toEqual([true, true]);
  expect(whatIs(place, configuration, { ...SELF, storeId: "s2" as StoreId })).toEqual([
    false,
    false,
  ]);
});
