import { CapstanError, isCapstanError } from "../core/model/errors.ts";
import type { ManyResult } from "../core/store/api.ts";

/** So many requests of one call are under way at once; the others wait for their turn. */
const MAX_IN_FLIGHT = 16;

/** One outcome per item, in the order of the items; a fault is that item's alone. */
export async function mapMany<Item, Result>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  call: (item: Item) => Promise<Result>,
): Promise<readonly ManyResult<Result>[]> {
  const list = [...items];
  const results: ManyResult<Result>[] = new Array(list.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < list.length) {
      const index = next++;
      const item = list[index] as Item;
      const key = keyOf(item);
      try {
        results[index] = { key, ok: true, result: await call(item) };
      } catch (error) {
        results[index] = { key, ok: false, error: faultOf(error) };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_IN_FLIGHT, list.length) }, work));
  return results;
}

function faultOf(error: unknown): Error {
  if (isCapstanError(error)) return error;
  return new CapstanError("INTERNAL", String(error), { cause: error });
}
