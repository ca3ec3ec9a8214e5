import type { CrdtResolver, OperationDot } from "../../core/contracts/resolver.ts";
import { MAX_HYBRID_TIME } from "../../core/model/stamp.ts";
import { checkElement, checkMember } from "./check-operation.ts";
import { defineCrdt } from "./define-crdt.ts";
import { compareElements, compareTexts } from "./elements.ts";

type Written<Value> = readonly [time: number, actor: string, counter: number, value: Value];

/** Empty until it is set. */
export type LwwRegisterState<Value = unknown> = readonly [] | Written<Value>;

export interface SetValue<Value = unknown> {
  readonly set: Value;
}

export const SET_FORM = Object.freeze({ set: "{ set: value }" });

/**
 * One value, the latest: `{ set: value }`; null before the first. Of values set concurrently it
 * keeps the one with the greatest hybrid time, then actor, and loses the others without a word.
 */
export function lwwRegister<Value = unknown>(): CrdtResolver<
  LwwRegisterState<Value>,
  SetValue<Value>,
  Value | null
> {
  return defineCrdt<LwwRegisterState<Value>, SetValue<Value>, Value | null>({
    name: "lww-register",
    initial: () => [],
    mutate: written,
    join: (a, b) => (compareWritten(a, b) >= 0 ? a : b),
    value: (state) => (state.length === 0 ? null : state[3]),
    delta: written,
    checkOperation: (operation) => {
      const [, value] = checkMember(operation, "lww-register", SET_FORM);
      checkElement(value);
      return { set: value as Value };
    },
  });
}

/** Above what it replaces, also where the clock of whoever wrote that runs ahead. */
function written<Value>(
  state: LwwRegisterState<Value>,
  { set }: SetValue<Value>,
  { time, actor, counter }: OperationDot,
): Written<Value> {
  const [before = -1] = state;
  return [Math.min(Math.max(time, before + 1), MAX_HYBRID_TIME), actor, counter, set];
}

function compareWritten(a: LwwRegisterState, b: LwwRegisterState): number {
  if (a.length === 0 || b.length === 0) return a.length - b.length;
  if (a[0] !== b[0]) return a[0] - b[0];
  if (a[1] !== b[1]) return compareTexts(a[1], b[1]);
  if (a[2] !== b[2]) return a[2] - b[2];
  return compareElements(a[3], b[3]);
}
