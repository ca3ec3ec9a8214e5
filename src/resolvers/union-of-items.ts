import type { SettlingResolver } from "../core/contracts/resolver.ts";
import { describeValue } from "../core/model/configuration-problems.ts";
import { CapstanError } from "../core/model/errors.ts";
import { isPlainObject } from "../core/model/plain-object.ts";
import { compareElements } from "./crdt/elements.ts";
import { merge } from "./merge.ts";

/**
 * A merge for carts: the items of all versions, each once, in the order of their encodings. A value
 * is a list of items, or an object with a list `items`, of whose other fields the newest version's
 * stay. An item that one version removed is back if another still has it: where that matters, use
 * `or-set`.
 */
export function unionOfItems(values: readonly unknown[]): unknown {
  const items = values.flatMap(itemsOf).sort(compareElements);
  const distinct = items.filter(
    (each, at) => at === 0 || compareElements(each, items[at - 1]) !== 0,
  );
  const newest = values.at(-1);
  return Array.isArray(newest) ? distinct : { ...(newest as object), items: distinct };
}

function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (isPlainObject(value) && Array.isArray(value.items)) return value.items;
  throw new CapstanError(
    "INVALID_VALUE",
    `${describeValue(value)} has no items to unite; a value is a list, or an object with a list items`,
  );
}

/** `merge(unionOfItems)` under a name of its own. */
export function union(): SettlingResolver {
  return merge(unionOfItems, { name: "union" });
}
