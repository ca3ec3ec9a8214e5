import {
  capstan,
  freePorts,
  type Ran,
  type Running,
  type RunOptions,
  startCapstan,
  temporaryFolder,
} from "./processes.ts";

export interface ClusterNode {
  readonly id: string;
  readonly url: string;
  readonly pid: number;
}

/** `capstan cluster` in a folder and on ports of its own. */
export class RunningCluster {
  running: Running;
  readonly directory: string;
  readonly httpPort: number;
  readonly peerPort: number;
  readonly #words: readonly string[];
  readonly #remove: () => void;
  readonly #others: Running[] = [];

  private constructor(
    words: readonly string[],
    folder: { readonly path: string; remove(): void },
    httpPort: number,
    peerPort: number,
  ) {
    this.#words = words;
    this.directory = folder.path;
    this.running = startCapstan(words, { directory: folder.path });
    this.httpPort = httpPort;
    this.peerPort = peerPort;
    this.#remove = () => folder.remove();
  }

  /** Started, not yet ready. */
  static async start(words: readonly string[] = []): Promise<RunningCluster> {
    const folder = temporaryFolder();
    const firstPort = await freePorts(40);
    const [httpPort, peerPort] = [firstPort, firstPort + 20];
    const ports = ["--http-port", `${httpPort}`, "--peer-port", `${peerPort}`];
    return new RunningCluster(["cluster", ...ports, ...words], folder, httpPort, peerPort);
  }

  static async ready(words: readonly string[] = []): Promise<RunningCluster> {
    const cluster = await RunningCluster.start(words);
    try {
      await cluster.running.says(/^ready\b/m);
      return cluster;
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  /** The same command in the same folder, after the one before has ended. Settles when it is ready. */
  async again(): Promise<void> {
    await this.running.end();
    this.running = startCapstan(this.#words, { directory: this.directory });
    await this.running.says(/^ready\b/m);
  }

  /** SIGKILL for all nodes at once; settles when the command has ended for want of nodes. */
  async killAllNodes(): Promise<void> {
    for (const { pid } of this.nodes) process.kill(pid, "SIGKILL");
    await this.running.ended;
  }

  /** As the command printed them. */
  get nodes(): ClusterNode[] {
    const lines = this.running.stdout.matchAll(/^ {2}(n\d+) +(http:\S+) .*pid (\d+)$/gm);
    return [...lines].map(([, id = "", url = "", pid]) => ({ id, url, pid: Number(pid) }));
  }

  node(id: string): ClusterNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`the cluster named no node ${id}`);
    return found;
  }

  /** Runs the command line against one of the nodes. */
  capstan(node: string, words: readonly string[], options: Partial<RunOptions> = {}): Promise<Ran> {
    const env = { CAPSTAN_URL: this.node(node).url, ...options.env };
    return capstan(words, { directory: this.directory, ...options, env });
  }

  /** Starts something beside the cluster, which ends with it. */
  beside(words: readonly string[], options: Partial<RunOptions> = {}): Running {
    const running = startCapstan(words, { directory: this.directory, ...options });
    this.#others.push(running);
    return running;
  }

  async end(): Promise<void> {
    await Promise.all([this.running, ...this.#others].map((each) => each.end()));
    this.#remove();
  }
}
