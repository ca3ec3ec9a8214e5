import type { Logger } from "pino";
import type { LogLevel } from "../core/contracts/observer.ts";
import { resolveConfiguration } from "../core/model/configuration.ts";
import type { StoreConfigurationInput } from "../core/model/configuration-types.ts";
import { isCapstanError } from "../core/model/errors.ts";
import type { StoreEvent } from "../core/store/api.ts";
import { separatePlugIns } from "../core/store/handed-over.ts";
import { serveHttp } from "../http/index.ts";
import { openStore } from "../open-store.ts";
import { EXIT } from "./exit-codes.ts";
import { httpAddressOf } from "./http-address.ts";
import type { Interruption } from "./interruption.ts";
import { loadConfiguration } from "./load-configuration.ts";
import { loadResolvers } from "./load-resolvers.ts";
import { logStoreEvent } from "./log-store-event.ts";
import { createNodeLog, observerOf } from "./node-log.ts";
import { endOfParent } from "./parent-process.ts";
import { type NodeEnd, runWithRenewal } from "./run-with-renewal.ts";
import type { Surroundings } from "./surroundings.ts";

export interface NodeOptions {
  readonly config: string;
  readonly node: string;
  readonly jsonLogs?: boolean;
  readonly logLevel: LogLevel;
}

/**
 * Runs one node until the user or the parent process ends it, or it stops itself. One whose data
 * is an older copy starts anew by itself, once.
 */
export async function runNode(options: NodeOptions, surroundings: Surroundings): Promise<number> {
  const { config, node } = options;
  const configuration = await loadResolvers(
    await loadConfiguration(config, surroundings.directory),
  );
  const { host, port } = httpAddressOf(configuration, node, config);
  const log = createNodeLog(
    { node, json: options.jsonLogs === true, level: options.logLevel },
    surroundings,
  );
  const observer = observerOf(log);
  const { interruption } = surroundings;
  const insecure = configuration.insecure === true;
  const ofHttp = configuration.http ?? {};
  const live = async (): Promise<NodeEnd> => {
    const opening = openStore(configuration, { node, observer, signal: interruption.signal });
    const store = await opening.catch((error: unknown) => {
      if (!interruption.requested || !isCapstanError(error) || error.code !== "ABORTED")
        throw error;
    });
    if (store === undefined) return stoppedWhileStarting(log, interruption);
    const ended = new AbortController();
    // From the beginning: what was found at opening is told first.
    const events = store.events({ signal: ended.signal });
    try {
      const server = await serveHttp(store, {
        ...{ host, port, insecure, observer },
        ...ofHttp,
        maxBodyBytes: maxBodyBytesOf(configuration),
      });
      log.info({ http: server.url, pid: process.pid }, `node ${node} is up`);
      try {
        return await serveUntilEnd(events, ended, log, surroundings);
      } finally {
        await server.close();
      }
    } finally {
      await store.close();
      log.info("stopped");
    }
  };
  return runWithRenewal(live, log);
}

/** What was opened by then is closed again. */
function stoppedWhileStarting(log: Logger, { cause }: Interruption): NodeEnd {
  log.info({ signal: cause ?? "none" }, "stopped while it was starting");
  return { exitCode: exitCodeOfStop(cause), disowned: false };
}

/** A service manager ends a service by SIGTERM, and takes any other code than 0 for a fault. */
function exitCodeOfStop(cause: string | undefined): number {
  return cause === "SIGINT" ? EXIT.interrupted : EXIT.done;
}

const LEAST_BODY_BYTES = 4 * 1024 * 1024;

/** JSON may take twice the bytes of the value that it stands for, and the body has other fields. */
function maxBodyBytesOf(configuration: StoreConfigurationInput): number {
  const { keyspaces } = resolveConfiguration(separatePlugIns(configuration).plain);
  const largest = Math.max(...keyspaces.map(({ maxValueBytes }) => maxValueBytes));
  return Math.max(LEAST_BODY_BYTES, 2 * largest + 64 * 1024);
}

/** Ends with the user's wish, the end of the process that started this one, or the store's own. */
async function serveUntilEnd(
  events: AsyncIterable<StoreEvent>,
  ended: AbortController,
  log: Logger,
  { interruption }: Surroundings,
): Promise<NodeEnd> {
  const end = (): void => ended.abort();
  interruption.signal.addEventListener("abort", end, { once: true });
  const parent = endOfParent(end);
  let failure: StoreEvent | undefined;
  try {
    if (!interruption.requested) {
      for await (const event of events) {
        logStoreEvent(log, event);
        if (event.type === "failed") failure = event;
        if (failure !== undefined) break;
      }
    }
  } finally {
    parent.forget();
    interruption.signal.removeEventListener("abort", end);
  }
  if (failure !== undefined) {
    return { exitCode: EXIT.notApplied, disowned: failure.code === "DATA_DISOWNED" };
  }
  log.info({ signal: interruption.cause ?? "none" }, "stopping: operations under way may end");
  return { exitCode: exitCodeOfStop(interruption.cause), disowned: false };
}
