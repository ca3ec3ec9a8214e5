import type { Outcome } from "../core/model/outcome.ts";
import { type HistoryOperation, OPEN_ENDED } from "./operation.ts";

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
 * another one (`c1`, `c1~2`, `c1~3`): its late effect may overlap whatever it does next.
 */
export class HistoryRecorder<Input, Output> {
  /** By the place of the call. */
  readonly #operations = new Map<number, HistoryOperation<Input, Output>>();
  readonly #lives = new Map<string, number>();
  readonly #now: (() => number) | undefined;
  #events = 0;

  constructor(options: HistoryRecorderOptions = {}) {
    this.#now = options.now;
  }

  call(call: Call<Input>): OpenCall<Output> {
    const calledAt = this.#events++;
    const life = this.#lives.get(call.client) ?? 1;
    const open: HistoryOperation<Input, Output> = {
      ...call,
      client: life === 1 ? call.client : `${call.client}~${life}`,
      outcome: "unknown",
      calledAt,
      returnedAt: OPEN_ENDED,
      ...(this.#now === undefined ? {} : { calledAtMs: this.#now() }),
    };
    this.#operations.set(calledAt, open);
    let ended: Outcome | undefined;
    const end = (outcome: Outcome, output?: Output, notes: AnswerNotes = {}): void => {
      if (ended !== undefined && (ended !== "unknown" || outcome === "unknown")) {
        throw new Error(`call ${calledAt} of ${open.client} was answered twice`);
      }
      ended = outcome;
      const known = outcome !== "unknown";
      if (!known && life === (this.#lives.get(call.client) ?? 1)) {
        this.#lives.set(call.client, life + 1);
      }
      this.#operations.set(calledAt, {
        ...open,
        ...notes,
        ...(open.level === undefined ? {} : { level: open.level }),
        outcome,
        ...(output === undefined ? {} : { output }),
        ...(known ? { returnedAt: this.#events++ } : {}),
        ...(known && this.#now !== undefined ? { returnedAtMs: this.#now() } : {}),
      });
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
    return [...this.#operations.values()];
  }
}
