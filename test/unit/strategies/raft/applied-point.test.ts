import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { ConfigurationRow, readPoint } from "../../../../src/strategies/raft/applied-point.ts";
import { emptyBooks, encodeBooks } from "../../../../src/strategies/raft/books.ts";
import { bornConfiguration } from "../../../../src/strategies/raft/configuration.ts";
import { NO_CONFIGURATION } from "../../../../src/strategies/raft/configuration-history.ts";
import { booksKey, configurationKey } from "../../../../src/strategies/raft/state-rows.ts";
import { MapState } from "./map-state.ts";

const BORN = bornConfiguration(["n1", "n2", "n3"] as NodeId[]);

function openState() {
  const state = new MapState();
  state.put(booksKey(), encodeBooks({ ...emptyBooks(), appliedIndex: 8, appliedTerm: 2 }));
  const row = new ConfigurationRow();
  row.takeUp(readPoint(state));
  const wasWritten = (): boolean => {
    const isThere = state.get(configurationKey()) !== undefined;
    state.delete(configurationKey());
    return isThere;
  };
  return { state, row, wasWritten };
}

test("what a state says of where it stands is what was written down there", () => {
  const { state, row } = openState();
  const point = { index: 8, term: 2, configuration: BORN, configurationIndex: 0 };
  row.maybeWrite(point, state);
  expect(readPoint(state)).toEqual(point);
});

test("the configuration is written once for each that comes into force, that of birth too", () => {
  const { state, row, wasWritten } = openState();
  const point = { index: 8, term: 2, configuration: BORN, configurationIndex: 0 };
  row.maybeWrite(point, state);
  expect(wasWritten()).toBe(true);
  row.maybeWrite({ ...point, index: 9 }, state);
  expect(wasWritten()).toBe(false);
  row.maybeWrite({ ...point, index: 10, configurationIndex: 10 }, state);
  expect(wasWritten()).toBe(true);
});

test("a replica that knows of none yet writes none, and does so when it comes to know one", () => {
  const { state, row, wasWritten } = openState();
  const point = { index: 8, term: 2, configuration: NO_CONFIGURATION, configurationIndex: 0 };
  row.maybeWrite(point, state);
  expect(wasWritten()).toBe(false);
  row.maybeWrite({ ...point, configuration: BORN }, state);
  expect(wasWritten()).toBe(true);
});

test("another state that is taken up may have another configuration written down, or none", () => {
  const { state, row, wasWritten } = openState();
  const point = { index: 8, term: 2, configuration: BORN, configurationIndex: 7 };
  row.takeUp(point);
  row.maybeWrite(point, state);
  expect(wasWritten()).toBe(false);
  row.takeUp(undefined);
  row.maybeWrite(point, state);
  expect(wasWritten()).toBe(true);
});
