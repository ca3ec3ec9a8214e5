import { type Command, Option } from "commander";
import type { Logger } from "pino";
import type { LogLevel } from "../../core/contracts/observer.ts";
import type { Store } from "../../core/store/api.ts";
import { serveHttp } from "../../http/index.ts";
import { openStore } from "../../open-store.ts";
import type { CommandRunner } from "../command-runner.ts";
import { EXIT } from "../exit-codes.ts";
import { httpAddressOf } from "../http-address.ts";
import { loadConfiguration } from "../load-configuration.ts";
import { createNodeLog, observerOf } from "../node-log.ts";
import { endOfParent } from "../parent-process.ts";
import type { Surroundings } from "../surroundings.ts";

const DRAIN_MS = 5_000;

interface StartOptions {
  readonly config: string;
  readonly node: string;
  readonly jsonLogs?: boolean;
  readonly logLevel: LogLevel;
}

const EXAMPLES = `
Examples:
  $ capstan start --config capstan.config.json --node n1
  $ capstan start --config capstan.config.ts --node orders-2 --json-logs

The configuration has the shape of openStore's first argument. The node serves HTTP where
cluster.nodes.<id>.http says. Ctrl-C ends it in an orderly way, twice at once.`;

export function addStartCommand(program: Command, runner: CommandRunner): void {
  program
    .command("start")
    .description("run one node of a cluster in the foreground")
    .requiredOption("--config <file>", "configuration: a .json, .js, .mjs or .ts file")
    .requiredOption("--node <id>", "which node of the configuration this is")
    .option("--json-logs", "log one JSON object a line")
    .addOption(
      new Option("--log-level <level>", "least level that is logged")
        .choices(["trace", "debug", "info", "warn", "error"])
        .default("info"),
    )
    .addHelpText("after", EXAMPLES)
    .action((options: StartOptions) =>
      runner.run(false, () => start(options, runner.surroundings)),
    );
}

async function start(options: StartOptions, surroundings: Surroundings): Promise<number> {
  const { config, node } = options;
  const configuration = await loadConfiguration(config, surroundings.directory);
  const { host, port } = httpAddressOf(configuration, node, config);
  const log = createNodeLog(
    { node, json: options.jsonLogs === true, level: options.logLevel },
    surroundings,
  );
  const store = await openStore(configuration, { node, observer: observerOf(log) });
  try {
    const server = await serveHttp(store, { host, port });
    log.info({ http: `http://${host}:${port}`, pid: process.pid }, `node ${node} is up`);
    try {
      return await serveUntilEnd(store, log, surroundings);
    } finally {
      await server.close();
    }
  } finally {
    await store.close({ drain: true, timeoutMs: DRAIN_MS });
    log.info("stopped");
  }
}

/** Ends with the user's wish, the end of the process that started this one, or the store's own. */
async function serveUntilEnd(
  store: Store,
  log: Logger,
  { interruption }: Surroundings,
): Promise<number> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  interruption.signal.addEventListener("abort", end, { once: true });
  const parent = endOfParent(end);
  let failed = false;
  try {
    if (!interruption.requested) {
      for await (const event of store.events({ signal: ended.signal })) {
        if (store.describe().state !== "failed") continue;
        failed = true;
        log.error({ event: event.type }, "the node has stopped itself");
        break;
      }
    }
  } finally {
    parent.forget();
    interruption.signal.removeEventListener("abort", end);
  }
  if (failed) return EXIT.notApplied;
  log.info({ signal: interruption.cause ?? "none" }, "stopping: operations under way may end");
  // A service manager ends a service by SIGTERM, and takes any other code than 0 for a fault.
  return interruption.cause === "SIGINT" ? EXIT.interrupted : EXIT.done;
}
