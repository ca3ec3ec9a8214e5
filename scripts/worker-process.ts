import { type ChildProcess, fork } from "node:child_process";
import type { Interruption } from "../src/cli/interruption.ts";

/** Worlds make much that is gone at once. */
const SHORT_LIVED_ROOM = "--max-semi-space-size=32";
/** Every refusal that a client hears of would gather one, and hardly anybody ever reads it. */
const WITHOUT_TRACES = "--stack-trace-limit=0";

export interface WorkerOptions {
  /** The script that runs in it, `.ts` or compiled; it has to answer every order with one message. */
  readonly script: string;
  /** Whether errors in it say where they came from. */
  readonly hasTraces: boolean;
  /** Told if the process is ended by what a terminal sends to all processes of a script. */
  readonly interruption: Interruption;
}

/** How a process ended. */
interface Ended {
  readonly endedWith: number | string | null;
}

/** A process that runs seeds, one at a time. */
export class WorkerProcess<Order extends object, Answer> {
  readonly #child: ChildProcess;
  readonly #interruption: Interruption;
  readonly #ended: Promise<Ended>;
  readonly #stopped: Promise<undefined>;

  constructor({ script, hasTraces, interruption }: WorkerOptions) {
    const traces = hasTraces ? [] : [WITHOUT_TRACES];
    const loader = script.endsWith(".ts") ? ["--import", "tsx"] : [];
    this.#interruption = interruption;
    this.#child = fork(script, { execArgv: [SHORT_LIVED_ROOM, ...traces, ...loader] });
    this.#ended = new Promise((resolve) => {
      this.#child.on("exit", (code, signal) => {
        if (signal === "SIGINT" || signal === "SIGTERM") interruption.request(signal);
        resolve({ endedWith: code ?? signal });
      });
    });
    // What cannot be sent has no receiver any more: `exit` says more of that.
    this.#child.on("error", () => undefined);
    this.#stopped = new Promise((resolve) => {
      const { signal } = interruption;
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
      if (signal.aborted) resolve(undefined);
    });
  }

  /**
   * Undefined where the script was interrupted before the answer came.
   *
   * @throws Error if the process ends before it has answered.
   */
  async ask(order: Order): Promise<{ readonly answer: Answer } | undefined> {
    if (this.#interruption.requested) return undefined;
    const answered = new Promise<{ readonly answer: Answer }>((resolve) => {
      this.#child.once("message", (answer) => resolve({ answer: answer as Answer }));
    });
    this.#child.send(order, () => undefined);
    const heard = await Promise.race([answered, this.#ended, this.#stopped]);
    if (heard === undefined || this.#interruption.requested) return undefined;
    if ("answer" in heard) return heard;
    const asked = JSON.stringify(order);
    throw new Error(`the process that was asked ${asked} ended with ${heard.endedWith}`);
  }

  /** Resolves once the process is gone, in the middle of whatever it does. */
  async end(): Promise<void> {
    this.#child.removeAllListeners("exit");
    const isGone = this.#child.exitCode !== null || this.#child.signalCode !== null;
    const gone = isGone || new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}

/** Hands the orders of the queue to the worker until there are none, or the script is interrupted. */
export async function workOff<Order extends object, Answer>(
  worker: WorkerProcess<Order, Answer>,
  queue: Order[],
  heard: (answer: Answer) => void,
): Promise<void> {
  for (let order = queue.shift(); order !== undefined; order = queue.shift()) {
    const answered = await worker.ask(order);
    if (answered === undefined) return;
    heard(answered.answer);
  }
}
