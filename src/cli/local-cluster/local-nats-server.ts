import { programCacheFolder } from "../nats-server/cache-folder.ts";
import { findNatsServer, HOW_TO_GET_NATS_SERVER } from "../nats-server/find-nats-server.ts";
import { RunningNatsServer } from "../nats-server/running-nats-server.ts";
import { shellWord } from "../own-command.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import { UsageError } from "../usage-error.ts";

/** The NATS server of a cluster on this machine: a child that ends with it. */
export interface LocalNatsServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Finds a server program and runs it on a free port of loopback. Its death is reported, with the
 * line that brings one back: the nodes wait for it.
 *
 * @throws UsageError where there is none to be had.
 */
export async function startLocalNatsServer(surroundings: Surroundings): Promise<LocalNatsServer> {
  const { env, environment, stdout } = surroundings;
  const say = (line: string): void => printLine(stdout, line);
  const cacheFolder = await programCacheFolder(env);
  const search = { env, environment, cacheFolder, onNotice: say };
  const program = await findNatsServer(search).catch((error: Error) => {
    throw new UsageError(`${error.message}.`);
  });
  if (program === undefined) {
    throw new UsageError(
      "--transport nats needs a NATS server, and none was found: give the address of one with " +
        `--nats-url, or ${HOW_TO_GET_NATS_SERVER}.`,
    );
  }
  const server = await RunningNatsServer.start(program.path, { environment, env });
  const { url, port } = server;
  const pid = await server.pid();
  say(`${program.version} (${program.origin}) on ${url}, pid ${pid}`);
  let isStopping = false;
  void server.exited.then(() => {
    if (isStopping || surroundings.interruption.requested) return;
    say("");
    say(`the NATS server (pid ${pid}) ended; the nodes wait for one on ${url}. This starts one:`);
    say(`  ${shellWord(program.path)} -a 127.0.0.1 -p ${port}`);
    say("");
  });
  return {
    url,
    stop: () => {
      isStopping = true;
      return server.stop();
    },
  };
}
