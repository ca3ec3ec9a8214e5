import type { ChildProcess } from "node:child_process";
import { startChild, stopChild } from "./child-process.ts";

type Reply = { readonly answer: unknown } | { readonly fault: string };

/** Every such process says how much processor time it has used so far, in milliseconds. */
export const USED_MS = Object.freeze({ ask: "used-ms" } as const);

/** A process that answers questions, one after the other, and rests in between. */
export class AskedProcess {
  /** What it said first. */
  readonly hello: unknown;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, hello: unknown) {
    this.#child = child;
    this.hello = hello;
  }

  static async start(...given: Parameters<typeof startChild>): Promise<AskedProcess> {
    const { child, message } = await startChild(...given);
    return new AskedProcess(child, message);
  }

  /** One at a time. Rejects with what went wrong there, and when the process ends. */
  ask<Answer>(question: { readonly ask: string }): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const child = this.#child;
      const onExit = (code: number | null) =>
        reject(new Error(`asked for ${question.ask}, a process ended with ${code}`));
      child.once("exit", onExit);
      child.once("message", (reply: Reply) => {
        child.off("exit", onExit);
        if ("fault" in reply) reject(new Error(reply.fault));
        else resolve(reply.answer as Answer);
      });
      child.send(question);
    });
  }

  stop(): Promise<void> {
    return stopChild(this.#child);
  }
}

/** Processor time of all of them together. */
export async function usedMsOf(processes: readonly AskedProcess[]): Promise<number> {
  const used = await Promise.all(processes.map((each) => each.ask<number>(USED_MS)));
  return used.reduce((sum, ms) => sum + ms, 0);
}

/** The other side: `answer` has what is not asked of every process. */
export function answerQuestions<Question extends { readonly ask: string }>(
  answer: (question: Question) => unknown,
): void {
  const reply = async (question: Question | typeof USED_MS): Promise<Reply> => {
    try {
      if (question.ask !== USED_MS.ask) return { answer: await answer(question as Question) };
      const { user, system } = process.cpuUsage();
      return { answer: (user + system) / 1_000 };
    } catch (error) {
      return { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  process.on("message", async (question: Question) => {
    process.send?.(await reply(question));
  });
}
