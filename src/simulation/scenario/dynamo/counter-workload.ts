import type { GetResult } from "../../../core/store/api.ts";
import type { Draw } from "../draw.ts";
import type { Violation } from "../strategy-scenario.ts";
import type { Final, Workload, WriteCall } from "./workloads.ts";

interface Sums {
  acknowledged: number;
  /** Of what may have taken effect, or not. */
  unknown: number;
}

interface CounterCall extends WriteCall {
  readonly amount: number;
}

/** Counts up by amounts; nothing is counted twice, and nothing that was acknowledged is left out. */
export class CounterWorkload implements Workload {
  readonly readFirstShare = 0;
  readonly ghosts = undefined;
  readonly #sums = new Map<string, Sums>();

  draw(draw: Draw, key: string, _read: GetResult<unknown> | undefined, id: string): CounterCall {
    const amount = draw.whole(1, 9);
    return {
      id,
      key,
      amount,
      send: (keyspace, options) => keyspace.update(key, { increment: amount }, options),
    };
  }

  begun(call: WriteCall): void {
    this.#of(call).unknown += (call as CounterCall).amount;
  }

  acknowledged(call: WriteCall): void {
    const { amount } = call as CounterCall;
    this.#of(call).unknown -= amount;
    this.#of(call).acknowledged += amount;
  }

  failed(call: WriteCall, isUnknown: boolean): void {
    if (!isUnknown) this.#of(call).unknown -= (call as CounterCall).amount;
  }

  noteRead(): void {
    // Only what it comes to in the end is judged.
  }

  judgeOutcomes(): readonly Violation[] {
    return [];
  }

  judgeFinal({ key, result, isWhole }: Final): readonly Violation[] {
    if (result === undefined) return [];
    const value = result.found && !result.conflict ? Number(result.value) : 0;
    const { acknowledged, unknown } = this.#sums.get(key) ?? { acknowledged: 0, unknown: 0 };
    const least = isWhole ? acknowledged : 0;
    if (value >= least && value <= acknowledged + unknown) return [];
    const message = `${key} is ${value}; ${acknowledged} were acknowledged, and ${unknown} may have been added`;
    return [{ check: "counter", message }];
  }

  #of({ key }: WriteCall): Sums {
    const sums = this.#sums.get(key) ?? { acknowledged: 0, unknown: 0 };
    this.#sums.set(key, sums);
    return sums;
  }
}
