import type { Environment } from "../contracts/environment.ts";
import { CapstanError } from "../model/errors.ts";

export interface CloseRequest {
  readonly drain: boolean;
  /** For all that is closed together: who comes later has what is left of it. */
  readonly timeoutMs: number;
}

type Close = (request: CloseRequest) => Promise<void> | undefined;

/** What was opened so far: closed newest first, all of it, whatever fails on the way. */
export class ClosingStack {
  readonly #opened: { readonly what: string; readonly close: Close }[] = [];

  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  push(what: string, close: Close): void {
    this.#opened.push({ what, close });
  }

  async close({ drain, timeoutMs }: CloseRequest): Promise<void> {
    const endMs = this.#environment.monotonicMs() + timeoutMs;
    const errors: unknown[] = [];
    const failed: string[] = [];
    for (let each = this.#opened.pop(); each !== undefined; each = this.#opened.pop()) {
      try {
        const leftMs = Math.max(0, endMs - this.#environment.monotonicMs());
        await each.close({ drain, timeoutMs: leftMs });
      } catch (error) {
        failed.push(each.what);
        errors.push(error);
      }
    }
    if (errors.length === 0) return;
    throw new CapstanError("INTERNAL", `these did not close as they should: ${failed.join(", ")}`, {
      outcome: "not-applied",
      retry: "never",
      cause: errors.length === 1 ? errors[0] : new AggregateError(errors),
    });
  }
}
