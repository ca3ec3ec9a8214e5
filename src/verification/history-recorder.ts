import type { Outcome } from "../core/model/outcome.ts";
import {
  type HistoryOperation,
  type KeyValueInput,
  type KeyValueOutput,
  OPEN_ENDED,
} from "./operation.ts";

/** What is known of an operation when it is called. */
export interface Call<Input> {
  readonly client: string;
  readonly input: Input;
  readonly node?: string;
  readonly level?: string;
}

/** What only the answer says. */
export interface AnswerNotes {
  /** Instead of the call's, if that had none. */
  readonly level?: string;
  readonly achieved?: string;
}

/**
 * An operation under way. One of these is called once; after `unknown` one of the others may be,
 * once, when a retry of the very same operation or an inquiry has told what became of it.
 */
export interface OpenCall<Output> {
  /** It took effect. `output` may be missing: a write that took effect and yet failed. */
  applied(output?: Output, notes?: AnswerNotes): void;
  /** It had no effect and never will. */
  notApplied(): void;
  /** It may take effect at any time from the call on. */
  unknown(): void;
  /** One of the three. */
  ended(outcome: Outcome): void;
}

export interface HistoryRecorderOptions {
  /** Milliseconds, for the times that people read. Default: none are kept. */
  readonly now?: () => number;
}

/**
 * Writes down what clients called and were answered, in the order in which it happened. What was
 * called and not answered counts as unknown. A client whose operation ended unknown goes on as
 * another one (`c1`, `c1~2`, `c1~3`): its late effect may overlap whatever it does next. Of a keyspace,
 * unless it is told otherwise.
 */
export class HistoryRecorder<Input = KeyValueInput, Output = KeyValueOutput> {
  /** In the order of the calls. */
  readonly #operations: HistoryOperation<Input, Output>[] = [];
  readonly #lives = new Map<string, number>();
  readonly #now: (() => number) | undefined;
  #events = 0;

  constructor(options: HistoryRecorderOptions = {}) {
    this.#now = options.now;
  }

  call(call: Call<Input>): OpenCall<Output> {
    const place = this.#operations.length;
    const life = this.#lives.get(call.client) ?? 1;
    const { node, level, input } = call;
    const client = life === 1 ? call.client : `${call.client}~${life}`;
    const calledAt = this.#events++;
    // Made field by field, as every operation of a long history is.
    const operation: Writable<HistoryOperation<Input, Output>> = {
      client,
      input,
      outcome: "unknown",
      calledAt,
      returnedAt: OPEN_ENDED,
    };
    if (node !== undefined) operation.node = node;
    if (level !== undefined) operation.level = level;
    if (this.#now !== undefined) operation.calledAtMs = this.#now();
    this.#operations.push(operation);
    let ended: Outcome | undefined;
    const end = (outcome: Outcome, output?: Output, notes: AnswerNotes = {}): void => {
      if (ended !== undefined && (ended !== "unknown" || outcome === "unknown")) {
        throw new Error(`call ${calledAt} of ${client} was answered twice`);
      }
      ended = outcome;
      const known = outcome !== "unknown";
      if (!known && life === (this.#lives.get(call.client) ?? 1)) {
        this.#lives.set(call.client, life + 1);
      }
      // Another object: whoever was given the operation as it was keeps that.
      const answered: Writable<HistoryOperation<Input, Output>> = {
        client,
        input,
        outcome,
        calledAt,
        returnedAt: known ? this.#events++ : OPEN_ENDED,
      };
      if (node !== undefined) answered.node = node;
      const reached = level ?? notes.level;
      if (reached !== undefined) answered.level = reached;
      if (operation.calledAtMs !== undefined) answered.calledAtMs = operation.calledAtMs;
      if (notes.achieved !== undefined) answered.achieved = notes.achieved;
      if (output !== undefined) answered.output = output;
      if (known && this.#now !== undefined) answered.returnedAtMs = this.#now();
      this.#operations[place] = answered;
    };
    return {
      applied: (output, notes) => end("applied", output, notes),
      notApplied: () => end("not-applied"),
      unknown: () => end("unknown"),
      ended: (outcome) => end(outcome),
    };
  }

  /** In the order of the calls. */
  operations(): readonly HistoryOperation<Input, Output>[] {
    return [...this.#operations];
  }
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };
