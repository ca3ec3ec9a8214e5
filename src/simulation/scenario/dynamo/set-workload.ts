import type { GetResult } from "../../../core/store/api.ts";
import type { Draw } from "../draw.ts";
import type { Violation } from "../strategy-scenario.ts";
import type { Final, Workload, WriteCall } from "./workloads.ts";

interface SetCall extends WriteCall {
  readonly item: string;
  readonly isRemoval: boolean;
}

/** Items are added once, and some that were read are removed. */
export class SetWorkload implements Workload {
  readonly readFirstShare = 0.4;
  readonly ghosts = undefined;
  /** Added for certain, and perhaps. */
  readonly #added = new Map<string, Set<string>>();
  readonly #begunAdds = new Map<string, Set<string>>();
  readonly #begunRemovals = new Map<string, Set<string>>();
  readonly #refused = new Set<string>();
  readonly #violations: Violation[] = [];

  draw(draw: Draw, key: string, read: GetResult<unknown> | undefined, id: string): SetCall {
    const items = read === undefined ? [] : itemsOf(read);
    const isRemoval = items.length > 0;
    const item = isRemoval ? draw.pick(items) : id;
    const operation = isRemoval ? { remove: item } : { add: item };
    return {
      id,
      key,
      item,
      isRemoval,
      send: (keyspace, options) => keyspace.update(key, operation, options),
    };
  }

  begun(call: WriteCall): void {
    const { key, item, isRemoval } = call as SetCall;
    setOf(isRemoval ? this.#begunRemovals : this.#begunAdds, key).add(item);
  }

  acknowledged(call: WriteCall): void {
    const { key, item, isRemoval } = call as SetCall;
    if (!isRemoval) setOf(this.#added, key).add(item);
  }

  failed(call: WriteCall, isUnknown: boolean): void {
    const { item, isRemoval } = call as SetCall;
    if (!isUnknown && !isRemoval) this.#refused.add(item);
  }

  noteRead(key: string, result: GetResult<unknown>): void {
    const seen = itemsOf(result).find((item) => this.#refused.has(item));
    if (seen === undefined) return;
    const message = `${key}: a read found ${seen}, whose write was said not to be applied`;
    this.#violations.push({ check: "outcome", message });
  }

  judgeOutcomes(): readonly Violation[] {
    return this.#violations;
  }

  judgeFinal({ key, result, isWhole }: Final): readonly Violation[] {
    if (result === undefined) return [];
    const items = itemsOf(result);
    const removed = setOf(this.#begunRemovals, key);
    const missing = [...setOf(this.#added, key)].find(
      (item) => !items.includes(item) && !removed.has(item),
    );
    if (isWhole && missing !== undefined) {
      return [{ check: "set", message: `${key}: ${missing} was added, and is not there` }];
    }
    const foreign = items.find((item) => !setOf(this.#begunAdds, key).has(item));
    if (foreign === undefined) return [];
    return [{ check: "set", message: `${key}: nobody has added ${foreign}` }];
  }
}

function itemsOf(result: GetResult<unknown>): readonly string[] {
  if (!result.found || result.conflict) return [];
  return (result.value as readonly unknown[]).map(String);
}

function setOf(sets: Map<string, Set<string>>, key: string): Set<string> {
  const held = sets.get(key) ?? new Set();
  sets.set(key, held);
  return held;
}
