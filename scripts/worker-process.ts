import { type ChildProcess, fork } from "node:child_process";

/** Worlds make much that is gone at once. */
const SHORT_LIVED_ROOM = "--max-semi-space-size=32";
/** Every refusal that a client hears of would gather one, and hardly anybody ever reads it. */
const WITHOUT_TRACES = "--stack-trace-limit=0";

export interface WorkerOptions {
  /** The script that runs in it, `.ts` or compiled; it has to answer every order with one message. */
  readonly script: string;
  /** Whether errors in it say where they came from. */
  readonly hasTraces: boolean;
}

/** A process that runs seeds, one at a time. */
export class WorkerProcess<Order extends object, Answer> {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  constructor({ script, hasTraces }: WorkerOptions) {
    const traces = hasTraces ? [] : [WITHOUT_TRACES];
    const loader = script.endsWith(".ts") ? ["--import", "tsx"] : [];
    this.#child = fork(script, { execArgv: [SHORT_LIVED_ROOM, ...traces, ...loader] });
    this.#ended = new Promise((resolve) => {
      this.#child.on("exit", (code) => resolve(code));
    });
  }

  /** @throws Error if the process ends before it has answered. */
  async ask(order: Order): Promise<Answer> {
    const answered = new Promise<{ readonly answer: Answer }>((resolve) => {
      this.#child.once("message", (answer) => resolve({ answer: answer as Answer }));
    });
    this.#child.send(order);
    const heard = await Promise.race([answered, this.#ended]);
    if (heard === null || typeof heard === "number") {
      throw new Error(`the process that was asked ${JSON.stringify(order)} ended with ${heard}`);
    }
    return heard.answer;
  }

  /** Resolves once the process is gone. */
  async end(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}

/** Hands the orders of the queue to the worker until there are none. */
export async function workOff<Order extends object, Answer>(
  worker: WorkerProcess<Order, Answer>,
  queue: Order[],
  heard: (answer: Answer) => void,
): Promise<void> {
  for (let order = queue.shift(); order !== undefined; order = queue.shift()) {
    heard(await worker.ask(order));
  }
}
