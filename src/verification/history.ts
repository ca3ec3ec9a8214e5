/** An operation that has not returned, and may take effect at any later time. */
export const OPEN_ENDED = Number.POSITIVE_INFINITY;

/**
 * One operation of a history. `calledAt` and `returnedAt` are places in one total order of events,
 * not times: events of one millisecond have an order too.
 */
export interface HistoryOperation<Input, Output> {
  readonly client: string;
  readonly key: string;
  readonly input: Input;
  /** Undefined where the outcome is unknown: the model then takes any. */
  readonly output: Output | undefined;
  readonly calledAt: number;
  readonly returnedAt: number;
}

/** What a client does between its call and its answer. Exactly one of these is called, once. */
export interface Invocation<Output> {
  /** It took effect, with this answer. */
  returned(output: Output): void;
  /** It may take effect at any time from the call on. */
  unknown(): void;
  /** It had no effect and never will: it is no part of the history. */
  dropped(): void;
}

/**
 * Writes down what clients called and were answered, in the order in which it happened. What was
 * called and never answered counts as unknown.
 */
export class HistoryRecorder<Input, Output> {
  readonly #operations = new Map<number, HistoryOperation<Input, Output>>();
  #events = 0;

  invoke(client: string, key: string, input: Input): Invocation<Output> {
    const calledAt = this.#events++;
    const open = { client, key, input, output: undefined, calledAt, returnedAt: OPEN_ENDED };
    this.#operations.set(calledAt, open);
    let answered = false;
    const once = (): void => {
      if (answered) throw new Error(`operation ${calledAt} of client ${client} was answered twice`);
      answered = true;
    };
    return {
      returned: (output) => {
        once();
        this.#operations.set(calledAt, { ...open, output, returnedAt: this.#events++ });
      },
      unknown: once,
      dropped: () => {
        once();
        this.#operations.delete(calledAt);
      },
    };
  }

  /** In the order of the calls. */
  operations(): readonly HistoryOperation<Input, Output>[] {
    return [...this.#operations.values()];
  }
}

/** Operations on different keys are independent, so each key's history is judged alone. */
export function partitionByKey<Input, Output>(
  history: readonly HistoryOperation<Input, Output>[],
): ReadonlyMap<string, readonly HistoryOperation<Input, Output>[]> {
  const parts = new Map<string, HistoryOperation<Input, Output>[]>();
  for (const operation of history) {
    const part = parts.get(operation.key);
    if (part === undefined) parts.set(operation.key, [operation]);
    else part.push(operation);
  }
  return parts;
}
