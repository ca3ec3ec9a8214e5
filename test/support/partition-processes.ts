import { type ChildProcess, fork } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ensureBuilt, MAIN } from "./processes.ts";

const PROGRAM = fileURLToPath(new URL("partition-node.mjs", import.meta.url));

/** Keys by their index: `from`, `from + step`, … below `to`. */
export interface KeyIndexes {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** A process with one node, whose peers can be taken from it: see `partition-node.mjs`. */
export class PartitionNode {
  readonly id: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #stderr = "";

  private constructor(id: string, configuration: unknown) {
    this.id = id;
    const dist = pathToFileURL(join(dirname(MAIN), "..")).href;
    const settings = JSON.stringify({ configuration, node: id });
    this.#child = fork(PROGRAM, [dist, settings], { silent: true, execArgv: [] });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString("utf8");
    });
    this.#child.on("message", (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", () => {
        const error = `the process of ${id} has ended; it said: ${this.#stderr}`;
        for (const [waiting, settle] of [...this.#waiting]) settle({ id: waiting, error });
        resolve();
      });
    });
  }

  /** Settles when all of them serve. */
  static async startAll(
    ids: readonly string[],
    configuration: unknown,
  ): Promise<readonly PartitionNode[]> {
    ensureBuilt();
    const nodes = ids.map((id) => new PartitionNode(id, configuration));
    try {
      await Promise.all(nodes.map((node) => node.#answerTo(0)));
      return nodes;
    } catch (error) {
      await Promise.all(nodes.map((node) => node.end()));
      throw error;
    }
  }

  async call<Result = void>(call: string, ...args: readonly unknown[]): Promise<Result> {
    const id = this.#nextId++;
    const answer = this.#answerTo(id);
    this.#child.send({ id, call, args });
    return (await answer) as Result;
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #answerTo(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ answer, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(answer);
        else reject(new Error(error));
      });
    });
  }
}
