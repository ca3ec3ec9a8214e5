import { EXIT } from "../exit-codes.ts";
import { ownCommand, shellWord, shortPath } from "../own-command.ts";
import { type Paint, paintFor, type Style } from "../paint.ts";
import { pause, printLine, type Surroundings } from "../surroundings.ts";
import { addressLines, guideLines } from "./cluster-guide.ts";
import { describeExit, NodeProcess } from "./node-process.ts";
import type { ClusterPlan } from "./plan-cluster.ts";
import { waitUntilReady } from "./wait-until-ready.ts";

/** Longer than a node takes to drain, so that only a node that hangs is killed. */
const STOP_MS = 15_000;

const NODE_STYLES: readonly Style[] = ["cyan", "magenta", "blue", "yellow", "green"];

/** The nodes of one cluster on this machine, each a child process, from start to end. */
export class LocalCluster {
  readonly #plan: ClusterPlan;
  readonly #file: string;
  readonly #surroundings: Surroundings;
  readonly #paint: Paint;
  readonly #own: string;
  readonly #processes: NodeProcess[] = [];
  #stopping = false;

  constructor(plan: ClusterPlan, file: string, surroundings: Surroundings) {
    this.#plan = plan;
    this.#file = file;
    this.#surroundings = surroundings;
    this.#paint = paintFor(surroundings.stdout, surroundings.env);
    const { script, directory, env } = surroundings;
    this.#own = ownCommand(script, directory, env);
  }

  /** Runs until the user ends it or no node is left. Gives the exit code. */
  async run(): Promise<number> {
    const { interruption } = this.#surroundings;
    const killAll = (): void => {
      for (const node of this.#processes) node.kill();
    };
    interruption.immediate.addEventListener("abort", killAll, { once: true });
    try {
      for (const { id } of this.#plan.nodes) this.#processes.push(this.#spawn(id));
      for (const line of addressLines(this.#plan, this.#processes, this.#paint)) this.#say(line);
      const failure = await this.#becomeReady();
      if (failure !== undefined) return failure;
      await this.#watchOver();
      return interruption.requested ? EXIT.interrupted : EXIT.notApplied;
    } finally {
      await this.#stopAll();
      interruption.immediate.removeEventListener("abort", killAll);
    }
  }

  #spawn(id: string): NodeProcess {
    const { script, directory, env, stdout } = this.#surroundings;
    const style = NODE_STYLES[this.#processes.length % NODE_STYLES.length]!;
    const prefix = this.#paint(style, `${id} │`);
    return new NodeProcess(id, { script, directory, configurationFile: this.#file, env }, (line) =>
      printLine(stdout, `${prefix} ${line}`),
    );
  }

  /** The exit code if it did not come to that. */
  async #becomeReady(): Promise<number | undefined> {
    const { environment, interruption, stderr } = this.#surroundings;
    const readiness = await waitUntilReady({
      planned: this.#plan.nodes,
      processes: this.#processes,
      environment,
      signal: interruption.signal,
      onProgress: (states) => this.#say(`waiting: ${states}`),
    });
    if (readiness.kind === "interrupted") return EXIT.interrupted;
    if (readiness.kind === "died") {
      const exit = await readiness.node.exited;
      const { id } = readiness.node;
      printLine(stderr, `error: ${id} ${describeExit(exit)} before it served; its log says why.`);
      return exit.code || EXIT.notApplied;
    }
    if (readiness.kind === "late") {
      printLine(stderr, `error: the nodes did not find together in time: ${readiness.states}.`);
      return EXIT.notApplied;
    }
    this.#say("");
    this.#say(`${this.#paint("green", "ready")} (${(readiness.elapsedMs / 1_000).toFixed(1)} s)`);
    this.#say("");
    for (const line of guideLines(this.#plan, this.#processes, this.#own, this.#paint)) {
      this.#say(line);
    }
    this.#say("");
    return undefined;
  }

  /** Reports nodes that die, and settles when none is left or the user wants an end. */
  async #watchOver(): Promise<void> {
    const { interruption } = this.#surroundings;
    const interrupted = new Promise<void>((resolve) => {
      if (interruption.requested) resolve();
      else interruption.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const allGone = Promise.all(this.#processes.map((node) => this.#reportDeath(node)));
    await Promise.race([interrupted, allGone]);
  }

  async #reportDeath(node: NodeProcess): Promise<void> {
    const exit = await node.exited;
    if (this.#stopping || this.#surroundings.interruption.requested) return;
    const { directory } = this.#surroundings;
    const left = this.#processes.filter((each) => each.exit === undefined).length;
    const file = shellWord(shortPath(this.#file, directory));
    const rest = left === 0 ? "No node is left." : `${left} of ${this.#processes.length} go on.`;
    this.#say("");
    this.#say(
      `${this.#paint("red", `${node.id} ${describeExit(exit)}`)} (pid ${node.pid}). ${rest} ` +
        `It comes back with this line, in ${shellWord(directory)}:`,
    );
    this.#say(`  ${this.#own} start --config ${file} --node ${node.id}`);
    this.#say("");
  }

  async #stopAll(): Promise<void> {
    this.#stopping = true;
    const living = this.#processes.filter((node) => node.exit === undefined);
    if (living.length === 0) return;
    const { environment, interruption } = this.#surroundings;
    this.#say(`stopping ${living.map(({ id }) => id).join(", ")} (Ctrl-C again kills them)`);
    for (const node of living) node.stop();
    const stopped = Promise.all(living.map((node) => node.exited));
    const late = new AbortController();
    const bound = pause(environment, STOP_MS, late.signal);
    await Promise.race([stopped, bound]);
    late.abort();
    for (const node of living) {
      if (node.exit !== undefined) continue;
      this.#say(`${node.id} does not stop: killing it`);
      node.kill();
    }
    await stopped;
    if (!interruption.immediate.aborted) this.#say("stopped");
  }

  #say(line: string): void {
    printLine(this.#surroundings.stdout, line);
  }
}
