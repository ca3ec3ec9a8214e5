import { CapstanError } from "../core/model/errors.ts";
import {
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  keysOf,
  type RegisterValue,
  writesOf,
} from "./operation.ts";
import { nameOfValue, sameValue } from "./register-values.ts";
import type { SequentialModel } from "./sequential-model.ts";
import { settleUnknowns } from "./settle-unknowns.ts";
import { decideByZones } from "./zones.ts";

const common = {
  keysOf,
  isRead: (input: KeyValueInput) => input.type === "get",
  mayHaveSeen,
  simplify: settleUnknowns,
};

/**
 * Every key is a register of its own: a read finds what was written to it last. A read that finds
 * several values side by side is none that a single copy could answer.
 */
export const registerModel: SequentialModel<RegisterValue, KeyValueInput, KeyValueOutput> =
  Object.freeze({
    ...common,
    decide: decideByZones,
    initial: undefined,
    step: (state: RegisterValue, input: KeyValueInput, output: KeyValueOutput | undefined) => {
      if (input.type === "get") return fits(state, output) ? { state } : undefined;
      if (input.type === "put") return { state: input.value };
      if (input.type === "delete") return { state: undefined };
      throw new CapstanError(
        "INVALID_ARGUMENT",
        "a register has one key, and the history holds a batch; batchRegisterModel judges those",
      );
    },
    nameOf: nameOfValue,
    stateSeenBy: (_input: KeyValueInput, { value, siblings }: KeyValueOutput) =>
      siblings === undefined ? { state: value } : undefined,
    stateAfter: (input: KeyValueInput) => ({
      state: input.type === "put" ? input.value : undefined,
    }),
  });

/** By key; a key that is not there was never written, or was deleted. */
export type RegisterValues = ReadonlyMap<string, RegisterValue>;

/** Several registers, which a batch writes at once. Keys that no batch ties together stay apart. */
export const batchRegisterModel: SequentialModel<RegisterValues, KeyValueInput, KeyValueOutput> =
  Object.freeze({
    ...common,
    initial: new Map(),
    step: (state: RegisterValues, input: KeyValueInput, output: KeyValueOutput | undefined) => {
      if (input.type === "get") return fits(state.get(input.key), output) ? { state } : undefined;
      const after = new Map(state);
      for (const { key, value } of writesOf(input)) {
        if (value === undefined) after.delete(key);
        else after.set(key, value);
      }
      return { state: after };
    },
    nameOf: (state: RegisterValues) =>
      JSON.stringify([...state].map(([key, value]) => [key, nameOfValue(value)]).sort()),
  });

function fits(state: RegisterValue, output: KeyValueOutput | undefined): boolean {
  if (output === undefined) return true;
  return output.siblings === undefined && sameValue(state, output.value);
}

function mayHaveSeen(read: KeyValueOperation, write: KeyValueOperation): boolean {
  const { input, output } = read;
  if (input.type !== "get" || output === undefined) return false;
  const found = output.siblings ?? [output.value];
  return writesOf(write.input).some(
    ({ key, value }) => key === input.key && found.some((each) => sameValue(each, value)),
  );
}
