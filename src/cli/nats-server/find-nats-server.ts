import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import type { Environment } from "../../core/contracts/environment.ts";
import { containerNatsServer } from "./container-nats-server.ts";
import { packagedNatsServer } from "./packaged-nats-server.ts";
import { runProgram } from "./run-program.ts";

const NATS_SERVER_VARIABLE = "NATS_SERVER_BIN";

/** For messages: what somebody without a server can do. */
export const HOW_TO_GET_NATS_SERVER =
  `set ${NATS_SERVER_VARIABLE} to a nats-server program, put nats-server on the PATH, ` +
  "or let Docker run (https://nats.io/download)";

const VERSION_TIMEOUT_MS = 10_000;
const PROGRAM = process.platform === "win32" ? "nats-server.exe" : "nats-server";

/** A NATS server that can be started here. */
export interface NatsServerProgram {
  /** The program on this machine; what a container runs is copied out of it. */
  readonly path: string;
  /** `nats-server: v2.9.10`. */
  readonly version: string;
  /** Where it was found, for people. */
  readonly origin: string;
}

export interface NatsServerSearch {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly environment: Environment;
  /** Where a program that had to be fetched is kept for later. */
  readonly cacheFolder: string;
  readonly onNotice?: (line: string) => void;
}

/**
 * A NATS server program, by the first of these that has one: `NATS_SERVER_BIN`, the PATH, a
 * container image where Docker answers, the package of a Debian distribution. Undefined if none
 * has. Each is tried by running it.
 *
 * @throws Error if `NATS_SERVER_BIN` names something that does not run: nothing else is meant.
 */
export async function findNatsServer(
  search: NatsServerSearch,
): Promise<NatsServerProgram | undefined> {
  const { env, onNotice = () => undefined } = search;
  const named = env[NATS_SERVER_VARIABLE];
  if (named !== undefined && named !== "") {
    const path = isAbsolute(named) ? named : resolve(named);
    const version = await versionOf(path, search);
    if (version !== undefined) return { path, version, origin: NATS_SERVER_VARIABLE };
    throw new Error(`${NATS_SERVER_VARIABLE} is ${named}, which does not run as a NATS server`);
  }
  const onPath = await findOnPath(env.PATH ?? "");
  if (onPath !== undefined) {
    const version = await versionOf(onPath, search);
    if (version !== undefined) return { path: onPath, version, origin: "PATH" };
  }
  for (const source of [containerNatsServer, packagedNatsServer]) {
    try {
      const found = await source(search);
      if (found === undefined) continue;
      const version = await versionOf(found.path, search);
      if (version !== undefined) return { ...found, version };
      onNotice(`${found.path} (${found.origin}) does not run here`);
    } catch (error) {
      onNotice(error instanceof Error ? error.message : String(error));
    }
  }
  return undefined;
}

async function findOnPath(path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    if (folder === "") continue;
    const candidate = join(folder, PROGRAM);
    const isThere = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return candidate;
  }
  return undefined;
}

async function versionOf(
  path: string,
  { environment, env }: NatsServerSearch,
): Promise<string | undefined> {
  const options = { environment, env, timeoutMs: VERSION_TIMEOUT_MS };
  const ran = await runProgram(path, ["--version"], options).catch(() => undefined);
  const line = ran?.output.trim();
  return ran?.code === 0 && line?.startsWith("nats-server") ? line : undefined;
}
