import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../core/contracts/environment.ts";
import { pause } from "../surroundings.ts";
import { type NatsServerSettings, natsConfiguration } from "./nats-configuration.ts";

const READY_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
const KEPT_OUTPUT_CHARACTERS = 4_000;

/**
 * A server that does not outlive whoever started it, however that ends: a shell beside it reads
 * from a pipe of ours, which ends with us, and takes its folder away.
 */
const GUARD =
  'folder=$1; shift; exec 3<&0; "$@" </dev/null 3<&- & server=$!; ' +
  '{ cat <&3; rm -rf "$folder"; kill $server; } >/dev/null 2>&1 & guard=$!; exec 3<&-; ' +
  "wait $server; code=$?; kill $guard 2>/dev/null; exit $code";

export interface NatsServerOptions extends NatsServerSettings {
  readonly environment: Environment;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default: one that is free. */
  readonly port?: number;
}

/** A NATS server on a port of its own on 127.0.0.1, as a child process. */
export class RunningNatsServer {
  readonly port: number;
  readonly #path: string;
  readonly #options: NatsServerOptions;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #hasExited = true;
  #output = "";

  private constructor(path: string, port: number, folder: string, options: NatsServerOptions) {
    this.#path = path;
    this.port = port;
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Settles once it accepts connections.
   *
   * @throws Error with the server's last words if it does not come to that.
   */
  static async start(path: string, options: NatsServerOptions): Promise<RunningNatsServer> {
    const port = options.port ?? (await freePort());
    const folder = await mkdtemp(join(tmpdir(), "capstan-nats-"));
    const server = new RunningNatsServer(path, port, folder, options);
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Settles when it has ended, for whatever reason. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /** Its last words. */
  get output(): string {
    return this.#output;
  }

  /** Of the server itself, while it runs. */
  async pid(): Promise<number> {
    return Number(await readFile(this.#pidFile, "utf8"));
  }

  /** On the same port, with the same configuration; only after it has ended. */
  async restart(): Promise<void> {
    const configurationFile = join(this.#folder, "nats-server.conf");
    await rm(this.#pidFile, { force: true });
    await writeFile(configurationFile, natsConfiguration(this.port, this.#pidFile, this.#options));
    this.#spawn(["-c", configurationFile]);
    const { environment } = this.#options;
    const giveUpAtMs = environment.monotonicMs() + READY_TIMEOUT_MS;
    while (!(await answersOn(this.port))) {
      if (this.#hasExited || environment.monotonicMs() >= giveUpAtMs) {
        const why = this.#hasExited ? "ended" : "does not answer";
        throw new Error(`${this.#path} ${why} on port ${this.port}: ${this.#output.trim()}`);
      }
      await pause(environment, POLL_MS);
    }
  }

  /** SIGKILL; settles once it is gone. */
  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  /** Orderly, and nothing of it stays. Idempotent. */
  async stop(): Promise<void> {
    await this.#signal("SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (!this.#hasExited) {
      const pid = await this.pid().catch(() => undefined);
      if (pid === undefined) this.#child?.stdin?.destroy();
      else sendSignal(pid, signal);
    }
    await this.#exited;
  }

  get #pidFile(): string {
    return join(this.#folder, "nats-server.pid");
  }

  #spawn(args: readonly string[]): void {
    const [file, ...words] =
      process.platform === "win32"
        ? [this.#path, ...args]
        : ["sh", "-c", GUARD, "sh", this.#folder, this.#path, ...args];
    // A group of its own: a Ctrl-C in the terminal is for whoever started it, who ends it in turn.
    const child = spawn(file as string, words, {
      env: { ...this.#options.env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    this.#child = child;
    this.#hasExited = false;
    const take = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString("utf8")).slice(-KEPT_OUTPUT_CHARACTERS);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.stdin.on("error", () => undefined);
    this.#exited = new Promise((resolve) => {
      const end = (): void => {
        this.#hasExited = true;
        child.stdin.destroy();
        resolve();
      };
      child.once("exit", end);
      child.once("error", (error) => {
        this.#output += error.message;
        end();
      });
    });
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself: that is what was wanted.
  }
}

/** Whether a NATS server greets there. */
function answersOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const settle = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once("data", (bytes) => settle(bytes.toString("latin1").startsWith("INFO ")));
    socket.once("error", () => settle(false));
    socket.once("close", () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}
