import { describeValue } from "../../core/model/configuration-problems.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { isPlainObject } from "../../core/model/plain-object.ts";
import { encodeValue } from "../../core/model/values.ts";

const MAX_SHOWN_CHARACTERS = 80;
const AMOUNT_ALLOWED = `a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`;

/**
 * The one member of an operation such as `{ add: "milk" }`.
 *
 * @param forms the operations that there are, by the name of their member, as a reader types them.
 * @throws CapstanError `INVALID_ARGUMENT`.
 */
export function checkMember<Name extends string>(
  operation: unknown,
  resolver: string,
  forms: Readonly<Record<Name, string>>,
): readonly [name: Name, member: unknown] {
  const names = isPlainObject(operation) ? Object.keys(operation) : [];
  const [name] = names;
  if (!isPlainObject(operation) || names.length !== 1 || !Object.hasOwn(forms, name ?? "")) {
    throw refusal(operation, resolver, Object.values<string>(forms));
  }
  return [name as Name, operation[name as Name]];
}

/** @throws CapstanError `INVALID_ARGUMENT` unless it is a whole number from 1 to 2^53 − 1. */
export function checkAmount(amount: unknown, resolver: string, member: string): number {
  if (Number.isSafeInteger(amount) && (amount as number) >= 1) return amount as number;
  throw refusal({ [member]: amount }, resolver, [`{ ${member}: ${AMOUNT_ALLOWED} }`]);
}

/** @throws CapstanError `INVALID_VALUE`, naming the path, unless it is a Capstan value. */
export function checkElement(element: unknown): void {
  encodeValue(element);
}

export function refusal(
  operation: unknown,
  resolver: string,
  allowed: readonly string[],
): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `${describeOperation(operation)} is no operation of ${resolver}; allowed: ${allowed.join(", ")}`,
    { allowed: [...allowed] },
  );
}

/** As JSON, where it is short and there is one. */
function describeOperation(operation: unknown): string {
  if (typeof operation !== "object" || operation === null) return describeValue(operation);
  const shown = (_name: string, member: unknown): unknown =>
    ["bigint", "undefined", "function", "symbol"].includes(typeof member) || Number.isNaN(member)
      ? describeValue(member)
      : member;
  try {
    const text = JSON.stringify(operation, shown);
    if (text.length <= MAX_SHOWN_CHARACTERS) return text;
    return `${text.slice(0, MAX_SHOWN_CHARACTERS)}…`;
  } catch {
    // A cycle: what it is will do.
    return describeValue(operation);
  }
}
